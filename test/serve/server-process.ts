/** A server in a process of its own, as tests use it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { ServeEvent } from '../../src/serve/serve-event.ts';
import type { ServeOptions } from '../../src/serve/serve-options.ts';
import { LOADER, moduleFile, ROOT, startProgram } from '../helpers/run-program.ts';

const ENTRY = moduleFile('test/serve/fixtures/stub-server.ts');
export const PORTRAIT = `${ROOT}assets/portraits/ada.jpg`;
export const SPEECH = `${ROOT}assets/speech/short.wav`;

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field
export type Json = any;

/** The body of an answer. */
export async function jsonOf(response: Response): Promise<Json> {
  return response.json();
}

/** Options of {@link ServerProcess.start}. */
export type StubOptions = Partial<ServeOptions> & {
  /** How long an evaluation of the denoiser takes; a clip has 30. @defaultValue 1 */
  readonly stepMs?: number;
  /** Clips are drawn, as videos of so many frames, each of which takes `stepMs`. */
  readonly frames?: number;
  /** While this file is there, clips that are drawn stop after two thirds of their frames, and no comparison ends. */
  readonly holdFile?: string;
  /** Waits between the times that a note is sent. */
  readonly webhookDelaysMs?: readonly number[];
  /** Before an order whose disk is full is begun again. */
  readonly diskFullMs?: number;
};

/** A folder that goes when the tests have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-serve-'));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Started, and ended with the tests. */
export class ServerProcess {
  readonly child: ChildProcess;
  readonly events: ServeEvent[] = [];
  readonly ended: Promise<number | null>;
  url = '';
  link = '';
  stderr = '';
  #rest = '';

  private constructor(child: ChildProcess) {
    this.child = child;
    this.ended = once(child, 'close').then(([status]) => status as number | null);
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.events.push(JSON.parse(line) as ServeEvent);
    });
  }

  /** Starts a server and waits until it listens. */
  static async start(dataFolder: string, options: StubOptions = {}): Promise<ServerProcess> {
    const server = ServerProcess.launch(dataFolder, options);
    await server.listening();
    return server;
  }

  /** Starts a server. */
  static launch(dataFolder: string, options: StubOptions = {}): ServerProcess {
    const argument = JSON.stringify({ stepMs: 1, dataFolder, ...options });
    const child = spawn(process.execPath, [...LOADER, ENTRY, argument], {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    after(() => child.kill('SIGKILL'));
    return new ServerProcess(child);
  }

  /** Starts the program itself, with its networks, and waits until it listens. */
  static async program(
    dataFolder: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<ServerProcess> {
    const own = ['serve', '--log', 'json', '--port', '0', '--data', dataFolder];
    const { child } = startProgram([...own, ...args], { env });
    after(() => child.kill('SIGKILL'));
    const server = new ServerProcess(child);
    await server.listening();
    return server;
  }

  /** @throws Error with what it said if it ends instead. */
  async listening(): Promise<void> {
    for (;;) {
      const event = this.events.find(({ type }) => type === 'listening');
      if (event?.type === 'listening') {
        this.url = event.url;
        this.link = event.link;
        return;
      }
      const ended = await Promise.race([this.ended.then(() => true), once(this.child.stdout!, 'data')]);
      if (ended === true) throw new Error(`the server has ended: ${this.stderr}`);
    }
  }

  fetch(where: string, init?: RequestInit): Promise<Response> {
    return fetch(`${this.url}${where}`, init);
  }

  async json(where: string, init?: RequestInit): Promise<Json> {
    return (await this.fetch(where, init)).json();
  }

  post(where: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(where, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  /** Orders a clip of samples. */
  async order(options: Record<string, unknown> = {}): Promise<Json> {
    const response = await this.post('/v1/clips', {
      portrait: 'sample:ada.jpg',
      audio: 'sample:short.wav',
      ...options,
    });
    if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
    return response.json();
  }

  /** Orders a comparison of samples. */
  async orderComparison(options: Record<string, unknown> = {}): Promise<Json> {
    const response = await this.post('/v1/compare', {
      portrait: 'sample:ada.jpg',
      audio: 'sample:short.wav',
      ...options,
    });
    if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
    return response.json();
  }

  /** Follows an order until its state is one of these, or it has ended. */
  async until(id: string, ...states: readonly string[]): Promise<Json> {
    return this.untilOf(`/v1/clips/${id}`, ...states);
  }

  /** The same for any order, by its address. */
  async untilOf(self: string, ...states: readonly string[]): Promise<Json> {
    for await (const { data } of this.followOf(self)) {
      if (states.includes(data.state)) return data;
    }
    return this.json(self);
  }

  /** The events of a clip. */
  follow(id: string, lastEventId?: string): AsyncGenerator<{ id: string; data: Json }> {
    return this.followOf(`/v1/clips/${id}`, lastEventId);
  }

  /** The events of an order. */
  async *followOf(self: string, lastEventId?: string): AsyncGenerator<{ id: string; data: Json }> {
    const stop = new AbortController();
    const response = await this.fetch(`${self}/events`, {
      signal: stop.signal,
      headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
    });
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const blocks = (text + chunk).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const fields = Object.fromEntries(
            block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)),
          );
          if (fields.data !== undefined) yield { id: fields.id, data: JSON.parse(fields.data) };
        }
      }
    } finally {
      stop.abort();
    }
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}
