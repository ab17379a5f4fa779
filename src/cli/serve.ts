/** `lcm-portrait serve`: the page and the API. */
import path from 'node:path';
import { Command } from 'commander';
import { bundleStoreFolder } from '../bundles/bundle-store.ts';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import { userHome } from '../files/user-home.ts';
import type { ServeEvent } from '../serve/serve-event.ts';
import type { ServeLimits, ServeOptions } from '../serve/serve-options.ts';
import { findStrayArguments } from './animate-flags.ts';
import { type NumericFlags, readDevice, readNumbers } from './batch-flags.ts';
import type { CliContext } from './context.ts';
import { collect } from './option-flags.ts';
import { untilStopped } from './stop-signals.ts';

const NUMBERS: NumericFlags = {
  port: { flag: '--port', min: 0, max: 65_535, integer: true },
  concurrency: { flag: '--concurrency', min: 1, max: 64, integer: true },
  threads: { flag: '--threads', min: 1, max: 256, integer: true },
  graceSeconds: { flag: '--grace', min: 0, max: 3600, integer: false },
};
const LIMITS: NumericFlags = {
  uploadMegabytes: { flag: '--max-upload', min: 0.01, max: 100_000, integer: false },
  seconds: { flag: '--max-seconds', min: 0.1, max: 7200, integer: false },
  megapixels: { flag: '--max-megapixels', min: 0.01, max: 1000, integer: false },
  clipsPerClient: { flag: '--max-clips', min: 1, max: 1_000_000, integer: true },
  dataGigabytes: { flag: '--quota', min: 0.01, max: 1_000_000, integer: false },
};
const LOG_FORMS = ['text', 'json'];
/** So that the token need not be in the list of processes. */
const TOKEN_VARIABLE = 'LCM_PORTRAIT_TOKEN';
const WEBHOOK_SECRET_VARIABLE = 'LCM_PORTRAIT_WEBHOOK_SECRET';

