/** The commands as the program's help lists them. Each is loaded when it is called: together they are two hundred modules. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/** Sets the exit status of a command that ended without an error. */
type SetStatus = (status: number) => void;

/** One command. */
export interface CommandEntry {
  /** Its name, and what it takes: `batch [options] [manifest]`. */
  readonly usage: string;
  readonly description: string;
  readonly load: (context: CliContext, setStatus: SetStatus) => Promise<Command>;
}

/** In the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    usage: 'animate [options]',
    description: 'make a talking video of a portrait and a speech recording',
    load: async (context) => (await import('./animate.ts')).createAnimateCommand(context),
  },
  {
    usage: 'batch [options] [manifest]',
    description: 'make the videos of a manifest, and a report of what became of each',
    load: async (context, setStatus) => (await import('./batch.ts')).createBatchCommand(context, setStatus),
  },
  {
    usage: 'worker [options]',
    description: 'render jobs that batches have put on a queue',
    load: async (context) => (await import('./worker.ts')).createWorkerCommand(context),
  },
  {
    usage: 'serve [options]',
    description: 'open a page in the browser, and an API, that render clips',
    load: async (context) => (await import('./serve.ts')).createServeCommand(context),
  },
  {
    usage: 'motion',
    description: 'keep what a face does in a film as a file, and look at it',
    load: async (context) => (await import('./motion.ts')).createMotionCommand(context),
  },
  {
    usage: 'models',
    description: 'list, import, verify, fetch, fuse, calibrate and remove bundles',
    load: async (context) => (await import('./models.ts')).createModelsCommand(context),
  },
  {
    usage: 'compare [options]',
    description: 'compare the fast sampler with the original one on your own clip, in time and in quality',
    load: async (context) => (await import('./compare.ts')).createCompareCommand(context),
  },
  {
    usage: 'bench [options]',
    description: 'measure how fast each network runs on this machine, in several settings',
    load: async (context) => (await import('./bench.ts')).createBenchCommand(context),
  },
  {
    usage: 'doctor [options]',
    description: 'check this machine and say what to do about what is missing',
    load: async (context, setStatus) => (await import('./doctor.ts')).createDoctorCommand(context, setStatus),
  },
];

/** The word that calls a command. */
export function commandName({ usage }: Pick<CommandEntry, 'usage'>): string {
  return usage.split(' ', 1)[0]!;
}
