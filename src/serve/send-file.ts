/** Files as answers: whole or in part, with a name for the download. Source: RFC 9110, sections 8.8, 13 and 14. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RequestError } from './problem.ts';

/** What is said of a file. */
interface SentFile {
  readonly path: string;
  readonly type: string;
  /** Strong: the same only for the same bytes; without quotes. */
  readonly etag: string;
  /** Shown to people who save it; undefined to show it in place. */
  readonly downloadName?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * Answers GET and HEAD.
 *
 * @throws {@link RequestError} `not-found` if it is not there, `range-not-satisfiable` if the range is outside.
 */
export async function sendFile(request: Request, file: SentFile): Promise<Response> {
  const stats = await stat(file.path).catch(() => undefined);
  if (!stats?.isFile()) throw new RequestError('not-found', 'Cannot send the file: it is not there any more');
  const { size } = stats;
  const etag = `"${file.etag}"`;
  const headers = new Headers({
    'accept-ranges': 'bytes',
    etag,
    'content-type': file.type,
    'cache-control': 'private, no-cache',
    'last-modified': stats.mtime.toUTCString(),
    ...(file.downloadName !== undefined && { 'content-disposition': dispositionOf(file.downloadName) }),
    ...file.headers,
  });
  if (matches(request.headers.get('if-none-match'), etag))
    return new Response(null, { status: 304, headers });
  const ifMatch = request.headers.get('if-match');
  if (ifMatch !== null && !matches(ifMatch, etag)) return new Response(null, { status: 412, headers });

  const wanted = request.headers.get('range');
  const ifRange = request.headers.get('if-range');
  const isCurrent = ifRange === null || ifRange === etag || ifRange === stats.mtime.toUTCString();
  const range = wanted !== null && isCurrent ? parseRange(wanted, size) : undefined;
  if (range === 'outside') {
    throw new RequestError(
      'range-not-satisfiable',
      `Cannot send ${wanted}: expected bytes from 0 to ${size - 1}`,
      {
        headers: { 'content-range': `bytes */${size}` },
      },
    );
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  headers.set('content-length', String(end - start + 1));
  if (range !== undefined) headers.set('content-range', `bytes ${start}-${end}/${size}`);
  const body =
    request.method === 'HEAD' || size === 0
      ? null
      : (Readable.toWeb(createReadStream(file.path, { start, end })) as ReadableStream<Uint8Array>);
  return new Response(body, { status: range === undefined ? 200 : 206, headers });
}

/** Whether a list of tags has one, or `*`; weak ones match, as is right for reading. */
function matches(list: string | null, etag: string): boolean {
  if (list === null) return false;
  return list.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

/**
 * A single range; whatever else is asked for, or cannot be read, is answered with the whole file, as the standard has it.
 *
 * @example
 * parseRange('bytes=-500', 1000); // { start: 500, end: 999 }
 */
function parseRange(text: string, size: number): ByteRange | 'outside' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(text.trim());
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Math.min(size, Number(to));
    return length === 0 ? 'outside' : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  if (to !== '' && Number(to) < start) return undefined;
  if (start >= size) return 'outside';
  return { start, end: to === '' ? size - 1 : Math.min(size - 1, Number(to)) };
}

/** Source: RFC 6266. */
function dispositionOf(given: string): string {
  const name = given.replace(/[/\\]/g, '_'); // no folders
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
