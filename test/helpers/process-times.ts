/** Writes what this process of tests took when it ends; imported before its tests by scripts/dev/run-tests.ts --times. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type ProcessTimes, TIMES_FOLDER, timesFile } from '../../scripts/lib/test-times.ts';

/** Linux counts in hundredths of a second, whatever the machine. */
const TICKS = 100;

process.once('exit', () => {
  const { user, system } = process.cpuUsage();
  const times: ProcessTimes = {
    wall: process.uptime(),
    own: (user + system) / 1e6,
    children: childrenTime(),
  };
  writeFileSync(timesFile(process.env[TIMES_FOLDER]!, process.argv[1]!), JSON.stringify(times));
});

function childrenTime(): number {
  try {
    // After the name, which is in parentheses: state is field 3, the children's user and system time are 16 and 17.
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[13]) + Number(fields[14])) / TICKS;
  } catch {
    return 0;
  }
}
