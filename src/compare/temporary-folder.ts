/** Folders for what only a measurement needs. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeFileProblem, EnvironmentError } from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';

/** A folder that goes with the process at the latest. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes it with all that is in it; may be called twice. */
  remove(): Promise<void>;
}

/**
 * Makes an empty folder among the system's temporary ones; `purpose` is part of its name.
 *
 * @throws {@link EnvironmentError} if there are none that can be written.
 */
export async function openTemporaryFolder(purpose: string): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), `lcm-portrait-${purpose}-`)).catch((cause) => {
    const expected = 'a folder for temporary files that can be written';
    throw new EnvironmentError(
      `Cannot measure: expected ${expected}, got ${describeFileProblem(cause)} in ${tmpdir()}; set TMPDIR to a folder with room`,
      { cause },
    );
  });
  const forget = onProcessExit(() => rmSync(folder, { recursive: true, force: true }));
  return {
    path: folder,
    remove: async () => {
      await rm(folder, { recursive: true, force: true });
      forget();
    },
  };
}
