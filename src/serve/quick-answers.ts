/**
 * Answers to the question that pages and programs ask again and again while a clip is rendered: where an order is. The application would
 * answer the same, at several times the processor time, which the render lacks then.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Board } from './board.ts';
import { Clip } from './clip.ts';
import { Comparison } from './comparison.ts';
import type { Guard } from './guard.ts';
import { isId } from './ids.ts';
import type { Order } from './order.ts';

/** Orders of a kind, and where they are. */
interface Place {
  readonly prefix: string;
  readonly kind: new (record: never) => Order;
}

const PLACES: readonly Place[] = [
  { prefix: '/v1/clips/', kind: Clip },
  { prefix: '/v1/comparisons/', kind: Comparison },
];

/** Options of {@link QuickAnswers}. */
interface QuickAnswersOptions {
  readonly board: Pick<Board, 'get'>;
  readonly guard: Guard;
  /** Said with every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Receives the route of a request that was answered, and the milliseconds that it took. */
  readonly onAnswer: (route: string, ms: number) => void;
}

/** See the module. */
export class QuickAnswers {
  readonly #options: QuickAnswersOptions;

  constructor(options: QuickAnswersOptions) {
    this.#options = options;
  }

  /** Answers a request, if it is one of those and there is nothing wrong with it. @returns whether it did. */
  answer(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    const begin = performance.now();
    const { board, guard, headers, onAnswer } = this.#options;
    const { method, url } = incoming;
    const place = PLACES.find(({ prefix }) => url?.startsWith(prefix));
    if (method !== 'GET' || url === undefined || place === undefined) return false;
    const id = url.slice(place.prefix.length);
    const order = isId(id) ? board.get(id, place.kind) : undefined;
    if (order === undefined || !this.#isAllowed(guard, incoming)) return false;
    const body = Buffer.from(order.viewText());
    outgoing.writeHead(200, {
      ...headers,
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'content-length': body.length,
    });
    outgoing.end(body);
    onAnswer(`${place.prefix}:id`, performance.now() - begin);
    return true;
  }

  #isAllowed(guard: Guard, { method, headers }: IncomingMessage): boolean {
    const request = {
      method: method ?? '',
      headers: {
        get: (name: string) => {
          const value = headers[name];
          return Array.isArray(value) ? value.join(', ') : (value ?? null);
        },
      },
    };
    try {
      guard.checkOrigin(request, headers.host);
      guard.checkToken(request);
      return true;
    } catch {
      return false; // the application says what is wrong
    }
  }
}
