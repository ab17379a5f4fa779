/** Requests that are no HTTP, or have too much of it: they are answered before their connection goes. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** By Node's code of what is wrong; 400 for all others. */
const STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};
/** How long the rest of such a request is read and dropped. */
const DRAIN_MS = 1000;

/**
 * A listener for `clientError`. A connection that is closed while bytes of the request are still unread is reset, and the
 * answer is lost on its way: the rest is read first.
 */
export function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Duplex): void {
  // It is called again for every part of the rest.
  if (socket.writableEnded) return;
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = STATUS[error.code ?? ''] ?? 400;
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'connection: close', 'content-length: 0'];
  socket.end(`${head.join('\r\n')}\r\n\r\n`);
  setTimeout(() => socket.destroy(), DRAIN_MS).unref();
}
