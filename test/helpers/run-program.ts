import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Whether this is TypeScript, which tsx loads, and not what scripts/dev/run-tests.ts has compiled. */
const isSource = import.meta.url.endsWith('.ts');
/** What lies at the places of the repository's files: its folder, or the runner's compiled copy. */
const TREE = fileURLToPath(new URL('../../', import.meta.url));

/** The repository's folder. */
export const ROOT = TREE.replace(/build[\\/]tests[\\/]\d+[\\/]$/, '');
/** What node has to be started with for the repository's modules; found from any working folder. */
export const LOADER: readonly string[] = isSource ? [`--import=${import.meta.resolve('tsx')}`] : [];
/** The program as users start it. */
export const MAIN = moduleFile('src/cli/main.ts');

/** The file to start, or to import, for a module of the repository, named by its place there, with its `.ts` ending. */
export function moduleFile(name: string): string {
  return path.join(TREE, isSource ? name : name.replace(/\.ts$/, '.js'));
}

/** The address of {@link moduleFile}. */
export function moduleUrl(name: string): string {
  return pathToFileURL(moduleFile(name)).href;
}

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

/** Starts a program of the repository in a process of its own; `result` settles when its output has ended. */
export function startProgram(
  args: readonly string[],
  { entry = MAIN, cwd = ROOT, env = {} }: ProgramOptions = {},
): { readonly child: ChildProcess; readonly result: Promise<ProgramResult> } {
  const child = spawn(process.execPath, [...LOADER, entry, ...args], {
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
