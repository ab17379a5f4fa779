/**
 * What a server takes, and what it takes from a render:
 *
 *   node --import=tsx scripts/bench/serve.ts [requests] [cost] [live] [queue] [uploads] [--output FILE]
 *
 * `requests`: GET /v1/clips/ID while a clip is rendered. `cost`: what one takes with nothing else to do. `live`: from POST to the first second of /live that can be played.
 * `queue`: 500 clips ordered in a row, rendered by arithmetic. `uploads`: 20 files of 50 MB at the same time. All without names.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeWav } from '../lib/wav.ts';
import { writeReport } from '../lib/write-report.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ORDER = { portrait: 'sample:ada.jpg', audio: 'sample:welcome.wav' };
const FPS = 25;
/** What a page and a few programs ask in a second. */
const USUAL_RATE = 100;
const CONNECTIONS = 4;
const JOBS = 500;
const UPLOADS = 20;
const UPLOAD_BYTES = 50e6;

interface ServerUnderTest {
  readonly child: ChildProcess;
  readonly url: string;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
type Json = any;

/** Starts the program, or with `stub` the server of the tests, whose clips are denoised by arithmetic. */
async function startServer(data: string, stub = false): Promise<ServerUnderTest> {
  const args = stub
    ? ['test/serve/fixtures/stub-server.ts', JSON.stringify({ stepMs: 1, dataFolder: data })]
    : ['src/cli/main.ts', 'serve', '--log', 'json', '--port', '0', '--data', data];
  const child = spawn(process.execPath, ['--import=tsx', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! });
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const event = JSON.parse(line) as { type: string; url: string };
      if (event.type === 'listening') resolve(event.url);
    });
    child.once('exit', (status) => reject(new Error(`the server has ended with ${status}`)));
  });
  return { child, url };
}

/** Works with a server of its own. */
async function withServer<T>(stub: boolean, work: (server: ServerUnderTest) => Promise<T>): Promise<T> {
  const data = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-serve-'));
  const server = await startServer(data, stub);
  try {
    return await work(server);
  } finally {
    const ended = new Promise((resolve) => server.child.once('exit', resolve));
    server.child.kill('SIGKILL');
    await ended;
    rmSync(data, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function order({ url }: ServerUnderTest, options: Record<string, unknown> = {}): Promise<Json> {
  const body = JSON.stringify({ ...ORDER, ...options });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/clips`, { method: 'POST', headers, body });
  if (response.status !== 202) throw new Error(await response.text());
  return response.json();
}

/** Waits for the end of a clip. */
async function endOf({ url }: ServerUnderTest, id: string): Promise<Json> {
  await (await fetch(`${url}/v1/clips/${id}/events`)).text();
  const clip = (await (await fetch(`${url}/v1/clips/${id}`)).json()) as Json;
  if (clip.state !== 'succeeded') throw new Error(JSON.stringify(clip.error));
  return clip;
}

/** A figure of the server's own. */
async function figure({ url }: ServerUnderTest, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function get(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent }, (response) => response.resume().once('end', resolve).once('error', reject))
      .once('error', reject);
  });
}

/** Asks until `over`; `rate` a second, or as often as it is answered. @returns the number of answers. */
async function askFor(url: string, over: AbortSignal, rate?: number): Promise<number> {
  let asked = 0;
  const begin = performance.now();
  const askAll = async (): Promise<void> => {
    while (!over.aborted) {
      if (rate !== undefined) await sleep(Math.max(0, begin + (asked * 1000) / rate - performance.now()));
      if (over.aborted) return;
      asked += 1;
      await get(url);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, askAll));
  return asked;
}

/** How often a page that is looked at asks for the list while a clip is rendered, next to the events. Source: assets/page/gallery.js. */
const PAGE_POLL_MS = 2500;

/** Does what a page that is looked at does, until `over`. @returns the number of events and answers. */
async function actAsPage({ url }: ServerUnderTest, id: string, over: AbortSignal): Promise<number> {
  let heard = 0;
  const follow = async (): Promise<void> => {
    const { body } = await fetch(`${url}/v1/clips/${id}/events`, { signal: over });
    for await (const piece of body!) heard += Buffer.from(piece).toString().split('\nevent: ').length - 1;
  };
  const events = follow().catch(() => {});
  while (!over.aborted) {
    heard += 1;
    await get(`${url}/v1/clips?limit=24`);
    await sleep(PAGE_POLL_MS, undefined, { signal: over }).catch(() => {});
  }
  await events;
  return heard;
}

/** A clip that was rendered while it was asked for. */
interface Asked {
  readonly asked: number;
  readonly seconds: number;
  /** Processor seconds of the server, with its engines. */
  readonly cpu: number;
}

/** Clips with and without requests, in turns: what else the machine does is in both. */
const ROUNDS = 4;

async function measureRequests(): Promise<string[]> {
  return withServer(false, async (server) => {
    const short = { audio: 'sample:short.wav' };
    await endOf(server, (await order(server, short)).id); // networks are loaded
    let seed = 1;
    const measure = async (rate?: number | 'all' | 'page'): Promise<Asked> => {
      const cpu = await figure(server, 'process_cpu_seconds');
      const begin = performance.now();
      const { id } = await order(server, { ...short, seed: seed++ });
      const over = new AbortController();
      const url = `${server.url}/v1/clips/${id}`;
      const ask = (): Promise<number> =>
        rate === 'page'
          ? actAsPage(server, id, over.signal)
          : askFor(url, over.signal, rate === 'all' ? undefined : rate);
      const asked = rate === undefined ? 0 : ask();
      await endOf(server, id);
      over.abort();
      const seconds = (performance.now() - begin) / 1000;
      return { seconds, asked: await asked, cpu: (await figure(server, 'process_cpu_seconds')) - cpu };
    };
    const rates = {
      none: undefined,
      'an open page: events, and the list every 2.5 s': 'page',
      [`${USUAL_RATE} a second`]: USUAL_RATE,
      'as many as are answered': 'all',
    } as const;
    const rows = Object.keys(rates).map((name) => ({ name, runs: [] as Asked[] }));
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, runs } of rows) runs.push(await measure(rates[name as keyof typeof rates]));
    }
    const sum = (runs: readonly Asked[], key: keyof Asked): number =>
      runs.reduce((all, run) => all + run[key], 0);
    const alone = sum(rows[0]!.runs, 'cpu');
    return [
      ...['', '## Requests while a clip is rendered', ''],
      `GET /v1/clips/ID over ${CONNECTIONS} connections from this machine, ${ROUNDS} clips of 1.7 s for each row, in turns. Processor time is the server's, with its engines.`,
      ...[
        '',
        '| requests | answered a second | processor time a clip, s | against none | ms a request | s a clip |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
      ],
      ...rows.map(({ name, runs }) => {
        const [asked, cpu, seconds] = [sum(runs, 'asked'), sum(runs, 'cpu'), sum(runs, 'seconds')];
        const each = asked === 0 ? '' : ((1000 * (cpu - alone)) / asked).toFixed(2);
        return [
          `| ${name} | ${(asked / seconds).toFixed(0)} | ${(cpu / ROUNDS).toFixed(1)} |`,
          `${(100 * (cpu / alone - 1)).toFixed(1)} % | ${each} | ${(seconds / ROUNDS).toFixed(1)} |`,
        ].join(' ');
      }),
    ];
  });
}

