import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadManifest } from '../../src/jobs/manifest.ts';
import { type BatchManifest, ManifestError } from '../../src/jobs/manifest-schema.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
for (const name of ['ada.jpg', 'ben.jpg', 'hello.wav', 'bye.wav', '[odd].jpg']) {
  writeFileSync(path.join(folder, name), name);
}
mkdirSync(path.join(folder, 'faces'));
for (const name of ['c.png', 'a.png', 'b.png']) writeFileSync(path.join(folder, 'faces', name), name);

let files = 0;
/** Writes a manifest and returns its path. */
function write(extension: string, text: string): string {
  const file = path.join(folder, `jobs-${files++}${extension}`);
  writeFileSync(file, text);
  return file;
}

/** What is wrong with a manifest, as `place: message`. */
async function problemsOf(manifest: string | BatchManifest): Promise<string[]> {
  try {
    await loadManifest(manifest, { baseFolder: folder });
  } catch (error) {
    assert(error instanceof ManifestError);
    return error.problems.map(({ place, message }) => `${place}: ${message}`);
  }
  return [];
}

const WANTED = [
  { portrait: 'ada.jpg', audio: 'hello.wav', output: 'out/one.mp4', seed: 7, priority: 5 },
  { portrait: 'ben.jpg', audio: 'bye.wav', output: 'ben-bye.mp4', still: true, attempts: 1 },
].map((job) => ({
  ...job,
  portrait: path.join(folder, job.portrait),
  audio: path.join(folder, job.audio),
  output: path.join(folder, job.output),
}));

for (const [extension, text] of [
  [
    '.yaml',
    `defaults: {priority: 5, seed: 7}
jobs:
  - portrait: ada.jpg
    audio: hello.wav
    output: out/one.mp4
  - {portrait: ben.jpg, audio: bye.wav, seed: 42, still: true, attempts: 1, priority: 0}
`,
  ],
  [
    '.json',
    JSON.stringify(
      {
        jobs: [
          { portrait: 'ada.jpg', audio: 'hello.wav', output: 'out/one.mp4', seed: 7, priority: 5 },
          { portrait: 'ben.jpg', audio: 'bye.wav', still: true, attempts: 1, seed: 42 },
        ],
      },
      undefined,
      '\t',
    ),
  ],
  [
    '.jsonl',
    `{"portrait":"ada.jpg","audio":"hello.wav","output":"out/one.mp4","seed":7,"priority":5}

{"portrait":"ben.jpg","audio":"bye.wav","still":true,"attempts":1,"seed":42}
`,
  ],
  [
    '.csv',
    `\ufeffportrait, audio, output, seed, priority, still, attempts
ada.jpg, hello.wav, out/one.mp4, 7, 5,,
"ben.jpg",bye.wav,,42,,TRUE,1
`,
  ],
  [
    '.csv',
    `portrait;audio;output;seed;priority;still;attempts
ada.jpg;hello.wav;out/one.mp4;7;5;;
ben.jpg;bye.wav;;42;;true;1
`,
  ],
] as const) {
  test(`${extension} gives the jobs that it says`, async () => {
    const { jobs } = await loadManifest(write(extension, text));
    assert.equal(jobs.length, 2);
    for (const [i, { priority, attempts, options }] of jobs.entries()) {
      const { portrait, audio, output, seed = 42, still = false } = WANTED[i]!;
      assert.deepEqual(
        [options.portrait, options.audio, options.output, options.seed, options.still ?? false],
        [portrait, audio, output, seed, still],
      );
      assert.deepEqual([priority, attempts], [WANTED[i]!.priority ?? 0, WANTED[i]!.attempts ?? 3]);
    }
  });
}

test("AniPortrait's own configuration and the map alone are taken", async () => {
  const map = `"./ada.jpg":
  - "./hello.wav"
  - "./bye.wav"
"ben.jpg": [hello.wav]
`;
  const indented = map.replace(/^/gm, '  ');
  const whole = `pretrained_vae_path: "./x"\nweight_dtype: 'fp16'\n\ntest_cases:\n${indented}\n`;
  for (const text of [map, whole]) {
    const { jobs, notices } = await loadManifest(write('.yaml', text));
    assert.deepEqual(
      jobs.map(({ name }) => name),
      ['ada-hello.mp4', 'ada-bye.mp4', 'ben-hello.mp4'],
    );
    assert.equal(notices.length, text === whole ? 1 : 0);
  }
  assert.deepEqual(await problemsOf(write('.yaml', map.replace('./bye', './no'))), [
    'line 3: cannot read audio ./no.wav: expected a file, got nothing at this path',
  ]);
});

