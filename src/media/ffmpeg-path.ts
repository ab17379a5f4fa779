/** Finds an ffmpeg that can do the work: named by the user, downloaded by a package, installed, or carried by a package. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentError } from '../errors.ts';
import { userHome } from '../files/user-home.ts';
import { OUTPUT_ENCODERS } from './output-formats.ts';

/** Where an ffmpeg came from, in the order in which they are tried. */
type FfmpegSource = 'FFMPEG_PATH' | 'ffmpeg-static' | 'PATH' | '@ffmpeg-installer/ffmpeg';

/** H.264 encoders that {@link VideoWriter} can drive, best first. */
const H264_ENCODERS = ['libx264', 'libopenh264'] as const;
/** Name of an H.264 encoder in ffmpeg. */
type H264Encoder = (typeof H264_ENCODERS)[number];

/** An ffmpeg that runs and has the encoders that a talking video needs. */
export interface FfmpegInfo {
  /** Absolute path. */
  readonly path: string;
  readonly source: FfmpegSource;
  /** As the program states it, e.g. `5.1.9` or `N-47683-g0e8eb07980-static`. */
  readonly version: string;
  readonly h264Encoder: H264Encoder;
  /** Those of {@link OUTPUT_ENCODERS} that it has. */
  readonly encoders: readonly string[];
  /** Earlier places that were tried, and why they were passed over. */
  readonly rejected: readonly RejectedFfmpeg[];
}

/** A place without a usable ffmpeg. */
interface RejectedFfmpeg {
  readonly source: FfmpegSource;
  readonly reason: string;
}

/** What the search depends on; the defaults suit a program, tests replace them. */
interface LocateFfmpegOptions {
  /** Environment: `FFMPEG_PATH` and `PATH` are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Loads a package by name. @defaultValue `require` of this module */
  readonly loadPackage?: (name: string) => unknown;
  /** Where a carried ffmpeg is copied if it cannot be made executable in place. @defaultValue `~/.cache/lcm-portrait` */
  readonly cacheDirectory?: string;
}

const run = promisify(execFile);
/** A slow disk may take seconds to load a static build of 70 MB. */
const CHECK_TIMEOUT_MS = 20_000;

/**
 * Tries FFMPEG_PATH, the package ffmpeg-static, PATH and the package `@ffmpeg-installer/ffmpeg`, in this order. Each
 * find is started once: what does not run, or has no H.264 or AAC encoder, is passed over and kept in `rejected`.
 *
 * @throws {@link EnvironmentError} if FFMPEG_PATH is set and unusable, or if no place has a usable ffmpeg.
 */
export async function locateFfmpeg(options: LocateFfmpegOptions): Promise<FfmpegInfo> {
  const { env, loadPackage = createRequire(import.meta.url) } = options;
  const rejected: RejectedFfmpeg[] = [];
  const attempt = async (source: FfmpegSource, find: () => Promise<string>) => {
    try {
      const found = await find();
      return { path: found, source, ...(await inspect(found)), rejected };
    } catch (error) {
      rejected.push({ source, reason: describeRejection(error) });
      return undefined;
    }
  };

  if (env.FFMPEG_PATH) {
    const named = path.resolve(env.FFMPEG_PATH);
    const info = await attempt('FFMPEG_PATH', async () => named);
    if (info) return info;
    throw new EnvironmentError(
      `Cannot use FFMPEG_PATH: expected an ffmpeg with H.264 and AAC encoders, got ${named}, which ${rejected[0]!.reason}. ` +
        'Set it to another file, or unset it to let the program search',
    );
  }
  const info =
    (await attempt('ffmpeg-static', async () => packagePath(loadPackage('ffmpeg-static')))) ??
    (await attempt('PATH', () => searchPath(env))) ??
    (await attempt('@ffmpeg-installer/ffmpeg', async () =>
      makeExecutable(packagePath(loadPackage('@ffmpeg-installer/ffmpeg')), options.cacheDirectory),
    ));
  if (info) return info;
  const reasons = rejected.map(({ source, reason }) => `${source} ${reason}`).join('; ');
  throw new EnvironmentError(
    `Cannot find ffmpeg: expected one with H.264 and AAC encoders, got none (${reasons}). ` +
      'Install ffmpeg so that it is on PATH, or set FFMPEG_PATH to its file',
  );
}

