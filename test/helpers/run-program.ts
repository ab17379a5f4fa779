import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The program as users start it. */
export const MAIN = `${ROOT}src/cli/main.ts`;

/** How a program ended. */
export interface ProgramResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Options of {@link startProgram}. */
export interface ProgramOptions {
  readonly entry?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Starts a TypeScript program in a process of its own; `result` settles when its output has ended. */
export function startProgram(
  args: readonly string[],
  { entry = MAIN, cwd = ROOT, env = {} }: ProgramOptions = {},
): { readonly child: ChildProcess; readonly result: Promise<ProgramResult> } {
  const tsx = import.meta.resolve('tsx'); // found from any working folder
  const child = spawn(process.execPath, [`--import=${tsx}`, entry, ...args], {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', LCM_PORTRAIT_DEBUG: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const result = new Promise<ProgramResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ stdout, stderr, status, signal }));
  });
  return { child, result };
}

/** Runs a program to its end. */
export function runProgram(args: readonly string[], options?: ProgramOptions): Promise<ProgramResult> {
  return startProgram(args, options).result;
}
