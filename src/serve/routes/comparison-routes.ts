/** Comparisons: ordered, followed, read as a page, cancelled and removed. */
import path from 'node:path';
import type { Context, Hono } from 'hono';
import { REPORT_FILES } from '../../compare/report-folder.ts';
import { orderFolder } from '../board.ts';
import { COMPARE_FORM } from '../compare-request.ts';
import { Comparison } from '../comparison.ts';
import { reportOf } from '../comparison-work.ts';
import { RequestError } from '../problem.ts';
import { sendFile } from '../send-file.ts';
import type { ServeEnv, ServerState } from '../server-state.ts';
import { addOrderRoutes, findOrder } from './order-routes.ts';
import { OrderDesk } from './take-order.ts';

/** The report's own files, and what they are. Videos of variants are below `videos/`. */
const TYPES: Readonly<Record<string, string>> = {
  [REPORT_FILES.html]: 'text/html; charset=utf-8',
  [REPORT_FILES.style]: 'text/css; charset=utf-8',
  [REPORT_FILES.script]: 'text/javascript; charset=utf-8',
  [REPORT_FILES.json]: 'application/json; charset=utf-8',
  [REPORT_FILES.sideBySide]: 'video/mp4',
};

/** Adds the routes. */
export function addComparisonRoutes(app: Hono<ServeEnv>, state: ServerState): void {
  const desk = new OrderDesk(state, 'comparison', COMPARE_FORM);

  app.post('/v1/compare', (context) => desk.take(context));
  addOrderRoutes(app, state, Comparison, { path: '/v1/comparisons', list: 'comparisons' });

  const send = (context: Context<ServeEnv>, name: string, type: string): Promise<Response> => {
    const order = findOrder(context, state, Comparison);
    if (order.state !== 'succeeded') {
      throw new RequestError(
        'conflict',
        `Cannot send the report: expected a comparison that has succeeded, got one that is ${order.state}`,
      );
    }
    const download = context.req.query('download') !== undefined;
    return sendFile(context.req.raw, {
      path: path.join(reportOf(orderFolder(state.data, order)), name),
      type,
      // A report is written once.
      etag: `${order.id}-${path.basename(name)}`,
      ...(download && { downloadName: `${order.name || 'comparison'} ${path.basename(name)}` }),
    });
  };
  for (const [name, type] of Object.entries(TYPES)) {
    app.get(`/v1/comparisons/:id/${name}`, (context) => send(context, name, type));
  }
  app.get(`/v1/comparisons/:id/${REPORT_FILES.videos}/:name`, (context) => {
    const name = context.req.param('name');
    if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*\.mp4$/.test(name)) {
      throw new RequestError('not-found', 'Cannot find the video: there is none of this name');
    }
    return send(context, `${REPORT_FILES.videos}/${name}`, 'video/mp4');
  });
}
