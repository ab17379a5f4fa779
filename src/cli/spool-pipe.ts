/** Sound that comes through a pipe: it is read once, and a clip needs it twice. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describeFileProblem, MediaError } from '../errors.ts';

/** A file that can be read again and again. */
interface Spooled {
  readonly path: string;
  /** Removes what was stored; may be called twice. */
  dispose(): Promise<void>;
}

/** Names of this process's own streams, which a program that is started has others under. */
const OWN_STREAM = /^\/(dev\/(stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/;
const STDIN = /^\/(dev\/(stdin|fd\/0)|proc\/self\/fd\/0)$/;

/**
 * Stores what a FIFO, `/dev/stdin` or a shell's `<(…)` gives in a temporary file; other files stay where they are.
 *
 * @throws {@link MediaError} if it cannot be read or stored.
 */
export async function spoolPipe(file: string, signal: AbortSignal): Promise<Spooled> {
  const stats = await stat(file).catch(() => undefined);
  const isPipe = OWN_STREAM.test(file) || stats?.isFIFO() || stats?.isSocket();
  if (!isPipe || (STDIN.test(file) && process.stdin.isTTY)) return { path: file, dispose: async () => {} };
  let folder: string | undefined;
  const dispose = async (): Promise<void> => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    folder = await mkdtemp(path.join(os.tmpdir(), 'lcm-portrait-sound-'));
    const stored = path.join(folder, path.basename(file));
    const source = STDIN.test(file) ? process.stdin : createReadStream(file);
    await pipeline(source, createWriteStream(stored, { flags: 'wx' }), { signal });
    return { path: stored, dispose };
  } catch (cause) {
    await dispose();
    signal.throwIfAborted();
    throw new MediaError(
      `Cannot read audio ${file}: expected a pipe that can be stored in ${os.tmpdir()}, got ${describeFileProblem(cause)}; set TMPDIR to a folder with room`,
      file,
      { cause },
    );
  }
}
