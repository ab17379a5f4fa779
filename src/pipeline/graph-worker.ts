/** The thread that {@link GraphBuilderThread} starts: opens the bundle once, then makes one graph for each message. */
import { parentPort } from 'node:worker_threads';
import { PipelineError } from '../errors.ts';
import { type Bundle, openBundle } from '../models/bundle.ts';
import { buildBundleGraph, type GraphOptions, type NetworkName } from './bundle-graphs.ts';

/** A graph that is wanted. */
export interface GraphRequest {
  readonly id: number;
  readonly bundle: string;
  readonly network: NetworkName;
  readonly options: GraphOptions;
}

/** A graph, or why there is none; errors lose their class on the way between threads, so their parts travel. */
export type GraphResponse =
  | { readonly id: number; readonly graph: Uint8Array }
  | { readonly id: number; readonly message: string; readonly modelPath: string; readonly expected: boolean };

const port = parentPort;
if (port === null) throw new Error('graph-worker.ts runs as a worker thread');

const bundles = new Map<string, Promise<Bundle>>();

async function answer({ id, bundle: folder, network, options }: GraphRequest): Promise<GraphResponse> {
  try {
    const opened = bundles.get(folder) ?? openBundle(folder);
    bundles.set(folder, opened);
    return { id, graph: buildBundleGraph(await opened, network, options) };
  } catch (error) {
    const modelPath =
      error instanceof PipelineError && 'modelPath' in error ? String(error.modelPath) : folder;
    const message = error instanceof Error ? error.message : String(error);
    return { id, message, modelPath, expected: error instanceof PipelineError };
  }
}

port.on('message', (message: GraphRequest | 'close') => {
  if (message === 'close') {
    port.close();
    return;
  }
  void answer(message).then((response) => {
    port.postMessage(response, 'graph' in response ? [response.graph.buffer as ArrayBuffer] : []);
  });
});
