/** What some tests need and not every machine has: why they are skipped here, with the command that changes it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Where Debian's package has it, unless the environment variable says otherwise. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** @see https://docs.python.org/3/using/windows.html */
export const PYTHON = process.platform === 'win32' ? 'python' : 'python3';

/**
 * @param command - gets the machine what is missing.
 * @param systems - whose machines of the integration have it.
 * @returns false where nothing is missing, else the reason to skip. In continuous integration, where all of it belongs to
 *   the machine, a skip would hide that nothing was tested.
 * @throws Error where the environment variable CI is set and it is missing.
 */
function skipUnless(
  isThere: boolean,
  what: string,
  command: string,
  systems: readonly NodeJS.Platform[],
): string | false {
  if (isThere) return false;
  const reason = `needs ${what}: ${command}`;
  if (process.env.CI && systems.includes(process.platform))
    throw new Error(`Cannot test: this machine ${reason}`);
  return reason;
}

const REDIS_COMMANDS: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'brew install redis',
  win32: 'run the tests under WSL, where sudo apt-get install redis-server gets it',
};

/** Why tests of queues cannot run here, or false. */
export const noRedis: string | false = skipUnless(
  spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0,
  'redis-server',
  REDIS_COMMANDS[process.platform] ?? 'sudo apt-get install redis-server',
  // There is no server for Windows.
  ['linux', 'darwin'],
);

/** Why tests of training cannot run here, or false. Development's, not the program's: no machine has to have it. */
export const noTorch: string | false =
  spawnSync(PYTHON, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0
    ? false
    : `needs PyTorch and numpy: ${PYTHON} -m pip install torch==2.13.0 numpy`;

/** Why tests of the page cannot run here, or false. */
export const noChromium: string | false = skipUnless(
  existsSync(CHROMIUM),
  'Chromium',
  'sudo apt-get install chromium, or set CHROMIUM to the path of one',
  ['linux'],
);
