/** `lcm-portrait models`: the bundles that are here, and ways to get others. */
import { Command } from 'commander';
import type { StoredBundle } from '../bundles/bundle-store.ts';
import { InvalidOptionError, ModelError } from '../errors.ts';
import type { BundlePreset } from '../models/bundle-description.ts';
import type { CliContext } from './context.ts';
import { formatBytes } from './format.ts';
import { createCalibrateCommand } from './models-calibrate.ts';
import { addCommonFlags, type CommonFlags, runWork, storeOf } from './models-context.ts';
import { createFuseCommand, createImportCommand, printMade } from './models-make.ts';

/** The command with its own commands, ready to be added to the program. */
export function createModelsCommand(context: CliContext): Command {
  const command = new Command('models');
  const commands = [
    createListCommand(context),
    createImportCommand(context),
    createVerifyCommand(context),
    createPullCommand(context),
    createFuseCommand(context),
    createCalibrateCommand(context),
    createRemoveCommand(context),
  ];
  for (const each of commands) command.addCommand(each);
  return command.addHelpText(
    'after',
    `
Bundles are kept in ${storeOf(context)};
LCM_PORTRAIT_HOME names another folder.`,
  );
}

function createListCommand(context: CliContext): Command {
  const command = new Command('list').description('list all bundles with size, files and licences');
  command.option('--json', 'print one JSON object per bundle').option('--files', 'print every file as well');
  return command.action(async (flags: { json?: true; files?: true }) => {
    const { bundleBytes, listBundles } = await import('../bundles/bundle-store.ts');
    for (const stored of await listBundles(storeOf(context))) {
      const { name, folder, embedded, bundle, problem } = stored;
      if (flags.json) {
        const facts = bundle && { ...bundle.description, bytes: bundleBytes(bundle) };
        context.stdout.write(
          `${JSON.stringify({ type: 'bundle', ...facts, name, folder, embedded, problem })}\n`,
        );
      } else context.stdout.write(formatBundle(stored, bundle && bundleBytes(bundle), flags.files === true));
    }
  });
}

function formatBundle(
  { name, folder, embedded, bundle, problem }: StoredBundle,
  bytes: number | undefined,
  files: boolean,
): string {
  if (bundle === undefined || bytes === undefined) return `${name}  cannot be used: ${problem}\n`;
  const { resolution, fps, presets, licence, description, files: parts } = bundle.description;
  const { fast, faster } = presets;
  const rows = [
    ['', description],
    ['size', `${formatBytes(bytes)}, ${resolution}×${resolution} at ${fps} fps`],
    ['fast', fast ? `${fast.sampler}, ${fast.steps} steps, guidance ${fast.guidance}` : 'no such preset'],
    ...(faster ? [['faster', formatFaster(faster)]] : []),
    ['licence', licence],
    ['folder', folder],
    ...(files
      ? Object.entries(parts).map(([part, file]) => [
          part,
          `${file.path}, ${formatBytes(file.bytes)}, SHA-256 ${file.sha256}${file.licence === undefined ? '' : `, ${file.licence}`}${file.source === undefined ? '' : `, ${file.source}`}`,
        ])
      : []),
  ];
  const width = files ? 15 : 9;
  return `${name}${embedded ? ' (embedded)' : ''}\n${rows.map(([label, value]) => `  ${label!.padEnd(width)}${value}\n`).join('')}`;
}

/** What the preset has that `fast` has not. */
function formatFaster({
  denoiseEvery = 1,
  precision = 'auto',
  windows = 'overlapping',
}: BundlePreset): string {
  const savings = [
    ...(denoiseEvery > 1 ? [`one of ${denoiseEvery} frames denoised`] : []),
    ...(precision === 'auto' ? [] : [precision]),
    `${windows} windows`,
  ];
  return savings.join(', ');
}

