/** The description of the API: for programs and for people. */
import type { Hono } from 'hono';
import { docsPage } from '../openapi/docs-page.ts';
import { openapiDocument } from '../openapi/document.ts';
import type { ServeEnv, ServerState } from '../server-state.ts';

/** Adds the routes. */
export function addDocsRoutes(app: Hono<ServeEnv>, { version }: Pick<ServerState, 'version'>): void {
  let page: string | undefined;
  app.get('/openapi.json', (context) => context.json(openapiDocument(version)));
  app.get('/docs', (context) => {
    page ??= docsPage(version);
    return context.html(page);
  });
}
