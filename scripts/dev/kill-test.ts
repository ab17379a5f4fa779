/**
 * Kills batches at random moments and checks that nothing is lost, doubled or half there.
 *
 *   npm run build && node --import=tsx scripts/dev/kill-test.ts [--kills 200] [--seed 1] [--results scripts/results/kill-test.md]
 *
 * Rounds of a few short clips: the batch is started, gets SIGKILL at a random moment of its life, is started again, and so
 * on until it completes. After each kill every file under a final name must be, byte for byte, the one of a batch that
 * nobody disturbed. After each round all of them must be there, once, and nothing else.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runKillTest } from '../lib/kill-batch.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    results: { type: 'string' },
  },
});

const outcome = await runKillTest({
  kills: Number(values.kills),
  seed: Number(values.seed),
  log: (line) => console.log(line),
});
const phases = Object.entries(outcome.killsByPhase).map(([phase, kills]) => `| ${phase} | ${kills} |`);
const text = `# Kill test

${outcome.kills} times SIGKILL at a random moment of a batch of ${outcome.jobs} clips (${outcome.windows} context windows each), in ${outcome.rounds} rounds;
seed ${values.seed}.

| what was counted | number |
| --- | ---: |
| files under a final name that were not the undisturbed video | ${outcome.wrongFiles} |
| videos missing after a round | ${outcome.missing} |
| files too many after a round, checkpoints included | ${outcome.leftovers} |
| jobs that a completed batch rendered again | ${outcome.doubled} |
| batches that ended with an error | ${outcome.errors} |
| ffmpeg processes that outlived their batch by more than 5 s | ${outcome.orphans} |
| starts that went on from checkpoints | ${outcome.resumes} |

What the batch was doing when it was killed:

| phase | kills |
| --- | ---: |
${phases.join('\n')}
`;
console.log(text);
if (values.results !== undefined) writeFileSync(values.results, text);
const bad = outcome.wrongFiles + outcome.missing + outcome.leftovers + outcome.doubled;
process.exitCode = bad + outcome.errors + outcome.orphans > 0 ? 1 : 0;
