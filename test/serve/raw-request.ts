/** Requests as bytes: what no client in good faith would send. */
import { once } from 'node:events';
import net from 'node:net';

export const BOUNDARY = 'xXx';
export const FORM = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
export const JSON_TYPE = { 'content-type': 'application/json' };

/** A part of a form. */
export interface Part {
  readonly field: string;
  readonly file?: string;
  readonly body: string | Uint8Array;
}

/** @param end - whether the form has its end. */
export function multipart(parts: readonly Part[], { end = true } = {}): Buffer {
  const pieces = parts.flatMap(({ field, file, body }) => [
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${field}"${file === undefined ? '' : `; filename="${file}"`}\r\n\r\n`,
    body,
    '\r\n',
  ]);
  return Buffer.concat(
    [...pieces, ...(end ? [`--${BOUNDARY}--\r\n`] : [])].map((piece) => Buffer.from(piece)),
  );
}

/** Makes and sends requests to a port of this machine. */
export function rawClient(port: number) {
  return {
    /**
     * Sends bytes as they are, and reads the status line. 0 if the connection is closed without one.
     *
     * @param hold - keeps the connection open until the server ends it.
     */
    async raw(text: string | Buffer, { hold = false } = {}): Promise<number> {
      const socket = net.connect(port, '127.0.0.1');
      let answer = '';
      socket.on('data', (data) => {
        answer += data.toString('latin1');
        answer = answer.replace(/^HTTP\/1\.1 1\d\d .*?\r\n\r\n/s, ''); // it goes on
        if (/\r\n\r\n/.test(answer)) socket.end();
      });
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(text);
      if (!hold) setTimeout(() => socket.end(), 600_000).unref();
      await once(socket, 'close');
      return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
    },
    request(
      method: string,
      target: string,
      headers: Record<string, string> = {},
      body: string | Buffer = '',
    ): Buffer {
      const all = {
        host: `127.0.0.1:${port}`,
        ...(body.length > 0 && { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      };
      const head = `${method} ${target} HTTP/1.1\r\n${Object.entries(all)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`;
      return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
    },
  };
}
