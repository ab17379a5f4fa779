/** Clips: ordered, followed, fetched, cancelled and removed. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Context, Hono } from 'hono';
import type { Clip } from '../clip.ts';
import { liveOf, videoOf } from '../clip-job.ts';
import { clipFolder } from '../clip-record.ts';
import { type ClipRequest, readClipRequest } from '../clip-request.ts';
import { eventFeed } from '../event-feed.ts';
import { isId } from '../ids.ts';
import { liveFeed } from '../live-feed.ts';
import { MAX_PAGE_SIZE, PAGE_SIZE } from '../page-size.ts';
import { previewOf } from '../preview.ts';
import { RequestError } from '../problem.ts';
import { discardFiles, type FormValues, ReceivedFile, receiveForm } from '../receive-form.ts';
import { sendFile } from '../send-file.ts';
import { clientOf, type ServeEnv, type ServerState } from '../server-state.ts';

const MAX_KEY_LENGTH = 200;

/** Adds the routes. */
export function addClipRoutes(app: Hono<ServeEnv>, state: ServerState): void {
  const { board, uploads, data } = state;
  const find = (context: Context<ServeEnv>): Clip => {
    const id = context.req.param('id');
    const clip = isId(id) ? board.get(id) : undefined;
    if (clip === undefined)
      throw new RequestError('not-found', 'Cannot find the clip: there is none of this id');
    return clip;
  };
  /** Orders that are being taken: the same key a second time is told to wait. */
  const taking = new Set<string>();

  app.post('/v1/clips', async (context) => {
    const client = clientOf(context);
    const key = readKey(context.req.header('idempotency-key'));
    const order = key === undefined ? undefined : `${client} ${key}`;
    if (order !== undefined && taking.has(order)) {
      throw new RequestError('conflict', 'Cannot take the order: the same one is being taken just now', {
        headers: { 'retry-after': '1' },
      });
    }
    if (order !== undefined) taking.add(order);
    try {
      const { form, request } = await receiveRequest(context, state);
      const fingerprint = fingerprintOf(request, state);
      const known = key === undefined ? undefined : board.ordered(client, key);
      if (known !== undefined) {
        await discardFiles(form, uploads);
        if (known.record.idempotency?.fingerprint !== fingerprint) {
          throw new RequestError(
            'key-reused',
            'Cannot take the order: its Idempotency-Key came before, with another order',
          );
        }
        return context.json(known.view(), 202, {
          location: `/v1/clips/${known.id}`,
          'idempotency-replayed': 'true',
        });
      }
      try {
        const clip = await board.create(request, {
          client,
          idempotency: key === undefined ? undefined : { key, fingerprint },
        });
        return context.json(clip.view(), 202, { location: `/v1/clips/${clip.id}` });
      } catch (error) {
        await discardFiles(form, uploads);
        throw error;
      }
    } finally {
      if (order !== undefined) taking.delete(order);
    }
  });

  app.get('/v1/clips', (context) => {
    const { limit, after, state: wanted } = context.req.query();
    const size = limit === undefined ? PAGE_SIZE : Number(limit);
    if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE) {
      throw new RequestError(
        'invalid-field',
        `Cannot use limit: expected an integer from 1 to ${MAX_PAGE_SIZE}`,
        {
          fields: [{ field: 'limit', detail: `expected an integer from 1 to ${MAX_PAGE_SIZE}` }],
        },
      );
    }
    const all = board.all.filter((clip) => wanted === undefined || clip.state === wanted);
    const last = after === undefined ? undefined : isId(after) ? board.get(after) : undefined;
    if (after !== undefined && last === undefined) {
      throw new RequestError('invalid-field', 'Cannot use after: expected the id of a clip', {
        fields: [{ field: 'after', detail: 'expected the id of a clip' }],
      });
    }
    const rest = last === undefined ? all : all.filter(({ record }) => record.number < last.record.number);
    const page = rest.slice(0, size);
    const more = rest.length > page.length ? page.at(-1) : undefined;
    const query = new URLSearchParams({
      limit: String(size),
      ...(wanted !== undefined && { state: wanted }),
      ...(more !== undefined && { after: more.id }),
    });
    return context.json({
      clips: page.map((clip) => clip.view()),
      ...(more !== undefined && { next: `/v1/clips?${query}` }),
    });
  });

  app.get('/v1/clips/:id', (context) => context.json(find(context).view()));

  app.delete('/v1/clips/:id', async (context) => {
    const clip = find(context);
    if (!clip.hasEnded) {
      await board.cancel(clip);
      return context.json(clip.view());
    }
    await board.remove(clip);
    return context.body(null, 204);
  });

  app.get('/v1/clips/:id/events', (context) => {
    const clip = find(context);
    const seen = Number(context.req.header('last-event-id') ?? 0);
    const last = clip.record.log.at(-1)?.seq ?? 0;
    // No content tells an EventSource that it need not come back.
    if (clip.hasEnded && seen === last) return context.body(null, 204);
    return eventFeed(clip, Number.isInteger(seen) && seen > 0 && seen <= last ? seen : 0);
  });

  app.get('/v1/clips/:id/video', async (context) => {
    const clip = find(context);
    const { result } = clip.record;
    if (clip.state !== 'succeeded' || result === undefined) {
      throw new RequestError(
        'conflict',
        `Cannot send the video: expected a clip that has succeeded, got one that is ${clip.state}`,
      );
    }
    const download = context.req.query('download') !== undefined;
    return sendFile(context.req.raw, {
      path: videoOf(clipFolder(data.clips, clip.id)),
      type: 'video/mp4',
      etag: result.sha256,
      ...(download && { downloadName: `${clip.view().name || 'clip'}.mp4` }),
    });
  });

  app.get('/v1/clips/:id/live', async (context) => {
    const clip = find(context);
    if (clip.state === 'succeeded') return context.redirect(`/v1/clips/${clip.id}/video`, 303);
    const folder = clipFolder(data.clips, clip.id);
    if (context.req.method === 'HEAD') return context.body(null, 200, { 'content-type': 'video/mp4' });
    return liveFeed(clip, liveOf(folder), AbortSignal.any([context.req.raw.signal, state.stopping.signal]));
  });

  app.get('/v1/clips/:id/preview.jpg', async (context) => {
    const clip = find(context);
    const preview = await previewOf(clip, state);
    if (preview === undefined)
      throw new RequestError('not-found', 'Cannot send a preview: there is no picture yet');
    return sendFile(context.req.raw, {
      path: preview,
      type: 'image/jpeg',
      etag: `${clip.id}-${path.basename(preview)}`,
    });
  });
}

