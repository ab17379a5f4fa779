/** `lcm-portrait serve`: the page and the API. */
import path from 'node:path';
import { Command } from 'commander';
import { bundleStoreFolder } from '../bundles/bundle-store.ts';
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import { userHome } from '../files/user-home.ts';
import { findWrongOptions } from '../pipeline/options/check-options.ts';
import type { ServeEvent } from '../serve/serve-event.ts';
import { SERVE_OPTIONS, SERVE_RULES, type ServeOptions } from '../serve/serve-options.ts';
import { findStrayArguments } from './animate-flags.ts';
import type { CliContext } from './context.ts';
import { addTableFlags, readTableFlags } from './option-flags.ts';
import { untilStopped } from './stop-signals.ts';

const LOG_FORMS = ['text', 'json'];
/** So that the token need not be in the list of processes. */
const TOKEN_VARIABLE = 'LCM_PORTRAIT_TOKEN';
const WEBHOOK_SECRET_VARIABLE = 'LCM_PORTRAIT_WEBHOOK_SECRET';

/** The command, ready to be added to the program. */
export function createServeCommand(context: CliContext): Command {
  const command = new Command('serve');
  addTableFlags(command, SERVE_OPTIONS)
    .option('--log <form>', 'text or json, one object per line (default: text)')
    .option('--quiet', 'print only the address and errors')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
On the first Ctrl-C or SIGTERM the server stops accepting work and ends within --grace. Checkpoints of
unfinished clips are kept; the next start continues from them. A second signal ends it immediately.`,
    );
  return command.action(async () => {
    const values = command.opts<Record<string, string | boolean | undefined>>();
    const { env } = context;
    const [token, webhookSecret] = [env[TOKEN_VARIABLE], env[WEBHOOK_SECRET_VARIABLE]];
    const options: ServeOptions = {
      dataFolder: defaultDataFolder(env),
      ...(token && { token }),
      ...(webhookSecret && { webhookSecret }),
      ...(env.FFMPEG_PATH && { ffmpegPath: env.FFMPEG_PATH }),
      ...readTableFlags(values, SERVE_OPTIONS),
    };
    const errors = findWrongOptions(SERVE_OPTIONS, SERVE_RULES, options, 'serve');
    errors.push(...findStrayArguments(command));
    const log = values.log ?? 'text';
    if (!LOG_FORMS.includes(String(log))) {
      const problem = { expected: 'text or json', got: JSON.stringify(log) };
      errors.push(new InvalidOptionError(problem, '--log', log));
    }
    if (errors.length > 0) throw new InvalidOptionsError(errors);
    await run(context, options, { json: log === 'json', quiet: values.quiet === true });
  });
}

/** Next to the user's bundles. */
function defaultDataFolder(env: CliContext['env']): string {
  const bundles = bundleStoreFolder({ env, platform: process.platform, home: userHome() });
  return path.join(path.dirname(bundles), 'serve');
}

async function run(
  context: CliContext,
  options: ServeOptions,
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
): Promise<void> {
  const { stdout, stderr, loadServer } = context;
  const onEvent = (event: ServeEvent): void => {
    if (json) stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
    else if (!quiet || event.type === 'listening') stderr.write(`lcm-portrait: ${describeEvent(event)}\n`);
  };
  const outcome = 'unfinished clips continue at the next start';
  await untilStopped({ stderr, clear: () => {}, outcome }, async (signal) => {
    const { serveStudio } = await loadServer();
    signal.throwIfAborted();
    const server = await serveStudio({ ...options, onEvent }, context);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    await server.stop();
    signal.throwIfAborted(); // the status says what it was stopped by
  });
}

function describeEvent(event: ServeEvent): string {
  switch (event.type) {
    case 'listening':
      return `listening on ${event.link} (data in ${event.data}); Ctrl-C to stop`;
    case 'request':
      return `${event.method} ${event.route} ${event.status} ${event.ms} ms`;
    case 'clip':
      return `clip ${event.clip}: ${event.state}${event.message === undefined ? '' : ` (${event.message})`}`;
    case 'comparison':
      return `comparison ${event.comparison}: ${event.state}${event.message === undefined ? '' : ` (${event.message})`}`;
    case 'notice':
      return `note: ${event.message}`;
    case 'draining':
      return `draining, ends within ${event.seconds} s`;
    case 'closed':
      return 'stopped';
  }
}
