/** What clips and comparisons have in common: lists, one of them, its events, its end. */
import type { Context, Hono } from 'hono';
import { eventFeed } from '../event-feed.ts';
import { isId } from '../ids.ts';
import type { Order } from '../order.ts';
import { RequestError } from '../problem.ts';
import type { ServeEnv, ServerState } from '../server-state.ts';
import { pageOfOrders } from './take-order.ts';

type OrderClass<Kind extends Order> = new (record: never) => Kind;

/** The order that a path names. @throws {@link RequestError} if there is none. */
export function findOrder<Kind extends Order>(
  context: Context<ServeEnv>,
  { board }: ServerState,
  kind: OrderClass<Kind>,
): Kind {
  const id = context.req.param('id');
  const order = isId(id) ? board.get(id, kind) : undefined;
  if (order !== undefined) return order;
  throw new RequestError('not-found', `Cannot find the ${kind.name.toLowerCase()}: there is none of this id`);
}

/**
 * Adds the routes.
 *
 * @param path - of the list.
 * @param list - what it is called in the answer.
 */
export function addOrderRoutes<Kind extends Order>(
  app: Hono<ServeEnv>,
  state: ServerState,
  kind: OrderClass<Kind>,
  { path, list }: { readonly path: string; readonly list: string },
): void {
  const { board } = state;
  const find = (context: Context<ServeEnv>): Kind => findOrder(context, state, kind);

  app.get(path, (context) => {
    const all = board.all.filter((order) => order instanceof kind);
    const { orders, next } = pageOfOrders(context, path, all);
    return context.json({ [list]: orders.map((order) => order.view()), ...(next !== undefined && { next }) });
  });

  app.get(`${path}/:id`, (context) => context.json(find(context).view()));

  app.delete(`${path}/:id`, async (context) => {
    const order = find(context);
    if (!order.hasEnded) {
      await board.cancel(order);
      return context.json(order.view());
    }
    await board.remove(order);
    return context.body(null, 204);
  });

  app.get(`${path}/:id/events`, (context) => {
    const order = find(context);
    const seen = Number(context.req.header('last-event-id') ?? 0);
    const last = order.record.log.at(-1)?.seq ?? 0;
    // No content tells an EventSource that it need not come back.
    if (order.hasEnded && seen === last) return context.body(null, 204);
    return eventFeed(order, Number.isInteger(seen) && seen > 0 && seen <= last ? seen : 0);
  });
}
