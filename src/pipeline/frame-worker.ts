/** The thread that {@link FrameThread} starts. Its engine's thread starts while its own modules load. */
import { startEngineEarly } from '../runtime/engine.ts';

startEngineEarly();
await import('./serve-frames.ts');
