/** The options of a server: types, checks, flags and help follow from this table, as those of a clip from theirs. */
import { BATCH_OPTIONS } from '../jobs/batch-options.ts';
import { CLIP_OPTIONS } from '../pipeline/options/clip-options.ts';
import type { OptionRule } from '../pipeline/options/option-spec.ts';
import { type OptionsOf, option } from '../pipeline/options/option-spec.ts';
import { folder, instance, integer, listOf, number, path } from '../pipeline/options/option-types.ts';
import type { ServeEvent } from './serve-event.ts';

export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_PORT = 7860;
export const DEFAULT_GRACE_SECONDS = 5;

/** In the units of the options. */
const DEFAULT_LIMITS = {
  uploadMegabytes: 200,
  seconds: 600,
  megapixels: 64,
  clipsPerClient: 1000,
  dataGigabytes: 20,
  stallSeconds: 30,
};

const MIN_TOKEN_LENGTH = 16;

const { device, ffmpegPath, bundleStore } = CLIP_OPTIONS;
const { concurrency, threads } = BATCH_OPTIONS;

/** Every option by name, in the order of help and messages. */
export const SERVE_OPTIONS = {
  /** Address to listen on. @defaultValue '127.0.0.1' */
  host: option(path('a host name or an address'), {
    description: 'Address to listen on.',
    group: 'machine',
    otherwise: `${DEFAULT_HOST}, this machine only`,
    flag: { value: 'name' },
  }),
  /** Port to listen on; 0 for any free one. @defaultValue 7860 */
  port: option(integer(0, 65_535), {
    description: 'Port to listen on, 0 for any free one.',
    group: 'machine',
    otherwise: String(DEFAULT_PORT),
    flag: { help: 'port to listen on, 0 for any free one' },
  }),
  /** Uploads, results and unfinished clips; made if it is not there. */
  dataFolder: option(folder(), {
    description: 'Folder for uploads, results and checkpoints.',
    group: 'machine',
    otherwise: "serve, in the user's data folder",
    flag: { name: '--data', value: 'folder' },
  }),
  /** Secret that clients must present, at least 16 characters. @defaultValue none on the loopback, a random one elsewhere */
  token: option(path('a secret'), {
    description: 'Secret that clients must present.',
    group: 'machine',
    otherwise: 'none on the loopback address, else a random one',
    flag: { value: 'text', help: 'secret that clients must present; also LCM_PORTRAIT_TOKEN' },
  }),
  /** Further host names under which the server is reached. @defaultValue none */
  allowedHosts: option(listOf(path('a host name'), 'host names'), {
    description: 'Further host names under which the server is reached.',
    group: 'machine',
    repeatable: true,
    flag: {
      name: '--allow-host',
      value: 'name',
      help: 'another host name under which the server is reached; repeatable',
    },
  }),
  /** Hosts that webhooks may be sent to, `name` or `name:port`. @defaultValue none */
  webhookHosts: option(listOf(path('a host name'), 'host names'), {
    description: 'Hosts that webhooks may be sent to.',
    group: 'machine',
    repeatable: true,
    flag: {
      name: '--webhook-host',
      value: 'host',
      help: 'host that webhooks may be sent to, with a port unless it is the default one; repeatable',
    },
  }),
  /** What webhooks are signed with: `whsec_` and base64 of 24 to 64 bytes. @defaultValue one that is kept in the data folder */
  webhookSecret: option(path('a secret'), {
    description: 'What webhooks are signed with.',
    group: 'machine',
  }),
  /** Redis server of a queue, `redis://host:port/database`; workers that see the data folder render. @defaultValue rendered here */
  queue: option(path('redis://host:port/database or rediss://…'), {
    description: 'Redis server of a queue whose workers render.',
    group: 'machine',
    otherwise: 'this machine renders',
    flag: {
      value: 'url',
      help: 'redis://host:port/database: workers render; they need access to the data folder',
    },
  }),
  /** Clips that are rendered at the same time, 1 to 64. @defaultValue 1 */
  concurrency,
  /** Where networks run. @defaultValue 'auto' */
  device,
  /** Threads of each engine, 1 to 256. @defaultValue the cores, shared between the clips that are rendered at the same time */
  threads,
  /** Megabytes of an uploaded file, 0.01 to 100,000. @defaultValue 200 */
  uploadMegabytes: option(number(0.01, 100_000), {
    description: 'Largest upload in megabytes.',
    group: 'machine',
    otherwise: String(DEFAULT_LIMITS.uploadMegabytes),
    flag: { name: '--max-upload', value: 'mb' },
  }),
  /** Seconds of audio or video, 0.1 to 7200. @defaultValue 600 */
  seconds: option(number(0.1, 7200), {
    description: 'Longest audio or video in seconds.',
    group: 'machine',
    otherwise: String(DEFAULT_LIMITS.seconds),
    flag: { name: '--max-seconds', value: 's' },
  }),
  /** Megapixels of an image, or of a video's frame, 0.01 to 1000. @defaultValue 64 */
  megapixels: option(number(0.01, 1000), {
    description: 'Largest image or video frame in megapixels.',
    group: 'machine',
    otherwise: String(DEFAULT_LIMITS.megapixels),
    flag: { name: '--max-megapixels' },
  }),
  /** Unfinished clips and comparisons of one client, 1 to 1,000,000. @defaultValue 1000 */
  clipsPerClient: option(integer(1, 1_000_000), {
    description: 'Most unfinished clips of one client.',
    group: 'machine',
    otherwise: String(DEFAULT_LIMITS.clipsPerClient),
    flag: { name: '--max-clips' },
  }),
  /** Gigabytes of the data folder, 0.001 to 1,000,000: the oldest results are removed to make room. @defaultValue 20 */
  dataGigabytes: option(number(0.001, 1_000_000), {
    description: 'Disk space in gigabytes; the oldest results are removed to make room.',
    group: 'machine',
    otherwise: String(DEFAULT_LIMITS.dataGigabytes),
    flag: {
      name: '--quota',
      value: 'gb',
      help: 'disk space in gigabytes; the oldest results are removed to make room',
    },
  }),
  /** Seconds without a byte after which an upload is ended, 0.1 to 3600. @defaultValue 30 */
  stallSeconds: option(number(0.1, 3600), {
    description: 'Seconds without a byte after which an upload is ended.',
    group: 'machine',
    otherwise: String(DEFAULT_LIMITS.stallSeconds),
  }),
  /** Seconds that a clip may go on after a stop before only its checkpoints are kept, 0 to 3600. @defaultValue 5 */
  graceSeconds: option(number(0, 3600), {
    description: 'Seconds that running clips get to finish after a stop.',
    group: 'machine',
    otherwise: String(DEFAULT_GRACE_SECONDS),
    flag: { name: '--grace', value: 's', help: 'seconds that running clips get to finish after a stop' },
  }),
  /** Program to use instead of the one that is found. */
  ffmpegPath,
  /** Folder of installed bundles. @defaultValue the user's */
  bundleStore,
  onEvent: option(
    instance<(event: ServeEvent) => void>('a function', (value) => typeof value === 'function'),
    { description: 'Called with what the server does.', group: 'run' },
  ),
};

