/** The thread that `openGraphThread` of published-graphs.ts starts. */
import { serveGraphs } from '../networks/serve-graphs.ts';
import { MEASURED_MAKERS } from './published-graphs.ts';

serveGraphs(MEASURED_MAKERS);