test('patterns and lists make a job of each pair, in order', async () => {
  const { jobs } = await loadManifest(
    {
      defaults: { audio: ['hello.wav', 'bye.wav'], output: 'out/{index}-{portrait}-{audio}-{seed}.mp4' },
      jobs: [{ portrait: ['faces/*.png', 'faces/b.png'], seed: 3 } as never],
    },
    { baseFolder: folder },
  );
  assert.deepEqual(
    jobs.map(({ name }) => name),
    [
      ...['out/001-a-hello-3.mp4', 'out/002-a-bye-3.mp4', 'out/003-b-hello-3.mp4'],
      ...['out/004-b-bye-3.mp4', 'out/005-c-hello-3.mp4', 'out/006-c-bye-3.mp4'],
    ],
  );
});

test('a file is meant by its name, even if that looks like a pattern', async () => {
  const { jobs } = await loadManifest(
    { jobs: [{ portrait: '[odd].jpg', audio: 'hello.wav' }] },
    { baseFolder: folder },
  );
  assert.equal(jobs[0]!.options.portrait, path.join(folder, '[odd].jpg'));
});

for (const name of ['soft.safetensors', 'teeth.safetensors']) writeFileSync(path.join(folder, name), name);
const SOFT = { path: path.join(folder, 'soft.safetensors'), scale: 0.5 };
const TEETH = { path: path.join(folder, 'teeth.safetensors'), scale: 1 };

for (const [extension, text] of [
  [
    '.yaml',
    `defaults: {loras: 'soft.safetensors:0.5', audio: hello.wav}
jobs:
  - {portrait: ada.jpg}
  - {portrait: ben.jpg, loras: [soft.safetensors:0.5, {path: teeth.safetensors, scale: 1}]}
  - {portrait: faces/a.png, loras: []}
`,
  ],
  [
    '.jsonl',
    `{"portrait":"ada.jpg","audio":"hello.wav","loras":"soft.safetensors:0.5"}
{"portrait":"ben.jpg","audio":"hello.wav","loras":["soft.safetensors:0.5","teeth.safetensors"]}
{"portrait":"faces/a.png","audio":"hello.wav"}
`,
  ],
  [
    '.csv',
    `portrait,audio,loras
ada.jpg,hello.wav,soft.safetensors:0.5
ben.jpg,hello.wav,soft.safetensors:0.5 | teeth.safetensors
faces/a.png,hello.wav,
`,
  ],
] as const) {
  test(`LoRAs of ${extension}: one or several, from the defaults or not, seen from the manifest's folder`, async () => {
    const { jobs } = await loadManifest(write(extension, text));
    assert.deepEqual(
      jobs.map(({ options }) => options.loras ?? []),
      [[SOFT], [SOFT, TEETH], []],
    );
  });
}

test('LoRAs that are not there, too strong or nothing of the kind', async () => {
  const text = `defaults: {audio: hello.wav, loras: [no.safetensors]}
jobs:
  - {portrait: ada.jpg}
  - {portrait: ben.jpg}
  - portrait: faces/a.png
    loras:
      - soft.safetensors
      - neither.safetensors:0.5
  - {portrait: faces/b.png, loras: 'soft.safetensors:11'}
  - {portrait: faces/c.png, loras: [3]}
  - {portrait: '[odd].jpg', lora: soft.safetensors}
`;
  const expected = 'expected LoRA files, each with a scale from -10 to 10, got';
  assert.deepEqual(await problemsOf(write('.yaml', text)), [
    'line 1: cannot read LoRA no.safetensors: expected a file, got nothing at this path',
    'line 8: cannot read LoRA neither.safetensors: expected a file, got nothing at this path',
    `line 9: Cannot use loras: ${expected} {"path":"soft.safetensors","scale":11}`,
    `line 10: Cannot use loras: ${expected} 3`,
    'line 11: cannot use lora: expected a key of a job, got an unknown name; did you mean loras?',
  ]);
});

