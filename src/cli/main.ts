#!/usr/bin/env node
/** The program's entry. Starts fast: what is heavy is loaded by the commands that need it. */
import module from 'node:module';
import { weightsFolder } from '../files/cache-folder.ts';
import { userHome } from '../files/user-home.ts';

// Node.js 22 keeps compiled modules for the next start: of those that are loaded from here on.
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const [command, ...given] = process.argv.slice(2);
const rendersOne = command === 'animate' && !given.some((word) => ['-h', '--help'].includes(word));
const early = rendersOne ? await import('../pipeline/frame-thread.ts') : undefined;
// Faces are looked for as soon as this thread has loaded: it does so while the options are read.
early?.startFrameThreadEarly(weightsFolder(process.env, process.platform, userHome()));
const { runThisProcess } = await import('./run-process.ts');

await runThisProcess({
  loadPipeline: async () => ({
    ...(await import('../pipeline/animate.ts')),
    ...(await import('../pipeline/plan-animation.ts')),
  }),
  loadJobs: async () => ({
    ...(await import('../jobs/start-batch.ts')),
    ...(await import('../jobs/plan-batch.ts')),
    ...(await import('../jobs/render-resumable.ts')),
    ...(await import('../jobs/run-queued.ts')),
  }),
  loadComparison: async () => ({
    ...(await import('../compare/compare.ts')),
    ...(await import('../compare/bench.ts')),
    ...(await import('../compare/profile.ts')),
    ...(await import('../compare/calibrate.ts')),
  }),
  loadServer: async () => import('../serve/start-server.ts'),
  examine: async (bundle) => (await import('./examine-machine.ts')).examineMachine(process.env, bundle),
});
await early?.endEarlyFrameThread();
