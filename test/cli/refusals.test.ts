/** What the program refuses, how it says so, and with which exit status: a row for each mistake of a user. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { temporaryDirectory } from '../helpers/media.ts';
import { runInProcess } from '../helpers/run-in-process.ts';

const ADA = 'assets/portraits/ada.jpg';
const SPEECH = 'assets/speech/short.wav';
const folder = temporaryDirectory();
const at = (name: string): string => path.join(folder, name);

writeFileSync(at('text.jpg'), 'no picture');
writeFileSync(at('text.wav'), 'no sound');
writeFileSync(at('there.mp4'), 'a video from elsewhere');
writeFileSync(at('file'), '');
writeFileSync(at('weights.safetensors'), 'no weights');
mkdirSync(at('folder.mp4'));
mkdirSync(at('no-bundle'));
mkdirSync(at('broken-bundle'));
writeFileSync(at('broken-bundle/bundle.json'), '{"formatVersion": 1,');
await sharp({ create: { width: 320, height: 320, channels: 3, background: '#7a8fa3' } })
  .png()
  .toFile(at('sky.png'));
cpSync(SPEECH, at('speech.wav'));
symlinkSync(at('speech.wav'), at('linked.mp4'));
const manifest = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const job = `portrait: ${path.resolve(ADA)}, audio: ${path.resolve(SPEECH)}`;

/** A command line that is right but for what is added to it. */
const animate = (...more: string[]): string[] => {
  const given = (flag: string) => more.includes(flag);
  return [
    'animate',
    ...(given('--portrait') ? [] : ['--portrait', ADA]),
    ...(given('--audio') ? [] : ['--audio', SPEECH]),
    ...(given('--output') ? [] : ['--output', at('new.mp4')]),
    ...(given('--device') ? [] : ['--device', 'cpu']),
    ...more,
  ];
};
const compare = (...more: string[]): string[] => [
  ...['compare', '--portrait', ADA, '--audio', SPEECH, '--output', at('report')],
  ...more,
];

interface Refusal {
  readonly title: string;
  readonly args: readonly string[];
  readonly status: number;
  /** Each is to be found in what is written to standard error. */
  readonly says: readonly (string | RegExp)[];
}

