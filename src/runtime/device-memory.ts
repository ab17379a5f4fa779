/** Memory of a GPU. */
import { execFile } from 'node:child_process';
import type { Device } from './device.ts';

/** Devices that may be a GPU of NVIDIA's, whose tool tells. */
const ASKED: ReadonlySet<Device> = new Set(['cuda', 'webgpu', 'dml']);
const TIMEOUT_MS = 5000;

/** Answers what NVIDIA's tool prints; rejects where there is none. */
type AskNvidia = (query: string) => Promise<string>;

const askNvidia: AskNvidia = (query) =>
  new Promise((resolve, reject) => {
    const args = [`--query-gpu=${query}`, '--format=csv,noheader,nounits', '--id=0'];
    execFile('nvidia-smi', args, { timeout: TIMEOUT_MS }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });

/**
 * Bytes that are free on the first GPU; undefined where nobody tells.
 *
 * @param ask - asks NVIDIA's tool, which answers in MiB.
 */
export async function freeDeviceMemory(
  device: Device,
  ask: AskNvidia = askNvidia,
): Promise<number | undefined> {
  if (!ASKED.has(device)) return undefined;
  const mebibytes = Number.parseInt(await ask('memory.free').catch(() => ''), 10);
  return Number.isFinite(mebibytes) ? mebibytes * 2 ** 20 : undefined;
}
