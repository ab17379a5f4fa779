/** What a server takes, with its limits. */
import { assertIntegerInRange, assertNumberInRange, InvalidOptionError } from '../errors.ts';
import type { DeviceName } from '../pipeline/animate-options.ts';
import { showValue } from '../pipeline/options/option-types.ts';
import type { ServeEvent } from './serve-event.ts';

/** What a client may ask for at most. */
export interface ServeLimits {
  /** Bytes of a file. @defaultValue 200 MB */
  readonly uploadBytes: number;
  /** Seconds of sound or film. @defaultValue 600 */
  readonly seconds: number;
  /** Pixels of a picture, or of a film's frame. @defaultValue 64 million */
  readonly pixels: number;
  /** Clips and comparisons of one client that are not finished. @defaultValue 1000 */
  readonly clipsPerClient: number;
  /** Bytes of the data folder: the oldest results go when there is no room. @defaultValue 20 GB */
  readonly dataBytes: number;
  /** Seconds without a byte after which an upload is ended. @defaultValue 30 */
  readonly stallSeconds: number;
}

/** Options of {@link startServer}. */
export interface ServeOptions {
  /** Uploads, results and what is not finished; made if it is not there. */
  readonly dataFolder: string;
  /** @defaultValue '127.0.0.1' */
  readonly host?: string;
  /** 0 for any that is free. @defaultValue 7860 */
  readonly port?: number;
  /** What clients have to show. @defaultValue none on the loopback, a random one elsewhere */
  readonly token?: string;
  /** Names under which the server is reached besides its own address. @defaultValue none */
  readonly allowedHosts?: readonly string[];
  /** Clips that are rendered at the same time, 1 to 64. @defaultValue 1 */
  readonly concurrency?: number;
  readonly device?: DeviceName;
  /** Threads of each engine. @defaultValue the cores, shared between the clips that are rendered at the same time */
  readonly threads?: number;
  readonly ffmpegPath?: string;
  /** Folder of installed bundles. @defaultValue the user's */
  readonly bundleStore?: string;
  /** Hosts that notes of clips' ends may go to, `name` or `name:port`. @defaultValue none */
  readonly webhookHosts?: readonly string[];
  /** What notes are signed with: `whsec_` and base64 of 24 to 64 bytes. @defaultValue one of the data folder */
  readonly webhookSecret?: string;
  readonly limits?: Partial<ServeLimits>;
  /** Seconds that a clip may go on after a stop before its checkpoints are all that is kept, 0 to 3600. @defaultValue 5 */
  readonly graceSeconds?: number;
  /** Clips go to workers on this queue, `redis://host:port/database`, which see the data folder. @defaultValue rendered here */
  readonly queue?: string;
  readonly onEvent?: (event: ServeEvent) => void;
}

export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_PORT = 7860;
export const DEFAULT_LIMITS: ServeLimits = {
  uploadBytes: 200e6,
  seconds: 600,
  pixels: 64e6,
  clipsPerClient: 1000,
  dataBytes: 20e9,
  stallSeconds: 30,
};

const MIN_TOKEN_LENGTH = 16;

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** @throws {@link InvalidOptionError} if an option is out of range. */
export function checkServeOptions(options: ServeOptions): void {
  const { port = DEFAULT_PORT, concurrency = 1, graceSeconds = 5, token } = options;
  const { uploadBytes, seconds, pixels, clipsPerClient, dataBytes, stallSeconds } = {
    ...DEFAULT_LIMITS,
    ...options.limits,
  };
  assertIntegerInRange('port', port, 0, 65_535);
  assertIntegerInRange('concurrency', concurrency, 1, 64);
  assertNumberInRange('graceSeconds', graceSeconds, 0, 3600);
  assertIntegerInRange('uploadBytes', uploadBytes, 1000, 1e12);
  assertNumberInRange('seconds', seconds, 0.1, 7200);
  assertIntegerInRange('pixels', pixels, 1000, 1e9);
  assertIntegerInRange('clipsPerClient', clipsPerClient, 1, 1e6);
  assertIntegerInRange('dataBytes', dataBytes, 1e6, 1e15);
  assertNumberInRange('stallSeconds', stallSeconds, 0.1, 3600);
  if (options.queue !== undefined && options.concurrency !== undefined) {
    const problem = {
      expected: ['none with ', { option: 'queue' }, ', whose workers render'],
      got: `${concurrency}`,
    };
    throw new InvalidOptionError(problem, 'concurrency', concurrency);
  }
  if (token !== undefined && token.length < MIN_TOKEN_LENGTH) {
    const problem = { expected: `at least ${MIN_TOKEN_LENGTH} characters`, got: `${token.length}` };
    throw new InvalidOptionError(problem, 'token', showValue('…'));
  }
}