test('transparency goes with the outputs of a manifest that can have it, and with no other', async () => {
  const text = `defaults: {portrait: ada.jpg, audio: hello.wav, background: transparent}
jobs:
  - {output: one.webm}
  - {output: 'out/{portrait}.mov'}
  - {output: frames/}
  - {output: two.mp4}
  - {}
`;
  const expected =
    'Cannot use background: expected transparent with output that ends in .mov, .webm, .webp, / (a folder of PNGs)';
  assert.deepEqual(await problemsOf(write('.yaml', text)), [`line 1: ${expected}, got it with output.mp4`]);
});

test('everything that is wrong is reported at once, with its line', async () => {
  const text = `defaults:
  sampler: lmc
  prioritty: 3
jobs:
  - portrait: ada.jpg
    audio: hello.wav
    stps: 4
    steps: 500
  - portrait: nobody.jpg
    audio: [hello.wav,
            no.wav]
    device: cuda
  - audio: hello.wav
    portrait: faces/*.gif
    output: x.avi
    timeout: -1
  - just text
verison: 1
`;
  assert.deepEqual(await problemsOf(write('.yaml', text)), [
    'line 18: cannot use verison: expected a key of a manifest, got an unknown name; did you mean version?',
    'line 3: cannot use prioritty: expected a key of a job, got an unknown name; did you mean priority?',
    'line 2: Cannot use sampler: expected lcm, ddim, dpmsolver, tcd or euler, got "lmc"',
    'line 7: cannot use stps: expected a key of a job, got an unknown name; did you mean steps?',
    'line 8: Cannot use steps: expected an integer from 1 to 100, got 500',
    'line 12: cannot use device here: the jobs of a batch share it; set it for the batch',
    'line 9: cannot read portrait nobody.jpg: expected a file, got nothing at this path',
    'line 11: cannot read audio no.wav: expected a file, got nothing at this path',
    'line 16: cannot use timeout: expected seconds, more than 0 and at most 604800 (a week), got -1',
    'line 14: cannot read portrait faces/*.gif: expected a file, got a pattern that no file matches',
    'line 17: expected a job: a map with portrait and audio, got "just text"',
  ]);
});

test('what is wrong with the defaults alone is reported with the rest, though each job by itself is right', async () => {
  const text = `defaults: {preset: fastt, sampler: lcm,
  output: 3, id: 4}
jobs:
  - {portrait: ada.jpg, audio: hello.wav}
  - {portrait: ada.jpg, audio: hello.wav, steps: 60, output: one.mp4}
  - {portrait: ben.jpg, audio: no.wav}
`;
  assert.deepEqual(await problemsOf(write('.yaml', text)), [
    'line 2: cannot use id here: expected it in a job, each has its own',
    'line 1: Cannot use preset: expected fast, faster or original, got "fastt"',
    'line 2: cannot use id: expected text, got 4',
    'line 2: cannot use output: expected text, got 3',
    'line 5: Cannot use steps: expected at most 50 with sampler lcm, got 60; take another sampler for more',
    'line 6: cannot read audio no.wav: expected a file, got nothing at this path',
  ]);
});

test('lines of tables and JSON lines are those of the file; a column has its name on the first', async () => {
  const csv = write('.csv', 'portrait,audio,stps\nada.jpg,hello.wav,4\n\nben.jpg,no.wav,4\n');
  const wanted = [
    'line 4: cannot use stps: expected a key of a job, got an unknown name; did you mean steps?',
    'line 4: cannot read audio no.wav: expected a file, got nothing at this path',
  ];
  assert.deepEqual(await problemsOf(csv), [wanted[0]!.replace('4', '1'), wanted[1]]);
  const lines = `{"portrait":"ada.jpg","audio":"hello.wav"}\n\n\n{"portrait":"ben.jpg","audio":"no.wav","stps":4}\n`;
  assert.deepEqual(await problemsOf(write('.jsonl', lines)), wanted);
  const json = write('.json', '{\n "jobs": [\n  {"portrait": "ada.jpg",\n   "audio": "no.wav"}\n ]\n}');
  assert.deepEqual(await problemsOf(json), [wanted[1]]);
});

