/** Folders for what only a measurement needs. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onProcessExit } from '../files/exit-cleanup.ts';

/** A folder that goes with the process at the latest. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes it with all that is in it; may be called twice. */
  remove(): Promise<void>;
}

/** Makes an empty folder among the system's temporary ones; `purpose` is part of its name. */
export async function openTemporaryFolder(purpose: string): Promise<TemporaryFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), `lcm-portrait-${purpose}-`));
  const forget = onProcessExit(() => rmSync(folder, { recursive: true, force: true }));
  return {
    path: folder,
    remove: async () => {
      await rm(folder, { recursive: true, force: true });
      forget();
    },
  };
}
