/** The thread that {@link GraphThread} starts. */
import { NETWORK_MAKERS } from './bundle-graphs.ts';
import { serveGraphs } from './serve-graphs.ts';

serveGraphs(NETWORK_MAKERS);
