/** Whether the processor has instructions for products of 8-bit integers, without which they are no faster than floats. */
import { readFileSync } from 'node:fs';

/** What tells of a processor. */
interface Processor {
  readonly platform: string;
  readonly arch: string;
  /** Linux's `/proc/cpuinfo`; empty elsewhere. */
  readonly cpuInfo: string;
}

/**
 * Dot products of four bytes and their sum in 32 bits: without them, x86 processors add in 16 bits, which is slower and may
 * overflow. Source: "Quantize ONNX models" of ONNX Runtime, section on U8S8 and saturation.
 */
const DOT_PRODUCTS: ReadonlySet<string> = new Set(['avx512_vnni', 'avx_vnni', 'asimddp']);

/**
 * Whether 8-bit integers are known to pay on a processor: of Linux's, what they say themselves; Apple's all have them; of
 * others nothing is known.
 */
export function hasDotProducts({ platform, arch, cpuInfo }: Processor): boolean {
  if (platform === 'darwin') return arch === 'arm64';
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo)?.[1]?.trim().split(/\s+/) ?? [];
  return flags.some((flag) => DOT_PRODUCTS.has(flag));
}

/** {@link hasDotProducts} of this machine's processor. */
export function integersAreFaster(): boolean {
  let cpuInfo = '';
  try {
    if (process.platform === 'linux') cpuInfo = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    // Then nothing is known of it.
  }
  return hasDotProducts({ platform: process.platform, arch: process.arch, cpuInfo });
}
