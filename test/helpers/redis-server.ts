/** Redis for tests: the machine's own redis-server, on a port of its own, in a folder that goes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { after } from 'node:test';
import { freePort } from './free-port.ts';

/** Tried before it is given up: another process may take one between the look and the server. */
const PORTS = 5;

/** A server that a test may stop and start again. */
export class RedisServer {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}/0`;
  }

  /** @param folder - of its files. */
  static async start(folder: string): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(folder, await freePort());
      try {
        await server.up();
      } catch (error) {
        if (attempt < PORTS && /Address already in use/.test(String(error))) continue;
        throw error;
      }
      after(() => server.down('SIGKILL'));
      return server;
    }
  }

  /** Starts the server with what it has stored, and waits until it answers. */
  async up(): Promise<void> {
    const child = spawn(
      'redis-server',
      [
        ...['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.#folder],
        ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let text = '';
      child.stdout!.on('data', (chunk: Buffer) => {
        text += chunk;
        if (text.includes('Ready to accept connections')) resolve();
      });
      child.on('exit', () => reject(new Error(`redis-server ended: ${text}`)));
    });
  }

  /** Ends the server and waits until it has ended. */
  async down(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}
