/** A web server on this machine that fails in the way that its options say. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a file is served. */
export interface ServedFile {
  readonly contents: Buffer;
  /** Bytes after which each of the first requests is cut off; one for each. */
  readonly drops?: number[];
  /** Statuses that the first requests get in place of the file. */
  readonly statuses?: number[];
  readonly ignoresRanges?: boolean;
  /** Claims this many bytes. */
  readonly claims?: number;
  readonly etag?: string | null;
  /** Sends to another path first. */
  readonly redirect?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers a range with the first bytes in place of those that were asked for. */
  readonly wrongPart?: boolean;
  /** Sends the headers and never a byte, so often. */
  stalls?: number;
}

/** What was asked for. */
export interface SeenRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** A running server; close it after use. */
export interface UnreliableServer {
  readonly url: string;
  readonly requests: SeenRequest[];
  close(): Promise<void>;
}

export async function startServer(files: Record<string, ServedFile>): Promise<UnreliableServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://localhost').pathname;
    const { range, 'if-range': ifRange } = request.headers;
    requests.push({ path, range, ifRange: ifRange as string | undefined });
    const file = files[path];
    if (file === undefined) response.writeHead(404).end();
    else serve(file, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function serve(file: ServedFile, request: IncomingMessage, response: ServerResponse): void {
  const { contents, drops, statuses, redirect, claims, ignoresRanges, wrongPart, headers = {} } = file;
  const status = statuses?.shift();
  if (status !== undefined) {
    response.writeHead(status).end();
    return;
  }
  if (redirect !== undefined) {
    response.writeHead(302, { location: redirect, ...headers }).end();
    return;
  }
  const etag = file.etag === undefined ? `"${createHash('md5').update(contents).digest('hex')}"` : file.etag;
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const valid = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  const ranged = request.headers.range !== undefined && !ignoresRanges && valid;
  const start = ranged && !wrongPart ? from : 0;
  if (ranged && from >= contents.length) {
    response.writeHead(416, { 'content-range': `bytes */${contents.length}` }).end();
    return;
  }
  response.writeHead(ranged ? 206 : 200, {
    'content-length': String(claims ?? contents.length - start),
    ...(etag !== null && { etag }),
    ...(ranged && { 'content-range': `bytes ${start}-${contents.length - 1}/${contents.length}` }),
    ...headers,
  });
  if (file.stalls) {
    file.stalls--;
    response.flushHeaders();
    return;
  }
  const drop = drops?.shift();
  if (drop === undefined) {
    response.end(contents.subarray(start));
    return;
  }
  // The bytes are to arrive before the connection breaks.
  response.write(contents.subarray(start, start + drop), () => setTimeout(() => response.destroy(), 100));
}
