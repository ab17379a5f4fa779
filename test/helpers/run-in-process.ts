/** Runs command lines in this process, with everything behind them that the program has. */
import type { CliContext } from '../../src/cli/context.ts';
import { runProgram } from '../../src/cli/program.ts';

/** What a command line printed, and its exit status. */
export interface InProcessResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line; nothing is printed, and the process goes on. */
export async function runInProcess(args: readonly string[]): Promise<InProcessResult> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written): CliContext['stdout'] => ({
    write: (text) => {
      written[name] += text;
      return true;
    },
  });
  const status = await runProgram(args, {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: {},
    version: '0.0.0',
    loadPipeline: async () => ({
      ...(await import('../../src/pipeline/animate.ts')),
      ...(await import('../../src/pipeline/plan-animation.ts')),
    }),
    loadJobs: async () => ({
      ...(await import('../../src/jobs/start-batch.ts')),
      ...(await import('../../src/jobs/plan-batch.ts')),
      ...(await import('../../src/jobs/render-resumable.ts')),
      ...(await import('../../src/jobs/run-queued.ts')),
    }),
    loadComparison: async () => ({
      ...(await import('../../src/compare/compare.ts')),
      ...(await import('../../src/compare/bench.ts')),
      ...(await import('../../src/compare/profile.ts')),
      ...(await import('../../src/compare/calibrate.ts')),
    }),
    loadServer: async () => import('../../src/serve/start-server.ts'),
    examine: async (bundle) =>
      (await import('../../src/cli/examine-machine.ts')).examineMachine(process.env, bundle),
  });
  return { status, ...written };
}
