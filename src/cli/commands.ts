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
    description: 'render a talking video from a portrait and a speech recording',
    load: async (context) => (await import('./animate.ts')).createAnimateCommand(context),
  },
  {
    usage: 'batch [options] [manifest]',
    description: 'render all videos of a manifest, and write a report',
    load: async (context, setStatus) => (await import('./batch.ts')).createBatchCommand(context, setStatus),
  },
  {
    usage: 'worker [options]',
    description: 'render jobs from a queue',
    load: async (context) => (await import('./worker.ts')).createWorkerCommand(context),
  },
  {
    usage: 'serve [options]',
    description: 'start a web page and an HTTP API',
    load: async (context) => (await import('./serve.ts')).createServeCommand(context),
  },
  {
    usage: 'motion',
    description: 'extract motion from videos into files; show and convert it',
    load: async (context) => (await import('./motion.ts')).createMotionCommand(context),
  },
  {
    usage: 'models',
    description: 'list, import, download, verify, fuse, calibrate and remove bundles',
    load: async (context) => (await import('./models.ts')).createModelsCommand(context),
  },
  {
    usage: 'compare [options]',
    description: 'compare the fast with the original sampler on your own clip, in speed and quality',
    load: async (context) => (await import('./compare.ts')).createCompareCommand(context),
  },
  {
    usage: 'bench [options]',
    description: 'benchmark each network on this machine',
    load: async (context) => (await import('./bench.ts')).createBenchCommand(context),
  },
  {
    usage: 'doctor [options]',
    description: 'check this machine, and say how to fix what is missing',
    load: async (context, setStatus) => (await import('./doctor.ts')).createDoctorCommand(context, setStatus),
  },
];

/** The word that calls a command. */
export function commandName({ usage }: Pick<CommandEntry, 'usage'>): string {
  return usage.split(' ', 1)[0]!;
}