for (const [title, extension, text, wanted] of [
  ['YAML', '.yaml', 'jobs:\n  - portrait: [a\n  x: 1\n', /^line [34]: expected YAML, got: /],
  ['JSON', '.json', '{\n "jobs": [\n  {"portrait" "a"}\n ]}', /^line 3: expected JSON, got: /],
  ['JSON lines', '.jsonl', '{"portrait":"ada.jpg"\n', /^line 1: expected a JSON object, got: /],
  [
    'CSV',
    '.csv',
    'portrait,audio\nada.jpg,hello.wav,more\n',
    /^line 2: expected 2 columns, each with a name, got "more" in column 3/,
  ],
  [
    'CSV with a quote that does not end',
    '.csv',
    'portrait,audio\nada.jpg,"hello.wav\n',
    /expected CSV, got: /,
  ],
  [
    'CSV with a column twice',
    '.csv',
    'portrait,Portrait\nada.jpg,ada.jpg\n',
    /^line 1: expected each column once/,
  ],
  ['JSON with a key twice', '.json', '{"jobs": [],\n "jobs": []}', /^line 2: expected each key once/],
  ['an extension that is none', '.doc', '', /^: expected a file that ends in \.yaml/],
  ['a list without jobs', '.yaml', 'jobs: []\n', /^line 1: expected jobs: .* got an empty list$/],
] as const) {
  test(`${title} that does not parse is a problem with a line`, async () => {
    const problems = await problemsOf(write(extension, text));
    assert.match(problems[0] ?? 'no problem', wanted);
  });
}

test('two jobs with one output are refused, by whichever name it is reached', async () => {
  symlinkSync(path.join(folder, 'faces'), path.join(folder, 'linked'));
  const job = { portrait: 'ada.jpg', audio: 'hello.wav' };
  const problems = await problemsOf({
    jobs: [
      { ...job, output: 'faces/talk.mp4' },
      { ...job, output: 'linked/talk.mp4' },
      { ...job, output: 'new/Talk.mp4' },
      { ...job, output: 'new/talk.mp4' },
      { ...job, output: 'linked/../other.mp4' },
    ],
  });
  assert.deepEqual(
    problems.map((problem) => problem.replaceAll(folder, '').slice(0, 100)),
    [
      'jobs[1]: cannot write /linked/talk.mp4: expected another output for each job, got that of jobs[0] (a',
      'jobs[3]: cannot write /new/talk.mp4: expected another output for each job, got that of jobs[2] (as /',
    ],
  );
});

test('outputs are compared though something else is wrong', async () => {
  const job = { portrait: 'ada.jpg', audio: 'hello.wav', output: 'one.mp4' };
  const problems = await problemsOf({ jobs: [job, { ...job, seed: -1 }, { ...job, seed: 1 }] });
  assert.equal(problems.length, 2);
  assert.match(problems[0]!, /^jobs\[1\]\.seed: Cannot use seed/);
  assert.match(problems[1]!, /^jobs\[2\]: cannot write .*one\.mp4: .* got that of jobs\[0\]/);
});

test('an output that is another job’s input is refused', async () => {
  writeFileSync(path.join(folder, 'film.mp4'), '');
  const problems = await problemsOf({
    jobs: [
      { portrait: 'ada.jpg', audio: 'film.mp4' },
      { portrait: 'ben.jpg', audio: 'hello.wav', output: 'film.mp4' },
    ],
  });
  assert.match(problems[0]!, /^jobs\[1\]: .*got the input of jobs\[0\]$/);
});

test('a placeholder that is unknown or has no value is a problem', async () => {
  const job = { portrait: 'ada.jpg', audio: 'hello.wav' };
  assert.deepEqual(
    await problemsOf({
      jobs: [
        { ...job, output: '{portait}.mp4' },
        { ...job, output: '{id}.mp4' },
        { ...job, output: '{portrait-{audio}.mp4' },
        { ...job, output: 'out/{portrait.mp4' },
        { ...job, output: 'portrait}.mp4' },
        { ...job, output: '{steps}.mp4', bundle: 'none' },
      ],
    }).then((problems) => problems.map((problem) => problem.slice(0, 130))),
    [
      'jobs[0].output: cannot use output "{portait}.mp4": expected a placeholder such as {portrait}, got {portait}',
      'jobs[1].output: cannot use output "{id}.mp4": {id} has no value: the job does not set id',
      'jobs[2].output: cannot use output "{portrait-{audio}.mp4": expected a } after {portrait-, got none; a brace of the name itself is ',
      'jobs[3].output: cannot use output "out/{portrait.mp4": expected a } after {portrait.mp4, got none; a brace of the name itself is w',
      'jobs[4].output: cannot use output "portrait}.mp4": expected a { before }, got none; a brace of the name itself is written twice',
      'jobs[5].output: cannot use output "{steps}.mp4": {steps} is the bundle\'s, and Cannot open bundle none: expected a folder with bund',
    ],
  );
});

