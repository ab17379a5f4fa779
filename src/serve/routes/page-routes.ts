/** The page: a few files that are the same for everybody and hold nothing secret. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hono } from 'hono';
import { ownUrl } from '../../files/own-file.ts';
import { BASE_STYLE } from '../../html/style.ts';
import type { Guard } from '../guard.ts';
import { RequestError } from '../problem.ts';
import type { ServeEnv } from '../server-state.ts';

const FOLDER = fileURLToPath(ownUrl('../../../assets/page/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** Adds the routes. */
export function addPageRoutes(app: Hono<ServeEnv>, guard: Guard): void {
  const pages = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(path.join(FOLDER, name))]));
  pages.set('base.css', Buffer.from(BASE_STYLE));
  const send = (name: string, request: Request): Response => {
    const bytes = pages.get(name);
    if (bytes === undefined)
      throw new RequestError('not-found', 'Cannot find the page: there is nothing of this name');
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    const headers = {
      etag,
      'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream',
      'cache-control': 'no-cache',
    };
    if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers });
    return new Response(new Uint8Array(bytes), { headers });
  };

  app.get('/', (context) => {
    const token = context.req.query('token');
    if (token === undefined) return send('index.html', context.req.raw);
    const cookie = guard.openSession(token);
    // Without the token in the address: it would stay in the browser's history.
    return context.body(null, 303, { location: '/', ...(cookie !== undefined && { 'set-cookie': cookie }) });
  });

  app.get('/page/:name', (context) => send(context.req.param('name'), context.req.raw));
}
