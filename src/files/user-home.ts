/** The user's folder, or what takes its place. */
import os from 'node:os';
import path from 'node:path';

/**
 * The user's folder. In containers whose user has neither `HOME` nor an entry in `/etc/passwd`, a folder of this user's among
 * the temporary files takes its place: what is kept there lasts until the machine is started again.
 *
 * @param home - throws, or is empty, where there is none.
 */
export function userHome(home: () => string = os.homedir): string {
  try {
    const folder = home();
    if (folder !== '') return folder;
  } catch {
    // Nobody with this number is known to the system.
  }
  return path.join(os.tmpdir(), `lcm-portrait-${process.getuid?.() ?? 'user'}`);
}
