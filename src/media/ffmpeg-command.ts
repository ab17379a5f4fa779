/**
 * The one file that knows fluent-ffmpeg, and the one that runs ffmpeg on media.
 *
 * fluent-ffmpeg assembles the command line; its own runner is not used, because it keeps ffmpeg's path for the whole
 * module, starts three more processes before each run, decodes binary stdout as text, and throws outside any promise
 * when the program cannot be started.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import FluentCommand from 'fluent-ffmpeg';
import { SubprocessError } from '../errors.ts';
import { onProcessExit } from '../files/exit-cleanup.ts';

/** How long a child may take to end after SIGTERM before it gets SIGKILL. */
const KILL_DELAY_MS = 500;
const STDERR_TAIL_LINES = 20;

/** What to do about an ffmpeg that may not open what this program may. */
export const CONFINED_ADVICE =
  'An ffmpeg of snap or flatpak may not touch hidden files, nor those outside the home folder: set FFMPEG_PATH to another build, or use another folder';
/** What such an ffmpeg says of files that are there. */
const CONFINED = /Permission denied|Operation not permitted|No such file or directory/;

/** Whether ffmpeg complains that it may not open, or does not see, a file that this program could open. */
export function isConfined(complaint: string): boolean {
  return CONFINED.test(complaint);
}

/** The source that is written to {@link FfmpegRun.secondInput}. */
export const SECOND_PIPE = 'pipe:3';

/** One input with the options that stand before it. */
interface FfmpegInput {
  /** `pipe:0` for stdin, {@link SECOND_PIPE}, otherwise what {@link fileUrl} returns or a lavfi graph. */
  readonly source: string;
  readonly options?: readonly string[];
}

/** A command line without the program and without the options that all runs share. */
export interface FfmpegSpec {
  readonly inputs: readonly FfmpegInput[];
  readonly videoFilters?: readonly string[];
  readonly audioFilters?: readonly string[];
  readonly outputOptions: readonly string[];
  /** `pipe:1` for stdout, `-` for muxers without a file, otherwise what {@link fileUrl} returns. */
  readonly output: string;
}

/** How a run is supervised. */
interface FfmpegRunOptions {
  /** What the run is for, as it stands after "Cannot" in messages: `write video talk.mp4`. */
  readonly purpose: string;
  /** Ends the child; `done` then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Scheduling priority from 0 to 19, larger is more patient. @defaultValue 0 */
  readonly niceness?: number;
  /** Receives every line of stderr, as `[level] text`. */
  readonly onStderrLine?: (line: string) => void;
}

/** A running ffmpeg. */
export interface FfmpegRun {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Where an input {@link SECOND_PIPE} is written to. */
  readonly secondInput: Writable | undefined;
  /** Settles when the child has ended and its pipes are closed; rejects with {@link SubprocessError} or the signal's reason. */
  readonly done: Promise<void>;
  /** Ends the child, by force if it does not follow; `done` settles afterwards. */
  kill(): void;
}

/** ffmpeg's name for a local file, safe for paths that look like an option, a protocol or a pattern. */
export function fileUrl(filePath: string): string {
  return `file:${path.resolve(filePath)}`;
}

/** A part of a file as an input of ffmpeg, which reads no other byte of it. */
export function partUrl(
  filePath: string,
  { start, end }: { readonly start: number; readonly end: number },
): string {
  return `subfile,,start,${start},end,${end},,:${path.resolve(filePath)}`;
}

/** The argument list for `spec`; a pure function. */
export function buildArguments(spec: FfmpegSpec): string[] {
  const command = FluentCommand();
  for (const { source, options } of spec.inputs) {
    command.input(source);
    addOptions((...args) => command.inputOptions(...args), options ?? []);
  }
  if (spec.videoFilters?.length) command.videoFilters([...spec.videoFilters]);
  if (spec.audioFilters?.length) command.audioFilters([...spec.audioFilters]);
  addOptions((...args) => command.outputOptions(...args), spec.outputOptions);
  command.output(spec.output);
  // Public only in name: the documented way to the arguments is an event of the runner that is not used here.
  const { _getArguments } = command as unknown as { _getArguments(this: unknown): string[] };
  const args = _getArguments.call(command).map(String);
  const readsStdin = spec.inputs.some((input) => input.source === 'pipe:0');
  return ['-hide_banner', '-loglevel', 'level+info', '-y', ...(readsStdin ? [] : ['-nostdin']), ...args];
}

/** Passes options one by one: those of an array are split at a space, several arguments are not. */
function addOptions(add: (...options: string[]) => unknown, options: readonly string[]): void {
  if (options.length > 0) add(...options);
}

