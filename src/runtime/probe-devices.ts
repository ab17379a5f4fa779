/**
 * Tries the devices in a process of its own: drivers print to standard error what nobody can turn off, and one that
 * crashes takes its process along.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EnvironmentError } from '../errors.ts';
import type { ExecutionProviderInfo } from './engine.ts';

/** Characters that are kept of what drivers say. */
const MAX_SAID = 2000;

/** What {@link listExecutionProviders} finds, without a word on standard error. */
export async function probeDevices(): Promise<ExecutionProviderInfo[]> {
  const fromSource = import.meta.url.endsWith('.ts');
  const script = new URL(`./probe-process.${fromSource ? 'ts' : 'js'}`, import.meta.url);
  const child = fork(fileURLToPath(script), [], {
    execArgv: fromSource ? ['--import', import.meta.resolve('tsx')] : [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-MAX_SAID);
  });
  return new Promise((resolve, reject) => {
    child.once('message', (found: ExecutionProviderInfo[] | { readonly failure: string }) => {
      if ('failure' in found) reject(new EnvironmentError(found.failure));
      else resolve(found);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      reject(new Error(`trying the devices ended with ${signal ?? `status ${code}`}: ${said.trim()}`));
    });
  });
}
