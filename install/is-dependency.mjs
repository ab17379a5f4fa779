import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether a file of this package lies where package managers put what others need, and not in its own repository. */
export function isDependency(url) {
  return fileURLToPath(url).split(path.sep).includes('node_modules');
}