const COST_REQUESTS = 2000;

/** What a request costs the server by itself: where little processor time is left, a render of seconds cannot be compared with another. */
async function measureCost(): Promise<string[]> {
  return withServer(true, async (server) => {
    const { id } = await order(server, { audio: 'sample:short.wav' });
    await endOf(server, id);
    const cost = async (address: string): Promise<number> => {
      const askAll = (count: number) =>
        Promise.all(
          Array.from({ length: CONNECTIONS }, async () => {
            for (let i = 0; i < count / CONNECTIONS; i++) await get(`${server.url}${address}`);
          }),
        );
      await askAll(COST_REQUESTS / 4); // compiled
      const before = await figure(server, 'process_cpu_seconds');
      await askAll(COST_REQUESTS);
      return (1000 * ((await figure(server, 'process_cpu_seconds')) - before)) / COST_REQUESTS;
    };
    const [state, whole] = [await cost(`/v1/clips/${id}`), await cost(`/v1/clips/${id}?by=application`)];
    return [
      ...['', '## What a request costs', ''],
      `GET /v1/clips/ID, ${COST_REQUESTS} times over ${CONNECTIONS} connections, nothing rendered: ${state.toFixed(3)} ms of processor each; by the application, as all other ` +
        `requests, ${whole.toFixed(3)} ms. ${USUAL_RATE} a second take ${((state * USUAL_RATE * 0.1) / 2).toFixed(2)} % of two cores.`,
    ];
  });
}

/** Boxes of an ISO media file that are whole. Source: ISO/IEC 14496-12, 4.2. */
function* boxesOf(bytes: Buffer): Generator<{ type: string; body: Buffer }> {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > bytes.length) return;
    yield { type: bytes.toString('latin1', at + 4, at + 8), body: bytes.subarray(at + 8, at + size) };
    at += size;
  }
}

/** Frames of the first track whose data have come. Source: ISO/IEC 14496-12, 8.8.7 and 8.8.8. */
function playableFrames(bytes: Buffer): number {
  let frames = 0;
  let next = 0;
  for (const { type, body } of boxesOf(bytes)) {
    if (type === 'mdat') {
      frames += next;
      next = 0;
    }
    if (type !== 'moof') continue;
    for (const traf of boxesOf(body)) {
      if (traf.type !== 'traf') continue;
      const inside = [...boxesOf(traf.body)];
      const track = inside.find((box) => box.type === 'tfhd')?.body.readUInt32BE(4);
      if (track !== 1) continue;
      for (const box of inside) if (box.type === 'trun') next += box.body.readUInt32BE(4);
    }
  }
  return frames;
}

