/** `lcm-portrait models import | fuse`: bundles out of checkpoints, and out of bundles and LoRAs. */
import { Command, Option } from 'commander';
import type { ImportOptions, ImportResult } from '../bundles/import-aniportrait.ts';
import type { CheckpointRole } from '../bundles/locate-checkpoints.ts';
import type { PresetName } from '../models/bundle-terms.ts';
import { parseLora } from '../weights/lora-argument.ts';
import type { CliContext } from './context.ts';
import { formatBytes } from './format.ts';
import {
  addCommonFlags,
  type CommonFlags,
  parseSettings,
  runWork,
  storeOf,
  type Work,
} from './models-context.ts';
import { collect } from './option-flags.ts';

interface MakeFlags extends CommonFlags {
  readonly name?: string;
  readonly half?: true;
  readonly force?: true;
  readonly fast?: string;
}

interface ImportFlags extends MakeFlags {
  readonly lora?: string;
  readonly denoisingUnet?: string;
  readonly motionModule?: string;
  readonly poseGuider?: ImportOptions['poseGuider'];
  readonly prediction?: 'v' | 'epsilon';
}

/** `models import`. */
export function createImportCommand(context: CliContext): Command {
  const command = new Command('import')
    .description("import AniPortrait's published checkpoints as a bundle")
    .argument('<kind>', 'aniportrait')
    .argument('<folder>', "folder of the files: as AniPortrait's README, the hub or its cache lay them out")
    .option('--lora <file[:scale]>', 'LCM-LoRA for the preset fast')
    .option('--name <name>', 'name of the bundle (default: aniportrait)')
    .option('--half', 'store weights in half precision')
    .option('--fast <sampler:steps:guidance>', 'sampling of the preset fast, e.g. ddim:6:1')
    .option('--denoising-unet <file>', 'denoising UNet to use instead, e.g. a distilled one')
    .option('--motion-module <file>', 'motion modules to use instead')
    .addOption(
      new Option('--prediction <what>', 'what the denoising UNet predicts (default: v)').choices([
        'v',
        'epsilon',
      ]),
    )
    .addOption(
      new Option(
        '--pose-guider <variant>',
        'P0: as published, P1: pixels as in training, P2: stored statistics (default: P0)',
      ).choices(['P0', 'P1', 'P2']),
    )
    .option('--force', 'overwrite a bundle of that name')
    .addHelpText(
      'after',
      `
Example:
  lcm-portrait models import aniportrait ./pretrained_model --lora lcm-lora-sdv1-5.safetensors --half
  lcm-portrait animate --bundle aniportrait --portrait face.jpg --audio speech.wav --output talk.mp4

Names and shapes of all weights are checked before anything is written. Pickles are read, never run.`,
    );
  addCommonFlags(command);
  return command.action(async (kind: string, folder: string, flags: ImportFlags) => {
    const { InvalidOptionError } = await import('../errors.ts');
    if (kind !== 'aniportrait') {
      throw new InvalidOptionError(
        `Cannot import ${JSON.stringify(kind)}: expected aniportrait, the one kind that can be imported`,
        'kind',
        kind,
      );
    }
    const files: Partial<Record<CheckpointRole, string>> = {
      ...(flags.denoisingUnet !== undefined && { denoisingUnet: flags.denoisingUnet }),
      ...(flags.motionModule !== undefined && { motionModule: flags.motionModule }),
    };
    const { importAniPortrait } = await import('../bundles/import-aniportrait.ts');
    const result = await runWork(context, flags, 'Importing', (work) =>
      importAniPortrait(folder, {
        ...commonOptions(context, flags, work),
        ...(flags.name !== undefined && { name: flags.name }),
        ...(flags.lora !== undefined && { lora: parseLora(flags.lora) }),
        ...(flags.poseGuider !== undefined && { poseGuider: flags.poseGuider }),
        predictionType: flags.prediction === 'epsilon' ? 'epsilon' : 'v_prediction',
        files,
      }),
    );
    printMade(context, flags, result);
  });
}

interface FuseFlags extends MakeFlags {
  readonly name: string;
  readonly lora?: string[];
  readonly preset?: PresetName;
}

/** `models fuse`. */
export function createFuseCommand(context: CliContext): Command {
  const command = new Command('fuse')
    .description('merge LoRAs into the denoising UNet of a bundle, as a new bundle')
    .argument('<bundle>', 'name or folder of a bundle')
    .requiredOption('--name <name>', 'name of the bundle that is made')
    .option('--lora <file[:scale]>', 'LoRA to merge; repeatable (default scale: 1)', collect)
    .addOption(
      new Option(
        '--preset <name>',
        "merge this preset's own LoRAs, too, and keep those that have the same (without: fast is kept)",
      ).choices(['fast', 'faster', 'original']),
    )
    .option('--half', 'store the merged weights in half precision')
    .option('--fast <sampler:steps:guidance>', 'sampling of the preset fast, e.g. lcm:4:1')
    .option('--force', 'overwrite a bundle of that name');
  addCommonFlags(command);
  return command.action(async (name: string, flags: FuseFlags) => {
    const [{ openBundle }, { fuseBundle }] = await Promise.all([
      import('../models/bundle.ts'),
      import('../bundles/fuse-bundle.ts'),
    ]);
    const bundle = await openBundle(name, storeOf(context));
    const result = await runWork(context, flags, 'Fusing', (work) =>
      fuseBundle(bundle, {
        ...commonOptions(context, flags, work),
        name: flags.name,
        loras: (flags.lora ?? []).map(parseLora),
        preset: flags.preset,
      }),
    );
    printMade(context, flags, result);
  });
}

function commonOptions(context: CliContext, flags: MakeFlags, work: Work) {
  return {
    store: storeOf(context),
    half: flags.half === true,
    overwrite: flags.force === true,
    ...(flags.fast !== undefined && { fast: parseSettings(flags.fast) }),
    signal: work.signal,
    onProgress: (event: Parameters<NonNullable<ImportOptions['onProgress']>>[0]) => {
      if (event.type === 'notice') work.notice(event.message);
      else work.bytes(event.done, event.total, `the ${event.network}`);
    },
  };
}

/** The folder alone on the first line, for programs that read it, and a line about what was made. */
export function printMade(
  { stdout }: CliContext,
  { json }: CommonFlags,
  { name, folder, bytes, description }: ImportResult,
): void {
  if (json) {
    stdout.write(`${JSON.stringify({ type: 'result', name, folder, bytes, files: description.files })}\n`);
    return;
  }
  const { fast } = description.presets;
  const scales = fast?.loras.map(({ scale }) => scale).join(' and ');
  const loras = scales ? `, LoRA at ${scales}` : '';
  const sampling = fast
    ? `fast: ${fast.sampler}, ${fast.steps} steps, guidance ${fast.guidance}${loras}`
    : 'no preset fast';
  stdout.write(
    `${folder}\nbundle ${name}, ${formatBytes(bytes)}, ${description.resolution}×${description.resolution} at ${description.fps} fps; ` +
      `${sampling}\n`,
  );
}
