/** What routes work with. */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Env } from 'hono';
import type { StoredBundle } from '../bundles/bundle-store.ts';
import type { AnimateOptions, AnimationPlan } from '../pipeline/animate-options.ts';
import type { Board } from './board.ts';
import type { DataFolder } from './data-folder.ts';
import type { Metrics } from './metrics.ts';
import type { Quota } from './quota.ts';
import type { ServeEvent } from './serve-event.ts';
import type { ServeLimits, ServeOptions } from './serve-options.ts';
import type { UploadStore } from './upload-store.ts';
import type { Webhooks } from './webhook.ts';

/** Looks at a clip without rendering it. */
export interface Planner {
  plan(options: AnimateOptions): Promise<AnimationPlan>;
  dispose(): Promise<void>;
}

/** One server. */
export interface ServerState {
  readonly options: ServeOptions;
  readonly limits: ServeLimits;
  readonly version: string;
  readonly data: DataFolder;
  readonly uploads: UploadStore;
  readonly board: Board;
  readonly quota: Quota;
  readonly metrics: Metrics;
  readonly webhooks: Webhooks;
  readonly planner: Planner;
  readonly listBundles: () => Promise<readonly StoredBundle[]>;
  readonly onEvent: (event: ServeEvent) => void;
  /** Aborts when it takes no more work. */
  readonly stopping: AbortController;
}

/** What Hono's contexts have here. */
export interface ServeEnv extends Env {
  Bindings: HttpBindings;
}

/** Who asks: an address. */
export function clientOf(context: Context<ServeEnv>): string {
  return context.env.incoming.socket.remoteAddress ?? '';
}
