#!/usr/bin/env node
/** The program's entry. Starts fast: what is heavy is loaded by the commands that need it. */
import { runThisProcess } from './run-process.ts';

await runThisProcess({
  loadPipeline: () => import('../pipeline/animate.ts'),
  examine: async () => (await import('./examine-machine.ts')).examineMachine(process.env),
});