function createVerifyCommand(context: CliContext): Command {
  const command = new Command('verify')
    .description('check the hash of every file of bundles')
    .argument('[bundle...]', 'names or folders (default: all that are installed)');
  addCommonFlags(command);
  return command.action(async (names: string[], flags: CommonFlags) => {
    const [{ bundleBytes, listBundles }, { openBundle, verifyBundle }] = await Promise.all([
      import('../bundles/bundle-store.ts'),
      import('../models/bundle.ts'),
    ]);
    const store = storeOf(context);
    const wanted = names.length > 0 ? names : (await listBundles(store)).map(({ folder }) => folder);
    const problems: string[] = [];
    for (const each of wanted) {
      try {
        const bundle = await openBundle(each, store);
        const { name } = bundle.description;
        const total = bundleBytes(bundle);
        await runWork(context, flags, 'Verifying', ({ signal, bytes }) =>
          verifyBundle(bundle, { signal, onBytes: (done) => bytes(done, total, name) }),
        );
        if (flags.json) context.stdout.write(`${JSON.stringify({ type: 'verified', name, bytes: total })}\n`);
        else context.stdout.write(`${name}: every file is as its bundle says, ${formatBytes(total)}\n`);
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        problems.push(error.message);
      }
    }
    if (problems.length === 1) throw new ModelError(problems[0]!, wanted.join(', '));
    if (problems.length > 1) {
      const heading = `Cannot use ${problems.length} of ${wanted.length} bundles`;
      throw new ModelError(heading, wanted.join(', '), { problems });
    }
  });
}

function createPullCommand(context: CliContext): Command {
  const command = new Command('pull')
    .description('download a bundle, or one file, from a web server or the Hugging Face Hub')
    .argument('<url>', 'address of bundle.json, of its folder or repository, or with --output of a file')
    .option('--name <name>', "name of the bundle (default: the bundle's own)")
    .option('-o, --output <file>', 'download one file, e.g. a LoRA, to this path')
    .option('--sha256 <hex>', 'with --output: expected hash of the file')
    .option('--force', 'overwrite a bundle of that name');
  addCommonFlags(command);
  type PullFlags = CommonFlags & { name?: string; output?: string; sha256?: string; force?: true };
  return command.action(async (url: string, flags: PullFlags) => {
    const { pullBundle, pullFile } = await import('../bundles/pull-bundle.ts');
    const { output } = flags;
    if (output === undefined && flags.sha256 !== undefined) {
      throw new InvalidOptionError(
        'Cannot use --sha256 without --output: expected one file to compare, got a bundle, whose bundle.json has a hash for each file',
        '--sha256',
        flags.sha256,
      );
    }
    if (output !== undefined) {
      const { bytes, sha256 } = await runWork(context, flags, 'Fetching', (work) =>
        pullFile(url, output, {
          sha256: flags.sha256?.toLowerCase(),
          signal: work.signal,
          onProgress: ({ done, total, file }) => work.bytes(done, total, file),
        }),
      );
      if (flags.json)
        context.stdout.write(`${JSON.stringify({ type: 'result', path: output, bytes, sha256 })}\n`);
      else context.stdout.write(`${output}\n${formatBytes(bytes)}, SHA-256 ${sha256}\n`);
      return;
    }
    const result = await runWork(context, flags, 'Fetching', (work) =>
      pullBundle(url, {
        store: storeOf(context),
        name: flags.name,
        overwrite: flags.force === true,
        signal: work.signal,
        onProgress: ({ done, total, file }) => work.bytes(done, total, file),
      }),
    );
    printMade(context, flags, result);
  });
}

function createRemoveCommand(context: CliContext): Command {
  const command = new Command('remove')
    .description('delete an installed bundle')
    .argument('<name>', 'name of the bundle')
    .option('--json', 'print the result as JSON');
  return command.action(async (name: string, flags: { json?: true }) => {
    const { removeBundle } = await import('../bundles/bundle-store.ts');
    const folder = await removeBundle(storeOf(context), name);
    context.stdout.write(
      flags.json ? `${JSON.stringify({ type: 'removed', name, folder })}\n` : `removed ${folder}\n`,
    );
  });
}
