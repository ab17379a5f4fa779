/**
 * Measures what batches gain and cost.
 *
 *   npm run build
 *   node --import=tsx scripts/bench/measure-batch.ts --part throughput   # 12 clips in one batch against 12 runs of animate
 *   node --import=tsx scripts/bench/measure-batch.ts --part memory       # resident memory over 100 clips
 *   node --import=tsx scripts/bench/measure-batch.ts --part workers      # one and two workers of one thread; needs redis-server;
 *                                                                     with --pin, each on a core of its own
 *
 * Prints Markdown. Times are those of processes from outside, on the monotonic clock.
 */
import { parseArgs } from 'node:util';
import { measureMemory, measureThroughput, measureWorkers } from '../lib/batch-measurements.ts';
import { markdownTable } from '../lib/markdown-table.ts';

const { values } = parseArgs({
  options: {
    part: { type: 'string' },
    repeats: { type: 'string', default: '2' },
    jobs: { type: 'string' },
    pin: { type: 'boolean', default: false },
  },
});
const repeats = Number(values.repeats);

switch (values.part) {
  case 'throughput': {
    const jobs = Number(values.jobs ?? 12);
    const rows = [];
    for (let i = 0; i < repeats; i++) rows.push(await measureThroughput(jobs));
    console.log(
      markdownTable(
        [
          'repeat',
          `${jobs} × animate, s`,
          'one batch, s',
          'ratio',
          'sum of denoise times, s',
          'batch / denoise',
        ],
        rows.map(({ single, batch, denoise }, i) => [
          ...[String(i + 1), single.toFixed(1), batch.toFixed(1), (single / batch).toFixed(2)],
          ...[denoise.toFixed(1), (batch / denoise).toFixed(2)],
        ]),
      ),
    );
    break;
  }
  case 'memory': {
    const samples = await measureMemory(Number(values.jobs ?? 100));
    console.log(
      markdownTable(
        ['after job', 'resident, MB', 'most so far, MB'],
        samples.map(({ job, resident, peak }) => [
          ...[String(job), (resident / 1e6).toFixed(0), (peak / 1e6).toFixed(0)],
        ]),
      ),
    );
    break;
  }
  case 'workers': {
    const jobs = Number(values.jobs ?? 8);
    const rows = [];
    for (let i = 0; i < repeats; i++) {
      const one = await measureWorkers(jobs, 1, values.pin);
      rows.push([String(i + 1), one, await measureWorkers(jobs, 2, values.pin)] as const);
    }
    console.log(
      markdownTable(
        ['repeat', 'one worker, s', 'two workers, s', 'ratio'],
        rows.map(([repeat, one, two]) => [repeat, one.toFixed(1), two.toFixed(1), (one / two).toFixed(2)]),
      ),
    );
    break;
  }
  default:
    console.error('expected --part throughput, memory or workers');
    process.exitCode = 2;
}