/** Options of {@link startServer}. */
export type ServeOptions = OptionsOf<typeof SERVE_OPTIONS> & { readonly dataFolder: string };

/** Rules between options, in the order of messages. */
export const SERVE_RULES: readonly OptionRule<ServeOptions>[] = [
  {
    find: ({ queue, concurrency }) => {
      if (queue === undefined || concurrency === undefined) return undefined;
      const expected = ['none with ', { option: 'queue' }, ', whose workers render'];
      return { option: 'concurrency', problem: { expected, got: String(concurrency) } };
    },
  },
  {
    // A rule, not a part of the type: a message must not repeat a secret.
    find: ({ token }) => {
      if (token === undefined || token.length >= MIN_TOKEN_LENGTH) return undefined;
      const problem = { expected: `at least ${MIN_TOKEN_LENGTH} characters`, got: String(token.length) };
      return { option: 'token', problem };
    },
  },
];

/** What a client may ask for at most. */
export interface ServeLimits {
  /** Bytes of a file. */
  readonly uploadBytes: number;
  /** Seconds of audio or video. */
  readonly seconds: number;
  /** Pixels of an image, or of a video's frame. */
  readonly pixels: number;
  /** Unfinished clips and comparisons of one client. */
  readonly clipsPerClient: number;
  /** Bytes of the data folder: the oldest results go when there is no room. */
  readonly dataBytes: number;
  /** Seconds without a byte after which an upload is ended. */
  readonly stallSeconds: number;
}

/** The limits that options set. */
export function limitsOf(options: ServeOptions): ServeLimits {
  const limit = (key: keyof typeof DEFAULT_LIMITS): number => options[key] ?? DEFAULT_LIMITS[key];
  return {
    uploadBytes: Math.round(limit('uploadMegabytes') * 1e6),
    seconds: limit('seconds'),
    pixels: Math.round(limit('megapixels') * 1e6),
    clipsPerClient: limit('clipsPerClient'),
    dataBytes: Math.round(limit('dataGigabytes') * 1e9),
    stallSeconds: limit('stallSeconds'),
  };
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