function describeRejection(error: unknown): string {
  if ((error as { code?: unknown } | null)?.code === 'MODULE_NOT_FOUND') return 'is not installed';
  // The installer package throws a string where it has no build.
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}

/** Both packages export the path, one as a string (null where there is no build), the other as a field. */
function packagePath(exported: unknown): string {
  const found =
    typeof exported === 'object' && exported !== null ? (exported as { path?: unknown }).path : exported;
  if (typeof found !== 'string') throw new Error('has no build for this platform');
  return found;
}

async function searchPath(env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const name = process.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg';
  for (const directory of (env.PATH ?? env.Path ?? '').split(path.delimiter)) {
    if (!directory) continue;
    const candidate = path.resolve(directory, name);
    if (await isExecutableFile(candidate)) return candidate;
  }
  throw new Error('has no ffmpeg');
}

async function isExecutableFile(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/**
 * Package managers that block install scripts leave the carried binary without its executable bit. Sets it, or where
 * the file may not be changed (a read-only or foreign installation), copies the binary to the user's cache.
 */
async function makeExecutable(
  file: string,
  cacheDirectory = path.join(userHome(), '.cache', 'lcm-portrait'),
): Promise<string> {
  const { mode, size, isFile } = await stat(file).then((s) => ({ ...s, isFile: s.isFile() }));
  if (!isFile) throw new Error('carries no binary');
  if (await isExecutableFile(file)) return file;
  try {
    // Readers of the file may run it.
    await chmod(file, mode | ((mode & 0o444) >> 2));
    return file;
  } catch {
    const copy = path.join(cacheDirectory, `ffmpeg-${size}${path.extname(file)}`);
    if (await isExecutableFile(copy)) return copy;
    await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
    // Two processes may copy at the same time: each makes its own, the rename is atomic.
    const partial = `${copy}.${process.pid}`;
    try {
      await copyFile(file, partial);
      await chmod(partial, 0o700);
      await rename(partial, copy);
    } finally {
      await rm(partial, { force: true });
    }
    return copy;
  }
}

/** What an ffmpeg says of itself. */
type FfmpegAbilities = Pick<FfmpegInfo, 'version' | 'h264Encoder' | 'encoders'>;

/** Those that could be used, by their paths: each is asked once while its file stays as it is. */
const inspected = new Map<string, { readonly version: string; readonly abilities: FfmpegAbilities }>();

async function inspect(file: string): Promise<FfmpegAbilities> {
  if (!(await isExecutableFile(file))) throw new Error('is not an executable file');
  const { size, mtimeNs, ino, dev } = await stat(file, { bigint: true });
  const version = `${dev}:${ino}:${size}:${mtimeNs}`;
  const known = inspected.get(file);
  if (known?.version === version) return known.abilities;
  const abilities = await askFor(file);
  inspected.set(file, { version, abilities });
  return abilities;
}

async function askFor(file: string): Promise<FfmpegAbilities> {
  const ask = async (...args: string[]) => {
    try {
      return (await run(file, args, { timeout: CHECK_TIMEOUT_MS, windowsHide: true, maxBuffer: 1 << 22 }))
        .stdout;
    } catch (error) {
      throw new Error(`does not run (${(error as Error).message.split('\n')[0]})`, { cause: error });
    }
  };
  const asking = ask('-hide_banner', '-encoders');
  asking.catch(() => {}); // awaited below
  const version = /^ffmpeg version (\S+)/.exec(await ask('-version'))?.[1];
  if (version === undefined) throw new Error('is not ffmpeg');
  const listed = new Set((await asking).split('\n').map((line) => line.trim().split(/\s+/)[1]));
  const h264Encoder = H264_ENCODERS.find((name) => listed.has(name));
  if (h264Encoder === undefined) throw new Error(`has no H.264 encoder (${H264_ENCODERS.join(' or ')})`);
  if (!listed.has('aac')) throw new Error('has no AAC encoder');
  return { version, h264Encoder, encoders: OUTPUT_ENCODERS.filter((name) => listed.has(name)) };
}
