import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { formatReport, isReady } from '../../src/cli/doctor-report.ts';
import {
  describeProviders,
  examineBundles,
  examineFaceModels,
  examineFolder,
  examineHome,
  examineMachine,
  examineMemory,
  examineNode,
  examinePlaces,
  examineProcessor,
  examineWeightCache,
} from '../../src/cli/examine-machine.ts';
import { EnvironmentError } from '../../src/errors.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { assertWritesIn } from '../../src/media/ffmpeg-places.ts';
import { EMBEDDED_BUNDLES } from '../../src/models/bundle.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'lcm-portrait-test-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

test('an old Node.js is a problem with a way out', () => {
  assert.equal(examineNode('20.19.0', 'linux', 'x64').verdict, 'ok');
  assert.equal(examineNode('22.1.0', 'linux', 'x64').verdict, 'ok');
  for (const version of ['20.18.3', '18.20.0']) {
    const finding = examineNode(version, 'linux', 'x64');
    assert.equal(finding.verdict, 'problem');
    assert.match(finding.advice!, /20\.19 or later/);
  }
});

test("memory is the container's where there is a limit", () => {
  assert.equal(examineMemory(16e9, 0, 8e9).found, '8.0 GB available of 16.0 GB');
  assert.equal(examineMemory(16e9, 4e9, 2e9).found, '2.0 GB available of 4.0 GB');
  assert.equal(examineMemory(16e9, 2 ** 63, 2e9).found, '2.0 GB available of 16.0 GB');
  assert.equal(examineMemory(16e9, 0, 1e9).verdict, 'note');
});

test('only the CPU is needed; devices of other systems are left out', () => {
  const reason = '/src/webgpu.cc:136 Init() status == Success was false. Failed to get a WebGPU adapter';
  const findings = describeProviders(
    [
      { device: 'cpu', bundled: true, usable: true },
      { device: 'cuda', bundled: false, usable: false, reason: 'Failed to load shared library' },
      { device: 'webgpu', bundled: true, usable: false, reason },
      { device: 'dml', bundled: false, usable: false, reason: 'backend not found' },
    ],
    'linux',
  );
  assert.deepEqual(
    findings.map(({ topic, verdict, found }) => [topic, verdict, found]),
    [
      ['device cpu', 'ok', 'works, and is what auto takes'],
      ['device cuda', 'note', 'does not work: Failed to load shared library'],
      ['device webgpu', 'note', 'does not work: Failed to get a WebGPU adapter'],
    ],
  );
  const broken = describeProviders([{ device: 'cpu', bundled: true, usable: false }], 'linux');
  assert.equal(broken[0]!.verdict, 'problem');
});

test('missing face models are named', async () => {
  const empty = path.join(folder, 'face');
  mkdirSync(empty);
  writeFileSync(path.join(empty, 'face-mesh.json'), '{}');
  const finding = await examineFaceModels(empty);
  assert.equal(finding.verdict, 'problem');
  assert.match(finding.found, /^face-detector\.onnx, face-landmarks\.onnx, face-attention\.onnx missing in /);
});

test('no bundle, and bundles that are broken, are problems', async () => {
  assert.deepEqual(
    (await examineBundles([])).map(({ verdict }) => verdict),
    ['problem'],
  );
  const tiny = JSON.parse(readFileSync(path.join(EMBEDDED_BUNDLES, 'tiny/bundle.json'), 'utf8'));
  const write = (name: string, manifest: string) => {
    const bundle = path.join(folder, name);
    mkdirSync(bundle);
    writeFileSync(path.join(bundle, 'bundle.json'), manifest);
    writeFileSync(path.join(bundle, 'weights'), '1234567');
    return bundle;
  };
  /** The embedded bundle's description, with one file for all parts. */
  const manifest = (bytes: number) => {
    const file = { path: 'weights', bytes, sha256: '0'.repeat(64) };
    const files = Object.fromEntries(Object.keys(tiny.files).map((part) => [part, file]));
    return JSON.stringify({ ...tiny, files });
  };
  const bundles = [
    write('torn', '{"formatVersion": 1, '),
    write('cut', manifest(8)),
    write('changed', manifest(7)),
  ];
  const findings = await examineBundles(bundles);
  assert.deepEqual(
    findings.map(({ topic, verdict }) => [topic, verdict]),
    [
      ['bundle torn', 'problem'],
      ['bundle cut', 'problem'],
      ['bundle changed', 'problem'],
    ],
  );
  assert.match(findings[2]!.found, /SHA-256/);
});

