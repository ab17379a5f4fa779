/** Forms as they come over the wire: files are written while they arrive, everything has a limit. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { RequestError } from './problem.ts';
import type { ServeLimits } from './serve-options.ts';
import type { Upload, UploadStore } from './upload-store.ts';

/** Values of a field in their order: text, uploads, or what JSON has. */
export type FormValues = ReadonlyMap<string, readonly unknown[]>;

const MAX_FILES = 8;
const MAX_FIELDS = 100;
const MAX_FIELD_BYTES = 8192;
const MAX_JSON_BYTES = 65_536;

/** A value of a field that came as a file. */
export class ReceivedFile {
  readonly upload: Upload;

  constructor(upload: Upload) {
    this.upload = upload;
  }
}

/**
 * Reads a form: multipart with files, or JSON.
 *
 * @throws {@link RequestError} if it is neither, or too large, cut, or too slow; its files are removed then.
 */
export async function receiveForm(
  incoming: IncomingMessage,
  uploads: UploadStore,
  limits: ServeLimits,
): Promise<FormValues> {
  const type = incoming.headers['content-type'] ?? '';
  if (/^multipart\/form-data\b/i.test(type)) return receiveMultipart(incoming, uploads, limits);
  if (/^application\/json\b/i.test(type)) return receiveJson(incoming, limits);
  throw new RequestError(
    'unsupported-type',
    'Cannot read the request: expected multipart/form-data or application/json',
  );
}

/** Removes what a request has brought, when it comes to nothing. */
export async function discardFiles(values: FormValues, uploads: UploadStore): Promise<void> {
  for (const value of [...values.values()].flat()) {
    if (value instanceof ReceivedFile) await uploads.remove(value.upload.id);
  }
}

async function receiveMultipart(
  incoming: IncomingMessage,
  uploads: UploadStore,
  limits: ServeLimits,
): Promise<FormValues> {
  const stated = Number(incoming.headers['content-length'] ?? 0);
  if (stated > MAX_FILES * limits.uploadBytes) {
    throw new RequestError(
      'too-large',
      `Cannot read the request: expected at most ${MAX_FILES} files of ${limits.uploadBytes} bytes`,
    );
  }
  let parser: InstanceType<typeof Busboy>;
  try {
    parser = new Busboy({
      headers: { ...incoming.headers, 'content-type': incoming.headers['content-type']! },
      limits: {
        files: MAX_FILES,
        fields: MAX_FIELDS,
        parts: MAX_FILES + MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        fieldNameSize: 100,
        headerPairs: 32,
        headerSize: 8192,
        fileSize: limits.uploadBytes + 1,
      },
    });
  } catch (cause) {
    throw new RequestError('invalid-request', 'Cannot read the request: expected a form with a boundary', {
      cause,
    });
  }
  const values = new Map<string, unknown[]>();
  const add = (field: string, value: unknown): void => {
    values.set(field, [...(values.get(field) ?? []), value]);
  };
  const receiving: Promise<void>[] = [];
  const streams: Readable[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      let stalled = setTimeout(() => {}, 0);
      const wait = (): void => {
        clearTimeout(stalled);
        stalled = setTimeout(
          () =>
            reject(
              new RequestError(
                'timeout',
                `Cannot read the request: got no byte for ${limits.stallSeconds} s`,
              ),
            ),
          limits.stallSeconds * 1000,
        );
      };
      const settle = (error?: unknown): void => {
        clearTimeout(stalled);
        incoming.off('data', wait);
        if (error === undefined) resolve();
        else reject(error);
      };
      const cut = (): void =>
        settle(
          new RequestError(
            'invalid-request',
            'Cannot read the request: expected its end, got a broken connection',
          ),
        );
      const tooMany = (): void =>
        settle(
          new RequestError(
            'too-large',
            `Cannot read the request: expected at most ${MAX_FILES} files and ${MAX_FIELDS} fields`,
          ),
        );
      wait();
      incoming.on('data', wait);
      incoming.once('end', () => clearTimeout(stalled)); // what comes now is looking at the files
      incoming.once('aborted', cut).once('error', cut);
      incoming.once('close', () => incoming.complete || cut());
      parser.on('filesLimit', tooMany).on('fieldsLimit', tooMany).on('partsLimit', tooMany);
      parser.on('field', (field, value, nameCut, valueCut) => {
        if (nameCut || valueCut) {
          settle(
            new RequestError(
              'too-large',
              `Cannot read ${nameCut ? 'a field' : field}: expected at most ${MAX_FIELD_BYTES} bytes`,
            ),
          );
        } else add(field, value);
      });
      parser.on('file', (field, stream, name) => {
        streams.push(stream);
        stream.on('error', () => {}); // its reader gets the error, as soon as there is one
        const received = uploads
          .receive(stream, name ?? '', field)
          .then((upload) => add(field, new ReceivedFile(upload)));
        receiving.push(received);
        received.catch((error: unknown) => {
          stream.resume();
          settle(error);
        });
      });
      parser.on('error', (cause: Error) =>
        settle(
          new RequestError(
            'invalid-request',
            `Cannot read the request: expected a whole form, got ${cause.message}`,
            { cause },
          ),
        ),
      );
      parser.on('finish', () => Promise.all(receiving).then(() => settle(), settle));
      incoming.pipe(parser);
    });
    return values;
  } catch (error) {
    incoming.unpipe(parser);
    parser.destroy();
    // The parser leaves the files that it was reading open, and who reads them waiting.
    for (const stream of streams) stream.destroy(error as Error);
    await Promise.allSettled(receiving);
    await discardFiles(values, uploads);
    throw error;
  }
}

async function receiveJson(incoming: IncomingMessage, limits: ServeLimits): Promise<FormValues> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const stall = setTimeout(() => incoming.destroy(), limits.stallSeconds * 1000);
  try {
    // What is left unread must not close the connection before the answer is there.
    const unread = incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const piece of unread) {
      bytes += piece.length;
      stall.refresh();
      if (bytes > MAX_JSON_BYTES) {
        throw new RequestError(
          'too-large',
          `Cannot read the request: expected at most ${MAX_JSON_BYTES} bytes of JSON`,
        );
      }
      pieces.push(piece);
    }
  } catch (cause) {
    if (cause instanceof RequestError) throw cause;
    throw new RequestError(
      'invalid-request',
      'Cannot read the request: expected its end, got a broken connection',
      { cause },
    );
  } finally {
    clearTimeout(stall);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new RequestError('invalid-request', 'Cannot read the request: expected JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RequestError('invalid-request', 'Cannot read the request: expected an object of options');
  }
  return new Map(Object.entries(value).map(([field, each]) => [field, Array.isArray(each) ? each : [each]]));
}
