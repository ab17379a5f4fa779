/** Started by {@link probeDevices}: tries every device and sends what it found. */
import { listExecutionProviders } from './engine.ts';

process.send?.(await listExecutionProviders());