async function measureLive(): Promise<string[]> {
  return withServer(false, async (server) => {
    const measure = async (seed: number): Promise<number> => {
      const begin = performance.now();
      const { id } = await order(server, { seed });
      const response = await fetch(`${server.url}/v1/clips/${id}/live`);
      let bytes = Buffer.alloc(0);
      let seconds = Number.NaN;
      for await (const piece of response.body!) {
        bytes = Buffer.concat([bytes, piece]);
        if (playableFrames(bytes) < FPS) continue;
        seconds = (performance.now() - begin) / 1000;
        break; // the rest is not needed
      }
      await fetch(`${server.url}/v1/clips/${id}`, { method: 'DELETE' });
      return seconds;
    };
    const seconds: string[] = [];
    for (const seed of [1, 2, 3, 4]) seconds.push((await measure(seed)).toFixed(1));
    return [
      ...['', '## From POST to the first second that can be played', ''],
      `Ordered as soon as the server listens, while it loads networks: ${seconds[0]} s. Later ones, of the same portrait: ${seconds.slice(1).join(', ')} s.`,
    ];
  });
}

async function measureQueue(): Promise<string[]> {
  return withServer(true, async (server) => {
    const memory = () => residentMegabytes(server);
    const before = memory();
    const begin = performance.now();
    const ids: string[] = [];
    for (let seed = 0; seed < JOBS; seed++) {
      ids.push((await order(server, { audio: 'sample:short.wav', seed })).id);
    }
    const ordered = (performance.now() - begin) / 1000;
    const queued = memory();
    for (const id of ids) await endOf(server, id);
    const after = memory();
    const clips: Json[] = [];
    for (const id of ids) clips.push(await (await fetch(`${server.url}/v1/clips/${id}`)).json());
    const inOrder = clips.every(({ startedAt }, i) => i === 0 || startedAt >= clips[i - 1].startedAt);
    const megabytes = (size: number): string => `${size.toFixed(0)} MB`;
    return [
      ...['', `## ${JOBS} clips ordered in a row`, ''],
      `Ordered in ${ordered.toFixed(1)} s; rendered ${inOrder ? 'in their order' : 'NOT in their order'}. Resident memory ${megabytes(before)} before, ` +
        `${megabytes(queued)} when all were ordered, ${megabytes(after)} when all were done.`,
    ];
  });
}

/** Resident memory of the server, without asking it. Linux tells. */
function residentMegabytes({ child }: ServerUnderTest): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1000;
}

/** Sends silence as a recording of so many bytes, piece by piece. */
async function sendRecording({ url }: ServerUnderTest, bytes: number): Promise<void> {
  const head = Buffer.from(encodeWav(new Float32Array(0), 48_000));
  head.writeUInt32LE(bytes - 8, 4);
  head.writeUInt32LE(bytes - head.length, head.length - 4);
  const piece = Buffer.alloc(65_536);
  function* body() {
    yield '--x\r\ncontent-disposition: form-data; name="file"; filename="silence.wav"\r\n\r\n';
    yield head;
    for (let left = bytes - head.length; left > 0; left -= piece.length)
      yield left < piece.length ? piece.subarray(0, left) : piece;
    yield '\r\n--x--\r\n';
  }
  const headers = { 'content-type': 'multipart/form-data; boundary=x' };
  const request = http.request(`${url}/v1/uploads`, { method: 'POST', headers });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  await pipeline(Readable.from(body()), request);
  const [response] = await answered;
  response.resume();
  if (response.statusCode !== 201) throw new Error(`answered ${response.statusCode}`);
}

async function measureUploads(): Promise<string[]> {
  return withServer(true, async (server) => {
    await sendRecording(server, 100_000);
    const before = residentMegabytes(server);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentMegabytes(server));
    }, 50);
    const begin = performance.now();
    await Promise.all(Array.from({ length: UPLOADS }, () => sendRecording(server, UPLOAD_BYTES)));
    const seconds = (performance.now() - begin) / 1000;
    clearInterval(watch);
    return [
      ...['', `## ${UPLOADS} uploads of ${UPLOAD_BYTES / 1e6} MB at the same time`, ''],
      `All received and looked at in ${seconds.toFixed(1)} s. Resident memory of the server ${before.toFixed(0)} MB before, at most ${most.toFixed(0)} MB meanwhile.`,
    ];
  });
}

const MEASUREMENTS: Readonly<Record<string, () => Promise<string[]>>> = {
  requests: measureRequests,
  cost: measureCost,
  live: measureLive,
  queue: measureQueue,
  uploads: measureUploads,
};

const { values, positionals } = parseArgs({
  options: { output: { type: 'string' } },
  allowPositionals: true,
});
const lines = ['# The server', ''];
for (const name of positionals.length > 0 ? positionals : Object.keys(MEASUREMENTS)) {
  const measure = MEASUREMENTS[name];
  if (measure === undefined) throw new Error(`there is no measurement ${name}`);
  lines.push(...(await measure()));
}
await writeReport(values.output, lines);
agent.destroy();
