/** Which bundles' networks are in memory together, and which take turns. */
import type { Bundle } from '../models/bundle.ts';
import type { Device } from '../runtime/device.ts';

/** Files of bundles up to this size are loaded side by side and kept. */
const MAX_BYTES_AT_ONCE = 256e6;

/**
 * Whether a bundle's networks are opened when they are needed and closed when others are: on the CPU, large ones are. Opening
 * takes seconds where an evaluation takes a minute; a GPU computes faster than its memory can be filled.
 *
 * @param lowMemory - whether small ones are, too.
 */
export function takesTurns(
  { description: { files } }: Pick<Bundle, 'description'>,
  device: Device,
  lowMemory = false,
): boolean {
  if (device !== 'cpu') return false;
  const bytes = Object.values(files).reduce((sum, file) => sum + (file?.bytes ?? 0), 0);
  return lowMemory || bytes > MAX_BYTES_AT_ONCE;
}