const REFUSALS: readonly Refusal[] = [
  // The command line itself.
  { title: 'a command that is none', args: ['animat'], status: 2, says: ['animat', 'Did you mean animate?'] },
  {
    title: 'nothing that is required',
    args: ['animate'],
    status: 2,
    says: [
      'Cannot animate without --portrait: expected the path of a picture with one clear face, got nothing',
      'Cannot animate without --audio: expected the path of a speech recording, got nothing; or give --driving, --motion, --pose-video or --idle',
      'Cannot animate without --output: expected the path of the video to write, ending in .mp4, .m4v, .mov, .webm, .gif, .webp, or in / for a folder of PNGs, or - for standard output, got nothing',
    ],
  },
  {
    title: 'a flag that is misspelt',
    args: animate('--stesp', '3'),
    status: 2,
    says: ['Cannot use --stesp: expected an option of animate, got an unknown name; did you mean --steps?'],
  },
  {
    title: 'a word that belongs to no flag',
    args: animate('face.jpg'),
    status: 2,
    says: ['Cannot use "face.jpg": expected options, got a word that belongs to none'],
  },
  {
    title: 'files without flags, of which one is a film',
    args: ['animate', ADA, SPEECH, 'talk.mp4'],
    status: 2,
    says: [
      `write: lcm-portrait animate --portrait ${ADA} --audio ${SPEECH} --output talk.mp4\nlcm-portrait: see --help`,
    ],
  },
  {
    title: 'two names for one motion file',
    args: ['motion', 'convert', at('a.npy'), at('b.npy'), '-o', at('c.npy')],
    status: 2,
    says: ['Cannot use --output: expected one file to write, got '],
  },
  { title: 'a flag without its value', args: animate('--seed'), status: 2, says: ["'--seed <n>'"] },

  // Values.
  ...(
    [
      ['--steps', '0', 'an integer from 1 to 100, got 0'],
      ['--steps', 'many', 'an integer from 1 to 100, got "many"'],
      ['--guidance', '0.5', 'a number from 1 to 20, got 0.5'],
      ['--denoise-every', '9', 'an integer from 1 to 8, got 9'],
      ['--windows', 'wide', 'overlapping, moving or loop, got "wide"'],
      ['--preset', 'slow', 'fast, faster or original, got "slow"'],
      ['--sampler', 'magic', 'lcm, ddim, dpmsolver, tcd or euler, got "magic"'],
      ['--precision', 'int4', 'auto, float32, float16 or int8, got "int4"'],
      ['--seed', '-1', 'an integer from 0 to 2^53 − 1, got -1'],
      ['--seed', '1.5', 'an integer from 0 to 2^53 − 1, got 1.5'],
      ['--fps', '1000', 'a number from 1 to 120, got 1000'],
      ['--fps', 'NaN', 'a number from 1 to 120, got "NaN"'],
      ['--device', 'gpu', 'auto, cpu, cuda, webgpu, coreml or dml, got "gpu"'],
      ['--threads', '0', 'an integer from 1 to 256, got 0'],
      ['--framing', 'wide', 'paste-back or crop, got "wide"'],
      ['--mouth-scale', '4', 'a number from 0 to 3, got 4'],
      ['--blink-scale', '-0.1', 'a number from 0 to 1, got -0.1'],
      ['--lora', 'style.safetensors:99', 'LoRA files, each with a scale from -10 to 10, got {"path":'],
      [
        '--output',
        'talk.avi',
        'the path of the video to write, ending in .mp4, .m4v, .mov, .webm, .gif, .webp, or in / for a folder of PNGs, or - for standard output, got "talk.avi"',
      ],
      ['--crf', '52', 'an integer from 0 to 51, got 52'],
      ['--fps', '30/0', 'a number from 1 to 120, got "30/0"'],
      ['--idle', '0', 'a number from 0.5 to 3600, got 0'],
      ['--idle', '8', 'none together with --audio, got both'],
      ['--portrait', '', 'the path of a picture with one clear face, got ""'],
    ] as const
  ).map(([flag, value, expected]) => ({
    title: `${flag} ${value}`,
    args: animate(flag, value),
    status: 2,
    says: [`Cannot use ${flag}: expected ${expected}`],
  })),
  {
    title: 'more steps than the sampler was distilled on',
    args: animate('--sampler', 'tcd', '--steps', '51'),
    status: 2,
    says: [
      'Cannot use --steps: expected at most 50 with --sampler tcd, got 51; take another sampler for more',
    ],
  },
  {
    title: "more steps than the preset's sampler was distilled on",
    args: animate('--steps', '51'),
    status: 2,
    says: [
      'Cannot use --steps: expected at most 50 with lcm, the sampler of --preset fast, got 51; set --sampler for more',
    ],
  },

  // Files.
  {
    title: 'an output that is the recording',
    args: animate('--audio', at('there.mp4'), '--output', at('there.mp4')),
    status: 2,
    says: ['Cannot use --output: expected another file than --audio, got'],
  },
  {
    title: 'an output that is the recording under another name',
    args: animate('--audio', at('speech.wav'), '--output', at('linked.mp4'), '--force'),
    status: 2,
    says: ['linked.mp4: expected another file than the input, got the input'],
  },
  {
    title: 'an output that exists',
    args: animate('--output', at('there.mp4')),
    status: 3,
    says: ['expected a new file, got one that exists; choose another name, or set --force'],
  },
  {
    title: 'an output that is a folder',
    args: animate('--output', at('folder.mp4')),
    status: 3,
    says: ['expected a file name, got a folder'],
  },
  {
    title: 'an output in a folder that is not there',
    args: animate('--output', at('nowhere/new.mp4')),
    status: 3,
    says: ['expected a folder that exists, got', 'create it first'],
  },
  {
    title: 'an output under a file',
    args: animate('--output', at('file/new.mp4')),
    status: 3,
    says: ['expected a folder'],
  },
  {
    title: 'a portrait that is not there',
    args: animate('--portrait', at('nobody.jpg')),
    status: 3,
    says: ['nobody.jpg: expected', 'nothing at this path'],
  },
  {
    title: 'a portrait that is no picture',
    args: animate('--portrait', at('text.jpg')),
    status: 3,
    says: ['text.jpg: expected'],
  },
  {
    title: 'a portrait without a face',
    args: animate('--portrait', at('sky.png')),
    status: 4,
    says: ['sky.png: expected', 'face'],
  },
  {
    title: 'a recording that is not there',
    args: animate('--audio', at('nothing.wav')),
    status: 3,
    says: ['nothing.wav: expected', 'nothing at this path'],
  },
  {
    title: 'a recording that is no sound',
    args: animate('--audio', at('text.wav')),
    status: 3,
    says: ['text.wav: expected'],
  },
  {
    title: 'a recording that is a picture',
    args: animate('--audio', ADA),
    status: 3,
    says: ['ada.jpg: expected'],
  },
  {
    title: 'a bundle that nobody has',
    args: animate('--bundle', 'tinny'),
    status: 5,
    says: ['tinny'],
  },
  {
    title: 'a folder that is no bundle',
    args: animate('--bundle', at('no-bundle')),
    status: 5,
    says: ['bundle.json'],
  },
  {
    title: 'a bundle whose description is cut off',
    args: animate('--bundle', at('broken-bundle')),
    status: 5,
    says: ['bundle.json', 'JSON'],
  },
  {
    title: 'a LoRA that is not there',
    args: animate('--lora', at('style.safetensors')),
    status: 5,
    says: ['style.safetensors: expected', 'nothing at this path'],
  },
  {
    title: 'a LoRA that is none',
    args: animate('--lora', at('weights.safetensors')),
    status: 5,
    says: ['weights.safetensors'],
  },

  // Batches.
  {
    title: 'a batch without a manifest',
    args: ['batch'],
    status: 2,
    says: ['Cannot run a batch without a manifest'],
  },
  {
    title: 'a manifest that is not there',
    args: ['batch', at('jobs.yaml')],
    status: 10,
    says: ['jobs.yaml: expected a file, got nothing at this path'],
  },
  {
    title: 'a manifest of another kind',
    args: ['batch', at('text.jpg')],
    status: 10,
    says: ['expected a file that ends in .yaml'],
  },
  {
    title: 'a manifest that is no YAML',
    args: ['batch', manifest('cut.yaml', 'jobs:\n  - {portrait: [a.jpg\n')],
    status: 10,
    says: [/cut\.yaml: line \d: expected YAML, got: /],
  },
  {
    title: 'jobs with all kinds of mistakes',
    args: [
      'batch',
      manifest(
        'wrong.yaml',
        `defaults: {fps: 0}\njobs:\n  - {${job}, stps: 4}\n  - {${job}, portrait: nobody.jpg, device: cpu}\n`.replace(
          `${job}, portrait`,
          `audio: ${path.resolve(SPEECH)}, portrait`,
        ),
      ),
    ],
    status: 10,
    says: [
      'line 1: Cannot use fps: expected a number from 1 to 120, got 0',
      'line 3: cannot use stps: expected a key of a job, got an unknown name; did you mean steps?',
      'line 4: cannot use device here: the jobs of a batch share it; set it for the batch',
      'line 4: cannot read portrait nobody.jpg: expected a file, got nothing at this path',
    ],
  },
  {
    title: 'two jobs with one output',
    args: ['batch', manifest('same.yaml', `- {${job}}\n- {${job}, seed: 7}\n`)],
    status: 10,
    says: ['ada-short.mp4: expected another output for each job, got that of line 1'],
  },
  {
    title: 'flags of a batch that exclude each other',
    args: ['batch', at('same.yaml'), '--fail-fast', '--keep-going', '--shared', folder, '--threads', '0'],
    status: 2,
    says: [
      'Cannot use --fail-fast: expected it without --keep-going, got both',
      'Cannot use --shared: expected it together with --queue, got it alone',
      'Cannot use --threads: expected an integer from 1 to 256, got 0',
    ],
  },
  {
    title: 'a queue that is no Redis',
    args: ['worker', '--queue', 'http://example.org'],
    status: 2,
    says: ['Cannot use --queue: expected redis://host:port/database or rediss://…, got http://example.org'],
  },

  // Comparisons, measurements, bundles.
  {
    title: 'a variant of a sampler that is none',
    args: compare('--with', 'sampler=magic', '--repeats', '0'),
    status: 2,
    says: [
      'Cannot use --with "sampler=magic": expected sampler to be lcm, ddim, dpmsolver, tcd or euler, got "magic"',
      'Cannot use --repeats: expected an integer from 1 to 100, got 0',
    ],
  },
  {
    title: 'a sweep of what is no number',
    args: compare('--sweep', 'sampler=lcm,ddim'),
    status: 2,
    says: ['Cannot use --sweep "sampler=lcm,ddim": expected steps=1,2,4,8, guidance=1,2 or every=1,2,3'],
  },
  {
    title: 'a report where a file is',
    args: ['compare', '--portrait', ADA, '--audio', SPEECH, '--output', at('file')],
    status: 3,
    says: ['expected a folder, got a file'],
  },
  {
    title: 'settings of a benchmark that are none',
    args: ['bench', '--devices', 'gpu', '--frames', '0'],
    status: 2,
    says: [
      'Cannot use --devices: expected auto, cpu, cuda, webgpu, coreml or dml, got "gpu"',
      'Cannot use --frames: expected an integer from 1 to 64, got 0',
    ],
  },
  {
    title: 'flags of a profile without one',
    args: ['bench', '--preset', 'fast'],
    status: 2,
    says: ['Cannot use --preset: expected it together with --profile, got fast'],
  },
  {
    title: 'a hash that is none',
    args: ['models', 'pull', 'https://example.org/bundle.json', '--sha256', 'abc', '--output', at('lora')],
    status: 2,
    says: ['Cannot use --sha256: expected 64 hexadecimal digits in lower case, got "abc"'],
  },
  {
    title: 'a bundle that cannot be removed',
    args: ['models', 'remove', 'tiny'],
    status: 2,
    says: ['Cannot remove bundle tiny: expected an installed one, got one that the package carries'],
  },
];

for (const { title, args, status, says } of REFUSALS) {
  test(`refused: ${title}`, { timeout: 600_000 }, async () => {
    const result = await runInProcess(args);
    assert.equal(result.status, status, result.stderr);
    assert.equal(result.stdout, '');
    for (const words of says) {
      const found = typeof words === 'string' ? result.stderr.includes(words) : words.test(result.stderr);
      assert.ok(found, `expected ${words} in:\n${result.stderr}`);
    }
    assert.ok(!/\n\s+at /.test(result.stderr), 'no stack');
  });
}

test('an output where nobody may write', {
  timeout: 600_000,
  skip: process.platform !== 'linux',
}, async () => {
  const { status, stderr } = await runInProcess(animate('--output', '/proc/new.mp4'));
  assert.equal(status, 3);
  assert.match(stderr, /expected a folder that can be written, got \/proc \(\w+\); choose another folder/);
});
