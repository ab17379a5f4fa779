/** The server: opens its folder, goes on with what was not finished, answers, and ends in good order. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { routePath } from 'hono/route';
import type { StoredBundle } from '../bundles/bundle-store.ts';
import { EnvironmentError } from '../errors.ts';
import type { ClipRenderer } from '../jobs/clip-renderer.ts';
import { JobRunner } from '../jobs/job-runner.ts';
import { locateFfmpeg } from '../media/ffmpeg-path.ts';
import type { AnimateOptions, DeviceName } from '../pipeline/animate-options.ts';
import { checkOptions } from '../pipeline/options/check-options.ts';
import { Board, DISK_FULL_MS } from './board.ts';
import { answerBrokenRequest } from './broken-request.ts';
import { Clip } from './clip.ts';
import { ClipWork, type OrderEngine } from './clip-work.ts';
import { type Compare, ComparisonWork } from './comparison-work.ts';
import { DataFolder } from './data-folder.ts';
import { Guard } from './guard.ts';
import { shortId } from './ids.ts';
import { Metrics } from './metrics.ts';
import { OPERATIONS } from './openapi/operations.ts';
import { asRequestError, problemResponse, RequestError } from './problem.ts';
import { QuickAnswers } from './quick-answers.ts';
import { Quota } from './quota.ts';
import { addClipRoutes } from './routes/clip-routes.ts';
import { addComparisonRoutes } from './routes/comparison-routes.ts';
import { addDocsRoutes } from './routes/docs-routes.ts';
import { addPageRoutes } from './routes/page-routes.ts';
import { addSystemRoutes } from './routes/system-routes.ts';
import { addUploadRoutes } from './routes/upload-routes.ts';
import { copySamples } from './samples.ts';
import {
  DEFAULT_GRACE_SECONDS,
  DEFAULT_HOST,
  DEFAULT_PORT,
  isLoopback,
  limitsOf,
  SERVE_OPTIONS,
  SERVE_RULES,
  type ServeOptions,
} from './serve-options.ts';
import type { Planner, ServeEnv, ServerState } from './server-state.ts';
import { UploadStore } from './upload-store.ts';
import { Webhooks } from './webhook.ts';

/** What the surroundings of a server give it; tests give other things. */
export interface ServeParts {
  readonly version: string;
  /** Called once for each clip that is rendered at the same time, and again after an engine has failed. */
  readonly openRenderer: (options: {
    readonly device: DeviceName;
    readonly threads: number | undefined;
    readonly onNotice: (message: string) => void;
  }) => Promise<ClipRenderer>;
  readonly planner: Planner;
  readonly compare: Compare;
  readonly listBundles: () => Promise<readonly StoredBundle[]>;
  /** A clip that is prepared when the server has started, so that the first one finds all that it needs. @defaultValue none */
  readonly warmUpClip?: Pick<AnimateOptions, 'portrait' | 'audio'>;
  /** Waits between the times that a note is sent. @defaultValue {@link WEBHOOK_DELAYS_MS} */
  readonly webhookDelaysMs?: readonly number[];
  /** Before an order whose disk is full is begun again. @defaultValue {@link DISK_FULL_MS} */
  readonly diskFullMs?: number;
  /** Where ffmpeg is looked for. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A server that answers. */
export interface RunningServer {
  /** `http://127.0.0.1:7860` */
  readonly url: string;
  /** The address of the page, with the token if one is needed. */
  readonly link: string;
  /**
   * Takes no more work, lets what runs go on for the grace period, keeps checkpoints of the rest, and ends.
   *
   * @param now - aborts to skip the grace period.
   */
  stop(now?: AbortSignal): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;
/** Of a whole request; uploads that stall end much earlier. */
const REQUEST_TIMEOUT_MS = 3600_000;
/** A connection over which nothing goes, in either direction. */
const SILENT_MS = 120_000;
const MAX_CONNECTIONS = 2000;
const CLOSE_MS = 500;
const RETRY_SECONDS = 1;

/**
 * Starts a server.
 *
 * @throws {@link InvalidOptionsError} if options are wrong.
 * @throws {@link EnvironmentError} if the folder is in use or cannot be written, or the address is taken.
 */
export async function startServer(options: ServeOptions, parts: ServeParts): Promise<RunningServer> {
  checkOptions(SERVE_OPTIONS, SERVE_RULES, options, 'serve');
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, graceSeconds = DEFAULT_GRACE_SECONDS } = options;
  const limits = limitsOf(options);
  const onEvent = options.onEvent ?? (() => {});
  const data = await DataFolder.open(options.dataFolder);
  const over = new AbortController();
  let engine: OrderEngine | undefined;
  try {
    engine = await openEngine(options, parts, data, over.signal);
    const runner = engine;
    const token = options.token ?? (isLoopback(host) ? undefined : await data.token());
    const quota = new Quota(data, limits.dataBytes);
    const metrics = new Metrics();
    const uploads = await UploadStore.open({
      folder: data.uploads,
      limits,
      ffmpeg: () =>
        locateFfmpeg({
          env: { ...parts.env, ...(options.ffmpegPath && { FFMPEG_PATH: options.ffmpegPath }) },
        }),
      makeRoom: (bytes) => quota.makeRoom(bytes),
      ...(options.queue !== undefined && { sampleFolder: data.samples }),
    });
    const webhooks = new Webhooks({
      hosts: options.webhookHosts ?? [],
      delaysMs: parts.webhookDelaysMs,
      onEvent,
      secret: options.webhookSecret ?? (await data.webhookSecret()),
      onDone: (order, outcome) => board.note(order, outcome),
    });
    const work = {
      data,
      uploads,
      engine: runner,
      bundleStore: options.bundleStore,
      ffmpegPath: options.ffmpegPath,
    };
    const board: Board = await Board.open({
      data,
      onEvent,
      ordersPerClient: limits.clipsPerClient,
      diskFullMs: parts.diskFullMs ?? DISK_FULL_MS,
      clipWork: new ClipWork(work),
      comparisonWork: new ComparisonWork({ ...work, compare: parts.compare }),
      onEnded: (order) => {
        webhooks.send(order);
        if (order instanceof Clip) {
          const { state, result } = order.record;
          metrics.clipEnded(state, result?.frames ?? 0, result?.seconds ?? 0);
        }
        void quota.settle();
      },
    });
    quota.watch({ uploads, board });
    await quota.settle();
    const state: ServerState = {
      webhooks,
      options,
      limits,
      data,
      uploads,
      board,
      quota,
      metrics,
      onEvent,
      stopping: new AbortController(),
      version: parts.version,
      planner: parts.planner,
      listBundles: parts.listBundles,
    };
    const guard = new Guard({ host, token, allowedHosts: options.allowedHosts ?? [] });
    const app = createApp(state, guard);
    const quick = new QuickAnswers({
      board,
      guard,
      headers: HEADERS,
      onAnswer: (route, ms) => noteRequest(state, { method: 'GET', route, status: 200, ms }),
    });
    const server = await listen({ app, quick, host, port });
    const url = urlOf(host, server);
    const link = token === undefined ? url : `${url}/?token=${encodeURIComponent(token)}`;
    onEvent({ type: 'listening', url, link, data: data.path });
    runner.start();
    if (parts.warmUpClip !== undefined && board.all.every((order) => order.hasEnded)) {
      const { bundleStore, ffmpegPath } = options;
      const output = path.join(data.path, 'warm-up.mp4'); // nothing is written
      void runner.warmUp?.({
        ...parts.warmUpClip,
        output,
        ...(bundleStore !== undefined && { bundleStore }),
        ...(ffmpegPath !== undefined && { ffmpegPath }),
      });
    }
    for (const order of board.all) if (order.hasEnded) webhooks.send(order);
    let stopping: Promise<void> | undefined;
    const stop = async (now: AbortSignal): Promise<void> => {
      state.stopping.abort(new Error('the server stops'));
      onEvent({ type: 'draining', seconds: graceSeconds });
      await board.stop(graceSeconds, now);
      await webhooks.stop();
      over.abort(new Error('the server stops'));
      await Promise.all([runner.dispose(), parts.planner.dispose()]);
      await close(server);
      data.release();
      onEvent({ type: 'closed' });
    };
    return {
      url,
      link,
      stop: (now = new AbortController().signal) => {
        stopping ??= stop(now);
        return stopping;
      },
    };
  } catch (error) {
    over.abort(error);
    await engine?.dispose();
    data.release();
    throw error;
  }
}

/** What renders: this machine, or the workers of a queue. */
async function openEngine(
  { queue, concurrency = 1, device = 'auto', threads, onEvent }: ServeOptions,
  { openRenderer }: ServeParts,
  data: DataFolder,
  signal: AbortSignal,
): Promise<OrderEngine> {
  const onNotice = (message: string): void => onEvent?.({ type: 'notice', message });
  const shared = { stateFolder: data.state, retryDelay: RETRY_SECONDS };
  if (queue === undefined) {
    const open = () => openRenderer({ device, threads, onNotice });
    return new JobRunner({ ...shared, concurrency, signal, openRenderer: open });
  }
  await copySamples(data.samples);
  // Loaded only here, like the packages behind it.
  const { QueueEngine } = await import('../jobs/queue-engine.ts');
  return QueueEngine.open({
    ...shared,
    url: queue,
    sharedFolder: data.path,
    onNotice: (message, job) =>
      onNotice(job === undefined ? message : `clip ${shortId(job.name)}: ${message}`),
  });
}

/** The page, and what the document of the API says is answered without the token. */
const PUBLIC_PATHS = new Set([
  '/',
  ...OPERATIONS.filter(({ isPublic }) => isPublic).map((operation) => operation.path),
]);

/** What is said with every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'permissions-policy': 'camera=(self), microphone=(self), geolocation=()',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; " +
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
};

/** A request that was answered. */
interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

function noteRequest({ metrics, onEvent }: ServerState, { ms, ...request }: AnsweredRequest): void {
  metrics.request(request.method, request.route, request.status, ms / 1000);
  onEvent({ type: 'request', ...request, ms: Math.round(ms * 10) / 10 });
}

/** The application, without a port. */
export function createApp(state: ServerState, guard: Guard): Hono<ServeEnv> {
  const app = new Hono<ServeEnv>();
  app.use(async (context, next) => {
    const begin = performance.now();
    await next();
    for (const [name, value] of Object.entries(HEADERS)) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
    if (!context.res.headers.has('cache-control')) context.res.headers.set('cache-control', 'no-store');
    const ms = performance.now() - begin;
    const matched = routePath(context, -1);
    const route = matched.includes('*') ? 'none' : matched;
    noteRequest(state, { method: context.req.method, route, status: context.res.status, ms });
  });
  app.use(async (context, next) => {
    guard.checkOrigin(context.req.raw, context.env.incoming.headers.host);
    const { path } = context.req;
    if (!PUBLIC_PATHS.has(path) && !path.startsWith('/page/')) guard.checkToken(context.req.raw);
    await next();
  });
  addPageRoutes(app, guard);
  addDocsRoutes(app, state);
  addSystemRoutes(app, state);
  addUploadRoutes(app, state);
  addClipRoutes(app, state);
  addComparisonRoutes(app, state);
  app.notFound((context) => {
    const { path, method } = context.req;
    const others = app.routes.filter((route) => route.method !== 'ALL' && fits(route.path, path));
    if (others.length === 0) {
      return problemResponse(
        new RequestError('not-found', 'Cannot find the page: there is nothing of this name'),
      );
    }
    const allow = [...new Set(others.map((route) => route.method))].join(', ');
    return problemResponse(
      new RequestError('method-not-allowed', `Cannot do ${method} here: expected ${allow}`, {
        headers: { allow },
      }),
    );
  });
  app.onError((error) => {
    const known = asRequestError(error);
    if (known.kind === 'unexpected')
      state.onEvent({ type: 'notice', message: `error: ${error.stack ?? error.message}` });
    return problemResponse(known);
  });
  return app;
}

function fits(pattern: string, path: string): boolean {
  const [a, b] = [pattern, path].map((text) => text.split('/'));
  return (
    a!.length === b!.length && a!.every((part, i) => (part.startsWith(':') && b![i] !== '') || part === b![i])
  );
}

/** What answers, and where. */
interface Listening {
  readonly app: Hono<ServeEnv>;
  readonly quick: QuickAnswers;
  readonly host: string;
  readonly port: number;
}

async function listen({ app, quick, host, port }: Listening): Promise<Server> {
  const handle = getRequestListener(app.fetch as never, { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 5000,
      maxHeaderSize: 16_384,
      requireHostHeader: true,
    },
    (incoming, outgoing) => {
      if (!quick.answer(incoming, outgoing)) void handle(incoming, outgoing);
    },
  );
  server.on('clientError', answerBrokenRequest);
  server.timeout = SILENT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const got =
        cause.code === 'EADDRINUSE'
          ? 'one that another program uses; choose another with --port'
          : `an error (${cause.code})`;
      reject(
        new EnvironmentError(`Cannot listen on ${host} port ${port}: expected a free address, got ${got}`, {
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  return server;
}

function urlOf(host: string, server: Server): string {
  const { port } = server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await Promise.race([closed, sleep(CLOSE_MS, undefined, { ref: false })]);
  server.closeAllConnections();
  await closed;
}
