/**
 * The time limit of every test, and the name of the one that hangs; the runner imports this before each file of tests.
 *
 * It is no measure of speed: no test comes near it on a busy machine.
 */
import { writeSync } from 'node:fs';
import { afterEach, beforeEach } from 'node:test';

const LIMIT_MS = 20 * 60_000;

const running: { readonly name: string; readonly timer: NodeJS.Timeout }[] = [];

beforeEach((context) => {
  const { name } = context as { readonly name: string };
  const timer = setTimeout(() => {
    writeSync(2, `Test hangs: expected an end within ${LIMIT_MS / 60_000} minutes, got none of: ${name}\n`);
    process.exit(1);
  }, LIMIT_MS);
  running.push({ name, timer: timer.unref() });
});

afterEach((context) => {
  const { name } = context as { readonly name: string };
  const index = running.findLastIndex((each) => each.name === name);
  if (index >= 0) clearTimeout(running.splice(index, 1)[0]!.timer);
});
