/** Errors as people and programs read them: a line for each, no stack. */

import { InvalidOptionError, InvalidOptionsError, ModelError, PipelineError } from '../errors.ts';
import type { CliContext } from './context.ts';
import { exitStatusOf, SIGNAL_STATUSES } from './exit-codes.ts';
import { StoppedBySignal } from './stop-signals.ts';

/**
 * Writes what went wrong to stderr, with the stack if LCM_PORTRAIT_DEBUG is set; with `json` also as an event to
 * stdout.
 *
 * @returns the exit status.
 */
export function reportError(error: unknown, context: CliContext, json: boolean): number {
  const stopped = error instanceof StoppedBySignal;
  const status = stopped ? SIGNAL_STATUSES[error.stopSignal] : exitStatusOf(error);
  const messages = messagesOf(error);
  if (json) {
    const code = error instanceof PipelineError ? error.code : stopped ? 'STOPPED' : 'UNEXPECTED';
    context.stdout.write(`${JSON.stringify({ type: 'error', code, status, messages })}\n`);
  }
  for (const message of messages) {
    context.stderr.write(`lcm-portrait: ${stopped ? message : `error: ${message}`}\n`);
  }
  if (error instanceof InvalidOptionError || error instanceof InvalidOptionsError) {
    context.stderr.write('lcm-portrait: see --help for the options and what they take\n');
  }
  const debug = context.env.LCM_PORTRAIT_DEBUG;
  if (debug !== undefined && debug !== '' && debug !== '0') {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      context.stderr.write(`${cause.stack ?? cause}\n`);
    }
  }
  return status;
}

function messagesOf(error: unknown): string[] {
  if (error instanceof InvalidOptionsError) return error.errors.map((each) => oneLine(each.message));
  if (error instanceof PipelineError && error.code === 'MANIFEST') return error.message.split('\n');
  if (error instanceof ModelError)
    return error.problems.length > 0 ? error.message.split('\n').map(oneLine) : [oneLine(error.message)];
  if (error instanceof PipelineError || error instanceof StoppedBySignal) return [oneLine(error.message)];
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [`${oneLine(text)} (unexpected; LCM_PORTRAIT_DEBUG=1 shows where)`];
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, '; ');
}