test('a folder that is not there is noticed', async () => {
  assert.equal((await examineFolder('here', folder, 'elsewhere')).verdict, 'ok');
  const finding = await examineFolder('here', path.join(folder, 'nowhere'), 'elsewhere');
  assert.deepEqual([finding.verdict, finding.advice], ['note', 'elsewhere']);
});

test('this machine can be examined, and every problem and note has advice', async () => {
  const { findings } = await examineMachine(process.env);
  const topics = findings.map(({ topic }) => topic);
  for (const topic of ['Node.js', 'memory', 'ffmpeg', 'device cpu', 'face models']) {
    assert.ok(topics.includes(topic), topic);
  }
  for (const finding of findings) {
    assert.ok(finding.found !== '', finding.topic);
    if (finding.verdict !== 'ok') assert.ok(finding.advice, finding.topic);
  }
});

test('an unusable FFMPEG_PATH is a problem', async () => {
  const { findings } = await examineMachine({ ...process.env, FFMPEG_PATH: path.join(folder, 'no-ffmpeg') });
  const ffmpeg = findings.find(({ topic }) => topic === 'ffmpeg')!;
  assert.equal(ffmpeg.verdict, 'problem');
  assert.match(ffmpeg.found, /FFMPEG_PATH/);
  assert.match(ffmpeg.advice!, /[Ss]et it to another file/);
});

test('the report says at its end whether videos can be made', () => {
  const note = { topic: 'memory', verdict: 'note', found: 'little', advice: 'close programs' } as const;
  assert.ok(isReady({ findings: [note] }));
  assert.equal(
    formatReport({ findings: [note] }),
    'note     memory  little\n                 → close programs\n\nVideos can be made here.\n',
  );
});

test('the cache of weights is shown with its place, empty or not', () => {
  const cache = path.join(folder, 'cache', 'weights');
  assert.match(examineWeightCache(cache).found, /^empty, in .*weights$/);
  const entry = path.join(cache, '0123456789abcdef'.repeat(2));
  mkdirSync(entry, { recursive: true });
  writeFileSync(path.join(entry, 'weights-0.bin'), new Uint8Array(3_000_000));
  const { found, details } = examineWeightCache(cache);
  assert.match(found, /3(\.0)? MB for 1 network in /);
  assert.deepEqual(details, { folder: cache, entries: 1, bytes: 3_000_000 });
});

test('fewer cores than the machine has are reported', () => {
  assert.deepEqual(
    [examineProcessor('model', 64, 1), examineProcessor('', 2, 2)].map(({ verdict, found }) => [
      verdict,
      found,
    ]),
    [
      ['note', '1 core of 64, model'],
      ['ok', '2 cores'],
    ],
  );
});

test('an ffmpeg that may not touch hidden files is found out, without a trace', {
  skip: process.platform === 'win32' && 'a script that starts a program',
}, async () => {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  assert.deepEqual(await examinePlaces(ffmpeg, [folder]), []);
  const confined = path.join(folder, 'confined');
  writeFileSync(
    confined,
    `#!/bin/sh\nfor a in "$@"; do case "$a" in file:*/.*) echo "[error] $a: Permission denied" >&2; exit 1;; esac; done\nexec ${ffmpeg.path} "$@"\n`,
    { mode: 0o755 },
  );
  const before = readdirSync(folder);
  const [finding, ...others] = await examinePlaces({ ...ffmpeg, path: confined }, [
    folder,
    path.join(folder, 'missing'),
  ]);
  assert.equal(others.length, 0);
  assert.equal(finding?.verdict, 'note');
  assert.equal(finding?.found, `may not write hidden files in ${folder}, says "Permission denied"`);
  assert.match(finding?.advice ?? '', /snap or flatpak.*set FFMPEG_PATH/);
  await assert.rejects(
    assertWritesIn({ ...ffmpeg, path: confined, source: 'PATH' }, folder),
    (error) => error instanceof EnvironmentError && error.message.includes('Permission denied'),
  );
  await assertWritesIn({ ...ffmpeg, path: confined, source: '@ffmpeg-installer/ffmpeg' }, folder);
  assert.deepEqual(readdirSync(folder), before);
});

test('a user without a home, or with one that is not there, learns where files are kept', async () => {
  const none = await examineHome(() => {
    throw new Error('uv_os_homedir');
  });
  assert.equal(none.verdict, 'note');
  assert.match(none.found, /^none: .*lcm-portrait-.* takes its place$/);
  const gone = await examineHome(() => '/nonexistent/home');
  assert.deepEqual(
    [gone.verdict, gone.found],
    ['note', 'cannot be written: /nonexistent/home, nothing at this path'],
  );
  assert.match(gone.advice ?? '', /LCM_PORTRAIT_CACHE/);
});
