/** What the server has and how it is. */
import type { Hono } from 'hono';
import { specOf } from '../../pipeline/options/clip-keys.ts';
import { jsonSchemaOf } from '../../pipeline/options/option-types.ts';
import { CLIP_FORMATS, MEDIA_TYPES, outputOf } from '../clip-format.ts';
import { clipOptions, forClient } from '../clip-job.ts';
import { CLIENT_KEYS, CLIP_FORM, FILE_KEYS } from '../clip-request.ts';
import { COMPARE_KEYS } from '../compare-request.ts';
import { ORDER_STATES, type OrderKind, type OrderState } from '../order-record.ts';
import { asRequestError, RequestError } from '../problem.ts';
import { discardFiles } from '../receive-form.ts';
import type { ServeEnv, ServerState } from '../server-state.ts';
import { receiveRequest } from './take-order.ts';

/** Adds the routes. */
export function addSystemRoutes(app: Hono<ServeEnv>, state: ServerState): void {
  const { board, quota, metrics } = state;

  app.get('/healthz', (context) => context.json({ status: 'ok', version: state.version }));

  app.get('/readyz', (context) =>
    state.stopping.signal.aborted
      ? context.json({ status: 'stopping' }, 503)
      : context.json({ status: 'ready' }),
  );

  app.get('/metrics', (context) => {
    const count = (kind: OrderKind, each: OrderState): number =>
      board.all.filter((order) => order.kind === kind && order.state === each).length;
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const text = metrics.text({
      lcm_portrait_clips: {
        help: 'Clips by their state.',
        values: ORDER_STATES.map((each) => [{ state: each }, count('clip', each)]),
      },
      lcm_portrait_comparisons: {
        help: 'Comparisons by their state.',
        values: ORDER_STATES.map((each) => [{ state: each }, count('comparison', each)]),
      },
      lcm_portrait_data_bytes: {
        help: 'Bytes in the data folder, as counted last.',
        values: [[{}, quota.used]],
      },
      process_resident_memory_bytes: { help: 'Resident memory.', values: [[{}, rss]] },
      process_heap_bytes: { help: 'Heap in use.', values: [[{}, heapUsed]] },
      process_cpu_seconds: { help: 'Processor time.', values: [[{}, (user + system) / 1e6]] },
    });
    return context.text(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });

  app.get('/v1/bundles', async (context) => {
    const bundles = await state.listBundles();
    return context.json({
      bundles: bundles.map(({ name, embedded, bundle, problem }) => ({
        name,
        embedded,
        ...(bundle && {
          resolution: bundle.description.resolution,
          fps: bundle.description.fps,
          licence: bundle.description.licence,
          presets: Object.keys(bundle.description.presets),
        }),
        // Problems name folders of the server; that there is one is enough here.
        ...(problem !== undefined && { problem: 'cannot be used; lcm-portrait models list says why' }),
      })),
    });
  });

  app.get('/v1/options', (context) =>
    context.json({
      limits: state.limits,
      options: CLIENT_KEYS.map(describeOption),
      formats: CLIP_FORMATS.map((name) => ({
        name,
        label: outputOf(name).label,
        type: MEDIA_TYPES[name],
        transparent: outputOf(name).transparent !== undefined,
        sound: outputOf(name).opaque.audio.length > 0,
      })),
    }),
  );

  app.post('/v1/plan', async (context) => {
    const { form, request } = await receiveRequest(context, state, CLIP_FORM);
    const places = {
      uploads: state.uploads,
      folder: state.data.path, // nothing is written there, but a look finds out whether that could be done
      bundleStore: state.options.bundleStore,
      ffmpegPath: state.options.ffmpegPath,
    };
    const translate = (text: string) => forClient(text, request, places);
    try {
      const plan = await state.planner.plan({ ...clipOptions(request, places), overwrite: true });
      return context.json({ ...plan, notices: plan.notices.map(translate) });
    } catch (error) {
      const known = asRequestError(error);
      if (known.kind === 'unexpected') throw error;
      const file = (error as { path?: unknown }).path;
      const field = Object.entries(clipOptions(request, places)).find(([, value]) => value === file)?.[0];
      const detail = translate(known.message);
      throw new RequestError(known.kind, detail, {
        fields: field === undefined ? known.fields : [{ field, detail }],
      });
    } finally {
      await discardFiles(form, state.uploads); // a look, not an order
    }
  });
}

/** An option as a page needs it to ask for it. */
function describeOption(key: (typeof CLIENT_KEYS)[number]) {
  const { description, group, default: standard, otherwise, type, flag } = specOf(key);
  return {
    name: key,
    description,
    group,
    file: FILE_KEYS.includes(key),
    compared: COMPARE_KEYS.includes(key),
    ...(standard !== undefined && { default: standard }),
    ...(otherwise !== undefined && { otherwise }),
    ...(flag !== undefined && { onCommandLine: true }),
    schema: jsonSchemaOf(type),
  };
}