test('placeholders have the values that apply: the job’s, the preset’s, the bundle’s', async () => {
  const job = {
    portrait: 'ada.jpg',
    audio: 'hello.wav',
    output: '{{{preset}}} {sampler} {steps} {fps} {seed}.mp4',
  };
  const { jobs } = await loadManifest(
    {
      jobs: [
        job,
        { ...job, preset: 'original' },
        { ...job, fps: 12, steps: 8, seed: 1 },
        { ...job, fps: '30000/1001' },
      ],
    },
    { baseFolder: folder },
  );
  assert.deepEqual(
    jobs.map(({ options: { output } }) => path.basename(output)),
    [
      '{fast} lcm 4 25 42.mp4',
      '{original} ddim 25 25 42.mp4',
      '{fast} lcm 8 12 1.mp4',
      '{fast} lcm 4 29.97 42.mp4',
    ],
  );
});

test('folders are called what they are called, and only then patterns', async () => {
  const names = [
    ...[
      'Dropbox (Personal)',
      'shoot [2024]',
      'a{b,c}',
      '!new',
      'x+(y)',
      '50% #1',
      '日本語（新） [a-z]',
      'deep [1]/(x)',
    ],
    ...['set[ab]', 'seta'],
  ];
  for (const name of names) {
    mkdirSync(path.join(folder, 'odd', name), { recursive: true });
    writeFileSync(path.join(folder, 'odd', name, 'p1.jpg'), '');
    writeFileSync(path.join(folder, 'odd', name, 'p[2].jpg'), '');
  }
  const found = async (portrait: string): Promise<string[]> => {
    const { jobs } = await loadManifest(
      { jobs: [{ portrait, audio: 'hello.wav', output: '{index}.mp4' }] },
      { baseFolder: folder },
    );
    return jobs.map(({ options }) => path.relative(path.join(folder, 'odd'), options.portrait!));
  };
  for (const name of names) {
    const both = [`${name}/p1.jpg`, `${name}/p[2].jpg`];
    assert.deepEqual(await found(`odd/${name}/*.jpg`), both, name);
    assert.deepEqual(await found(`${folder}/odd/${name}/*`), both, name);
    assert.deepEqual(await found(`./odd/${name}/p[2].jpg`), both.slice(1), name);
    assert.deepEqual(await found(`odd/${name}/p[0-9].jpg`), both.slice(0, 1), name);
  }
  // A folder behind a star is looked for in both ways, too.
  assert.deepEqual(await found('*/shoot [2024]/p1.jpg'), ['shoot [2024]/p1.jpg']);
  assert.deepEqual(await found('odd/set[a]/p1.jpg'), ['seta/p1.jpg']);
  assert.deepEqual(await found('odd/{!new,seta}/p1.jpg'), ['!new/p1.jpg', 'seta/p1.jpg']);
  assert.deepEqual(await found('odd/**/\\(x\\)/*1.jpg'), ['deep [1]/(x)/p1.jpg']);
});

