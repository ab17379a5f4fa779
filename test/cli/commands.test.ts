import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, commandName } from '../../src/cli/commands.ts';
import type { CliContext } from '../../src/cli/context.ts';

const CONTEXT = { env: {} } as CliContext;

for (const entry of COMMANDS) {
  test(`${commandName(entry)} is called and used as the help of the program says`, async () => {
    const command = await entry.load(CONTEXT, () => {});
    assert.equal(command.name(), commandName(entry));
    assert.equal(command.createHelp().subcommandTerm(command), entry.usage);
  });
}