/** Starts ffmpeg; the child never outlives this process unless it is ended by a signal without a handler. */
export function runFfmpeg(ffmpegPath: string, spec: FfmpegSpec, options: FfmpegRunOptions): FfmpegRun {
  options.signal?.throwIfAborted();
  const args = buildArguments(spec);
  const hasSecond = spec.inputs.some((input) => input.source === SECOND_PIPE);
  const child = spawn(ffmpegPath, args, {
    stdio: ['pipe', 'pipe', 'pipe', hasSecond ? 'pipe' : 'ignore'],
    windowsHide: true,
  }) as ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable };
  const secondInput = (child.stdio[3] ?? undefined) as Writable | undefined;
  if (child.pid !== undefined && options.niceness) lowerPriority(child.pid, options.niceness);
  if (!spec.inputs.some((input) => input.source === 'pipe:0')) child.stdin.end();
  // A child that ends early closes its stdin: the exit status says why, the broken pipe adds nothing.
  for (const pipe of [child.stdin, secondInput]) pipe?.on('error', () => {});

  let killTimer: NodeJS.Timeout | undefined;
  const kill = () => {
    if (killTimer !== undefined || hasEnded(child)) return;
    child.kill('SIGTERM');
    killTimer = setTimeout(() => child.kill('SIGKILL'), KILL_DELAY_MS);
    // Nobody may be reading any more, and a full pipe keeps 'close' from being emitted.
    child.stdout.destroy();
  };
  options.signal?.addEventListener('abort', kill, { once: true });
  const forget = onProcessExit(() => child.kill('SIGKILL'));

  const tail = new StderrTail(options.onStderrLine);
  child.stderr.setEncoding('utf8').on('data', (text: string) => tail.append(text));

  const done = new Promise<void>((resolve, reject) => {
    const settle = (exitCode: number | null, exitSignal: string | null, cause?: Error) => {
      clearTimeout(killTimer);
      forget();
      options.signal?.removeEventListener('abort', kill);
      tail.close();
      if (options.signal?.aborted) reject(options.signal.reason);
      else if (exitCode === 0 && cause === undefined) resolve();
      else
        reject(
          describeFailure(
            options.purpose,
            [ffmpegPath, ...args].join(' '),
            exitCode,
            exitSignal,
            tail,
            cause,
          ),
        );
    };
    child.on('error', (error) => {
      // Emitted too when a signal could not be delivered; only a child that never started ends here.
      if (child.pid === undefined) settle(null, null, error);
    });
    child.on('close', (exitCode, exitSignal) => settle(exitCode, exitSignal));
  });
  // A reader of a pipe may fail before it awaits `done`.
  done.catch(() => {});
  return { pid: child.pid, stdin: child.stdin, stdout: child.stdout, secondInput, done, kill };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function lowerPriority(pid: number, niceness: number): void {
  try {
    os.setPriority(pid, niceness);
  } catch {
    // A courtesy to other work: without the right to change it, or after an early end, nothing is lost.
  }
}

function describeFailure(
  purpose: string,
  command: string,
  exitCode: number | null,
  signal: string | null,
  tail: StderrTail,
  cause: Error | undefined,
): SubprocessError {
  const ending = cause
    ? `it did not start (${cause.message})`
    : signal
      ? `it was ended by ${signal}`
      : `exit code ${exitCode}`;
  const reason = tail.reason();
  const wayOut = /No space left|Disk quota/.test(tail.text())
    ? '. Free space, or write to another disk'
    : isConfined(reason)
      ? `. ${CONFINED_ADVICE}`
      : '';
  const got = reason ? `"${reason}" (${ending})` : ending;
  const message = `Cannot ${purpose}: expected ffmpeg to finish, got ${got}${wayOut}`;
  return new SubprocessError(message, command, exitCode, signal, tail.text(), cause ? { cause } : undefined);
}

/** Splits stderr into lines, passes them on, and keeps the last ones and the last complaints. */
class StderrTail {
  readonly #lines: string[] = [];
  readonly #onLine: ((line: string) => void) | undefined;
  #rest = '';
  #complaint = '';

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  append(text: string): void {
    const lines = (this.#rest + text).split(/[\r\n]+/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#add(line);
  }

  close(): void {
    if (this.#rest) this.#add(this.#rest);
    this.#rest = '';
  }

  /** ffmpeg's last error line, without its level and the address of the part that wrote it. */
  reason(): string {
    return this.#complaint;
  }

  text(): string {
    return this.#lines.join('\n');
  }

  #add(written: string): void {
    // Colours that the environment forces on the log stand in the middle of its lines.
    const line = stripVTControlCharacters(written);
    if (!line.trim()) return;
    // A line for each frame would leave no other.
    if (!/^\[Parsed_a?showinfo_/.test(line)) this.#lines.push(line);
    if (this.#lines.length > STDERR_TAIL_LINES) this.#lines.shift();
    const complaint = parseComplaint(line);
    if (complaint !== undefined) this.#complaint = complaint;
    this.#onLine?.(line);
  }
}

/** The text of a stderr line of level error or worse, without its prefixes; undefined for all other lines. */
export function parseComplaint(line: string): string | undefined {
  const match = /^(?:\[[^\]]* @ [^\]]*\] )*\[(?:error|fatal|panic)\] (.*)$/.exec(line);
  // Messages begin with the file's address, which callers name in their own way.
  return match?.[1]?.replace(/^(file|pipe):.*?: (?=[A-Z])/, '').trim();
}