test('paths of other systems and escape sequences are shown, with the way to put them right', async () => {
  const job = { audio: 'hello.wav', output: 'one.mp4' };
  const double = (portrait: string): string => `jobs:\n  - portrait: "${portrait}"\n    audio: hello.wav\n`;
  for (const [problems, wanted] of [
    [
      await problemsOf(write('.yaml', double('C:\\Users\\ada.jpg'))),
      /^line 2: .*escape.*single quotes, or write \/ for it/,
    ],
    [
      await problemsOf(write('.yaml', double('faces\\ada.jpg'))),
      /faces\\ada\.jpg: .*control character \\a;.*single quotes/,
    ],
    [
      await problemsOf(write('.json', '[{"portrait":"a\\q.jpg","audio":"hello.wav"}]')),
      /^line 1: expected JSON.*backslash begins an escape sequence: write \//,
    ],
    [await problemsOf(write('.jsonl', '{"portrait":"a\\q.jpg"}\n')), /^line 1: .*write \/ for it/],
    [
      await problemsOf({ jobs: [{ ...job, portrait: 'faces\\a.png' }] }),
      /Windows only: write faces\/a\.png, which is there/,
    ],
    [
      await problemsOf({ jobs: [{ ...job, portrait: 'faces\\*.png' }] }),
      /Windows only: write faces\/\*\.png/,
    ],
    [
      await problemsOf({ jobs: [{ ...job, portrait: 'C:/Users/ada.jpg' }] }),
      /a path with a drive is one of Windows/,
    ],
    [
      await problemsOf({ jobs: [{ ...job, portrait: 'ada.jpg', output: 'out\\one.mp4' }] }),
      /output.*Windows only: write out\/one\.mp4/,
    ],
    [
      await problemsOf({ jobs: [{ ...job, portrait: 'ada.jpg', output: 'out\talk.mp4' }] }),
      /control character \\t/,
    ],
    [
      await problemsOf({ jobs: [{ ...job, portrait: 'ada.jpg', loras: 'my\\style.safetensors' }] }),
      /LoRA my\\style.*write my\/style\.safetensors/,
    ],
  ] as const) {
    assert.match(problems.join('\n'), wanted);
  }
});

test('~ is the home of the user, never a folder', async () => {
  const home = path.join(folder, 'home');
  mkdirSync(path.join(home, 'faces'), { recursive: true });
  writeFileSync(path.join(home, 'faces', 'me.jpg'), '');
  const before = process.env.HOME;
  process.env.HOME = home;
  try {
    const { jobs } = await loadManifest(
      {
        jobs: [
          {
            portrait: ['~/faces/me.jpg', '~/faces/*.jpg'],
            audio: 'hello.wav',
            output: '~/out/{portrait}.mp4',
          },
        ],
      },
      { baseFolder: folder },
    );
    assert.deepEqual(
      jobs.map(({ options: { portrait, output } }) => [portrait, output]),
      [[path.join(home, 'faces', 'me.jpg'), path.join(home, 'out', 'me.mp4')]],
    );
    const problems = await problemsOf({
      jobs: [{ portrait: '~ada/me.jpg', audio: 'hello.wav', output: '~ada/x.mp4' }],
    });
    assert.match(problems.join('\n'), /portrait ~ada\/me\.jpg: expected ~\/ or the whole path.*got ~ada/);
    assert.match(
      (
        await problemsOf({ jobs: [{ portrait: 'ada.jpg', audio: 'hello.wav', output: '~ada/x.mp4' }] })
      ).join(),
      /output.*expected ~\/ or the whole path/,
    );
  } finally {
    if (before === undefined) delete process.env.HOME;
    else process.env.HOME = before;
  }
});

test('JSON takes AniPortrait’s form, as YAML does', async () => {
  const text = JSON.stringify({ test_cases: { 'ada.jpg': ['hello.wav', 'bye.wav'] }, weight_dtype: 'fp16' });
  for (const extension of ['.json', '.yaml']) {
    const { jobs, notices } = await loadManifest(write(extension, text));
    assert.equal(jobs.length, 2, extension);
    assert.match(notices.join(), /weight_dtype/);
  }
});

test('a name that no disk takes is refused before anything is rendered', async () => {
  const output = `${'顔'.repeat(90)}.mp4`;
  const problems = await problemsOf({ jobs: [{ portrait: 'ada.jpg', audio: 'hello.wav', output }] });
  assert.match(problems.join(), /a name of at most 255 bytes, got 274/);
});

test('anchors and merged maps work, and a bomb of aliases does not', async () => {
  const merged = `base: &base {audio: hello.wav}\njobs:\n  - <<: *base\n    portrait: ada.jpg\n`;
  const problems = await problemsOf(write('.yaml', merged));
  assert.match(problems.join(), /^line 1: cannot use base: expected a key of a manifest/);
  const inJobs = `jobs:\n  - &first {portrait: ada.jpg, audio: hello.wav}\n  - {<<: *first, audio: bye.wav}\n`;
  assert.deepEqual(
    (await loadManifest(write('.yaml', inJobs))).jobs.map(({ name }) => name),
    ['ada-hello.mp4', 'ada-bye.mp4'],
  );
  let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x]\n';
  for (let i = 1; i < 9; i++) {
    bomb += `a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(', ')}]\n`;
  }
  assert.match((await problemsOf(write('.yaml', bomb))).join(), /alias/);
});
