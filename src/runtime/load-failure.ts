/** Why ONNX Runtime's library does not load, and what to do. */
import { EnvironmentError } from '../errors.ts';

/** Of the dynamic loader, by Node.js. */
const LOAD_FAILED = 'ERR_DLOPEN_FAILED';

/** Whether this Linux has musl in place of glibc, as Alpine has: Node.js states the version of glibc that it runs on. */
export function hasMusl(
  platform: NodeJS.Platform = process.platform,
  glibc: unknown = (process.report.getReport() as { header?: { glibcVersionRuntime?: unknown } }).header
    ?.glibcVersionRuntime,
): boolean {
  return platform === 'linux' && typeof glibc !== 'string';
}

/**
 * The error to show for one that came from loading the library; undefined for all others.
 *
 * @param error - its message names the missing file or loader.
 */
export function loadFailure(error: unknown, musl: () => boolean = hasMusl): EnvironmentError | undefined {
  if ((error as { code?: unknown } | null)?.code !== LOAD_FAILED) return undefined;
  const said = (error as Error).message.trim().split('\n')[0]!;
  const wayOut = musl()
    ? 'This system has musl in place of glibc, which ONNX Runtime has no build for: use one with glibc, such as the image node:20-slim'
    : 'Install lcm-portrait again on this machine: of ONNX Runtime, only the libraries for the system that it was installed on are kept';
  return new EnvironmentError(
    `Cannot load ONNX Runtime: expected its library for ${process.platform} ${process.arch}, got "${said}". ${wayOut}`,
    { cause: error },
  );
}