/** A form with its request; what it brought is removed if it is wrong. */
export async function receiveRequest(
  context: Context<ServeEnv>,
  state: ServerState,
): Promise<{ readonly form: FormValues; readonly request: ClipRequest }> {
  const { uploads, limits, metrics } = state;
  if (state.stopping.signal.aborted) {
    throw new RequestError('stopping', 'Cannot take more: the server stops', {
      headers: { 'retry-after': '10' },
    });
  }
  const form = await receiveForm(context.env.incoming, uploads, limits);
  try {
    const bundles = await state.listBundles();
    const request = readClipRequest(form, {
      uploads,
      bundles: bundles.filter(({ bundle }) => bundle !== undefined).map(({ name }) => name),
      refuseWebhook: (address) => state.webhooks.refusalOf(address),
    });
    for (const value of [...form.values()].flat()) {
      if (value instanceof ReceivedFile) metrics.uploaded(value.upload.bytes);
    }
    return { form, request };
  } catch (error) {
    await discardFiles(form, uploads);
    throw error;
  }
}

function readKey(key: string | undefined): string | undefined {
  if (key === undefined || /^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new RequestError(
    'invalid-request',
    `Cannot use Idempotency-Key: expected up to ${MAX_KEY_LENGTH} printable characters`,
  );
}

/** What an order is, whatever its files are called. */
function fingerprintOf({ options, files, name, webhook }: ClipRequest, { uploads }: ServerState): string {
  let text = JSON.stringify([options, name, webhook]);
  for (const { id } of files) text = text.replaceAll(id, uploads.get(id)?.sha256 ?? id);
  return createHash('sha256').update(text).digest('hex');
}