/** The command, ready to be added to the program. */
export function createServeCommand(context: CliContext): Command {
  const command = new Command('serve')
    .option('--host <name>', 'address to listen on (default: 127.0.0.1, this machine alone)')
    .option('--port <n>', 'port to listen on, 0 for any that is free (default: 7860)')
    .option('--data <folder>', "where uploads and results are kept (default: serve, in the user's data)")
    .option(
      '--token <text>',
      `what clients have to show, or ${TOKEN_VARIABLE} (default: none on this machine alone, else a random one)`,
    )
    .option('--allow-host <name>', 'name under which the server is reached as well; may be repeated', collect)
    .option(
      '--webhook-host <host>',
      `host that notes of clips' ends may go to, with a port unless it is the usual one; may be repeated`,
      collect,
    )
    .option(
      '--queue <url>',
      'redis://host:port/database: workers render, which see the data folder (default: this machine renders)',
    )
    .option('--concurrency <n>', 'clips that are rendered at the same time (default: 1)')
    .option('--device <name>', 'auto, cpu, cuda, webgpu, coreml or dml (default: auto)')
    .option('--threads <n>', 'threads of each engine, 1 to 256 (default: one for each core)')
    .option('--max-upload <mb>', 'megabytes of a file at most (default: 200)')
    .option('--max-seconds <s>', 'seconds of sound or film at most (default: 600)')
    .option('--max-megapixels <n>', 'megapixels of a picture at most (default: 64)')
    .option('--max-clips <n>', 'clips of one client that are not finished at most (default: 1000)')
    .option('--quota <gb>', 'gigabytes that are kept; the oldest results go (default: 20)')
    .option('--grace <s>', 'seconds that a clip may go on after a stop (default: 5)')
    .option('--log <form>', 'text or json, one object a line (default: text)')
    .option('--quiet', 'print the address and errors only')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
The first Ctrl-C or SIGTERM takes no more work and ends within --grace; checkpoints of clips that are not
finished are kept, and the next start resumes from them. Again to end at once.`,
    );
  return command.action(async () => {
    const values = command.opts<
      Record<string, string | boolean | undefined> & {
        allowHost?: string[];
        webhookHost?: string[];
      }
    >();
    const errors: InvalidOptionError[] = findStrayArguments(command);
    const numbers = readNumbers(
      {
        port: values.port,
        concurrency: values.concurrency,
        threads: values.threads,
        graceSeconds: values.grace,
      },
      NUMBERS,
      errors,
    );
    const limits = readNumbers(
      {
        uploadMegabytes: values.maxUpload,
        seconds: values.maxSeconds,
        megapixels: values.maxMegapixels,
        clipsPerClient: values.maxClips,
        dataGigabytes: values.quota,
      },
      LIMITS,
      errors,
    );
    const device = readDevice(values.device, errors);
    const log = values.log ?? 'text';
    if (!LOG_FORMS.includes(String(log))) {
      errors.push(
        new InvalidOptionError({ expected: 'text or json', got: JSON.stringify(log) }, '--log', log),
      );
    }
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    const token = values.token ?? context.env[TOKEN_VARIABLE];
    const webhookSecret = context.env[WEBHOOK_SECRET_VARIABLE];
    await run(
      context,
      {
        ...numbers,
        dataFolder: values.data === undefined ? defaultDataFolder(context.env) : String(values.data),
        ...(values.host !== undefined && { host: String(values.host) }),
        ...(token && { token: String(token) }),
        ...(values.allowHost !== undefined && { allowedHosts: values.allowHost }),
        ...(values.webhookHost !== undefined && { webhookHosts: values.webhookHost }),
        ...(webhookSecret && { webhookSecret }),
        ...(values.queue !== undefined && { queue: String(values.queue) }),
        ...(device !== undefined && { device }),
        ...(context.env.FFMPEG_PATH && { ffmpegPath: context.env.FFMPEG_PATH }),
        limits: limitsOf(limits),
      },
      { json: log === 'json', quiet: values.quiet === true },
    );
  });
}

/** Next to the user's bundles. */
function defaultDataFolder(env: CliContext['env']): string {
  const bundles = bundleStoreFolder({ env, platform: process.platform, home: userHome() });
  return path.join(path.dirname(bundles), 'serve');
}

function limitsOf({
  uploadMegabytes,
  megapixels,
  dataGigabytes,
  seconds,
  clipsPerClient,
}: Record<string, number>): Partial<ServeLimits> {
  return {
    ...(uploadMegabytes !== undefined && { uploadBytes: Math.round(uploadMegabytes * 1e6) }),
    ...(megapixels !== undefined && { pixels: Math.round(megapixels * 1e6) }),
    ...(dataGigabytes !== undefined && { dataBytes: Math.round(dataGigabytes * 1e9) }),
    ...(seconds !== undefined && { seconds }),
    ...(clipsPerClient !== undefined && { clipsPerClient }),
  };
}

async function run(
  context: CliContext,
  options: ServeOptions,
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
): Promise<void> {
  const { stdout, stderr, loadServer } = context;
  const onEvent = (event: ServeEvent): void => {
    if (json) stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
    else if (!quiet || event.type === 'listening') stderr.write(`lcm-portrait: ${describeEvent(event)}\n`);
  };
  const outcome = 'clips that are not finished go on at the next start';
  await untilStopped({ stderr, clear: () => {}, outcome }, async (signal) => {
    const { serveStudio } = await loadServer();
    signal.throwIfAborted();
    const server = await serveStudio({ ...options, onEvent }, context);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    await server.stop();
    signal.throwIfAborted(); // the status says what it was stopped by
  });
}

function describeEvent(event: ServeEvent): string {
  switch (event.type) {
    case 'listening':
      return `serves ${event.link} (${event.data}); Ctrl-C ends`;
    case 'request':
      return `${event.method} ${event.route} ${event.status} ${event.ms} ms`;
    case 'clip':
      return `clip ${event.clip}: ${event.state}${event.message === undefined ? '' : ` (${event.message})`}`;
    case 'comparison':
      return `comparison ${event.comparison}: ${event.state}${event.message === undefined ? '' : ` (${event.message})`}`;
    case 'notice':
      return `note: ${event.message}`;
    case 'draining':
      return `takes no more, ends within ${event.seconds} s`;
    case 'closed':
      return 'has ended';
  }
}
