/** Files that are sent beforehand, and those that the package carries. */
import path from 'node:path';
import type { Hono } from 'hono';
import { RequestError } from '../problem.ts';
import { discardFiles, ReceivedFile, receiveForm } from '../receive-form.ts';
import { findSample, listSamples } from '../samples.ts';
import { sendFile } from '../send-file.ts';
import type { ServeEnv, ServerState } from '../server-state.ts';
import type { Upload } from '../upload-store.ts';

const SAMPLE_TYPES: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.wav': 'audio/wav',
  '.flac': 'audio/flac',
};

/** Adds the routes. */
export function addUploadRoutes(app: Hono<ServeEnv>, state: ServerState): void {
  const { uploads, limits, board } = state;
  const find = (id: string): Upload => {
    const upload = uploads.get(id);
    if (upload === undefined)
      throw new RequestError('not-found', 'Cannot find the file: there is none of this id');
    return upload;
  };

  app.post('/v1/uploads', async (context) => {
    if (state.stopping.signal.aborted) {
      throw new RequestError('stopping', 'Cannot take more: the server stops', {
        headers: { 'retry-after': '10' },
      });
    }
    const form = await receiveForm(context.env.incoming, uploads, limits);
    const files = [...form.values()].flat();
    const [file] = files;
    if (files.length !== 1 || !(file instanceof ReceivedFile)) {
      await discardFiles(form, uploads);
      throw new RequestError('invalid-field', 'Cannot use file: expected one file', {
        fields: [{ field: 'file', detail: 'Cannot use file: expected one file' }],
      });
    }
    state.metrics.uploaded(file.upload.bytes);
    return context.json(viewOf(file.upload), 201, { location: `/v1/uploads/${file.upload.id}` });
  });

  app.get('/v1/uploads/:id', (context) => context.json(viewOf(find(context.req.param('id')))));

  app.delete('/v1/uploads/:id', async (context) => {
    const { id } = find(context.req.param('id'));
    if (board.filesInUse().has(id)) {
      throw new RequestError(
        'conflict',
        'Cannot remove the file: a clip is made of it; remove the clip first',
      );
    }
    await uploads.remove(id);
    return context.body(null, 204);
  });

  app.get('/v1/samples', (context) =>
    context.json({
      samples: listSamples().map(({ path: _, ...sample }) => ({
        ...sample,
        url: `/v1/samples/${sample.name}`,
      })),
    }),
  );

  app.get('/v1/samples/:name', (context) => {
    const sample = findSample(`sample:${context.req.param('name')}`);
    if (sample === undefined)
      throw new RequestError('not-found', 'Cannot find the sample: there is none of this name');
    return sendFile(context.req.raw, {
      path: sample.path,
      type: SAMPLE_TYPES[path.extname(sample.name)] ?? 'application/octet-stream',
      etag: `${sample.name}-${state.version}`,
    });
  });
}

function viewOf({ fileName: _, ...upload }: Upload) {
  return upload;
}
