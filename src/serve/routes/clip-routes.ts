/** Clips: ordered, followed, fetched, cancelled and removed. */
import path from 'node:path';
import type { Context, Hono } from 'hono';
import { orderFolder } from '../board.ts';
import { Clip } from '../clip.ts';
import { MEDIA_TYPES } from '../clip-format.ts';
import { liveOf, videoOf } from '../clip-job.ts';
import { CLIP_FORM } from '../clip-request.ts';
import { liveFeed } from '../live-feed.ts';
import { previewOf } from '../preview.ts';
import { RequestError } from '../problem.ts';
import { sendFile } from '../send-file.ts';
import type { ServeEnv, ServerState } from '../server-state.ts';
import { addOrderRoutes, findOrder } from './order-routes.ts';
import { OrderDesk } from './take-order.ts';

/** Adds the routes. */
export function addClipRoutes(app: Hono<ServeEnv>, state: ServerState): void {
  const { data } = state;
  const find = (context: Context<ServeEnv>): Clip => findOrder(context, state, Clip);
  const desk = new OrderDesk(state, 'clip', CLIP_FORM);

  app.post('/v1/clips', (context) => desk.take(context));
  addOrderRoutes(app, state, Clip, { path: '/v1/clips', list: 'clips' });

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
      path: videoOf(orderFolder(data, clip), clip.format),
      type: MEDIA_TYPES[clip.format],
      etag: result.sha256,
      ...(download && { downloadName: `${clip.name || 'clip'}.${clip.format}` }),
    });
  });

  app.get('/v1/clips/:id/live', async (context) => {
    const clip = find(context);
    if (clip.state === 'succeeded') return context.redirect(`/v1/clips/${clip.id}/video`, 303);
    const live = liveOf(orderFolder(data, clip));
    if (context.req.method === 'HEAD') return context.body(null, 200, { 'content-type': 'video/mp4' });
    return liveFeed(clip, live, AbortSignal.any([context.req.raw.signal, state.stopping.signal]));
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
