/** What some tests need and not every machine has: why they are skipped here, with the command that changes it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Where Debian's package has it. */
export const CHROMIUM = '/usr/bin/chromium';

/** @see https://docs.python.org/3/using/windows.html */
export const PYTHON = process.platform === 'win32' ? 'python' : 'python3';

/**
 * @param command - gets the machine what is missing.
 * @returns false where nothing is missing, else the reason to skip. In continuous integration, where all of it belongs to
 *   the machine, a skip would hide that nothing was tested.
 * @throws Error where the environment variable CI is set and it is missing.
 */
function skipUnless(isThere: boolean, what: string, command: string): string | false {
  if (isThere) return false;
  const reason = `needs ${what}: ${command}`;
  if (process.env.CI) throw new Error(`Cannot test: this machine ${reason}`);
  return reason;
}

const REDIS_COMMANDS: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'brew install redis',
  win32: 'run the tests under WSL, where sudo apt-get install redis-server gets it',
};

/** Why tests of queues cannot run here, or false. */
export const noRedis: string | false = skipUnless(
  // There is no server for Windows: its machine of the integration goes without.
  (process.platform === 'win32' && Boolean(process.env.CI)) ||
    spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0,
  'redis-server',
  REDIS_COMMANDS[process.platform] ?? 'sudo apt-get install redis-server',
);

/** Why tests of training cannot run here, or false. Development's, not the program's: no machine has to have it. */
export const noTorch: string | false =
  spawnSync(PYTHON, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0
    ? false
    : `needs PyTorch and numpy: ${PYTHON} -m pip install torch==2.13.0 numpy`;

/** Why tests of the page cannot run here, or false. */
export const noChromium: string | false = skipUnless(
  // The integration's machines of other systems go without.
  (process.platform !== 'linux' && Boolean(process.env.CI)) || existsSync(CHROMIUM),
  'Chromium',
  'sudo apt-get install chromium',
);
