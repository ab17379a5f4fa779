/** Started by {@link probeDevices}: tries every device and sends what it found. */
import { listExecutionProviders } from './engine.ts';

try {
  process.send?.(await listExecutionProviders());
} catch (error) {
  process.send?.({ failure: error instanceof Error ? error.message : String(error) });
}
