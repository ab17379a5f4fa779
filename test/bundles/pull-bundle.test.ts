import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type PullOptions, pullBundle, pullFile, resolveHubAddress } from '../../src/bundles/pull-bundle.ts';
import { InvalidOptionError, ModelError } from '../../src/errors.ts';
import { EMBEDDED_BUNDLES, openBundle, verifyBundle } from '../../src/models/bundle.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { type ServedFile, startServer } from '../helpers/unreliable-server.ts';

const folder = temporaryDirectory();
const TINY = JSON.parse(readFileSync(path.join(EMBEDDED_BUNDLES, 'tiny/bundle.json'), 'utf8'));
const WEIGHTS: Readonly<Record<string, Buffer>> = Object.fromEntries(
  Object.keys(TINY.files).map((part, i) => [part, Buffer.alloc(20_000 + i, part)]),
);

const files: Record<string, ServedFile> = {};
const server = await startServer(files);
after(() => server.close());

/** Puts a bundle of small files under `/name/`; `changes` are of its description. */
function publish(name: string, changes: Record<string, unknown> = {}): string {
  const parts = Object.entries(WEIGHTS).map(([part, contents]) => {
    files[`/${name}/${part}.safetensors`] = { contents };
    const sha256 = createHash('sha256').update(contents).digest('hex');
    return [part, { path: `${part}.safetensors`, bytes: contents.length, sha256 }];
  });
  const description = { ...TINY, name: 'published', files: Object.fromEntries(parts), ...changes };
  files[`/${name}/bundle.json`] = { contents: Buffer.from(JSON.stringify(description)) };
  return `${server.url}/${name}`;
}

let stores = 0;
function options(changes: Partial<PullOptions> = {}): PullOptions {
  return { store: path.join(folder, `store-${stores++}`), sleep: async () => {}, ...changes };
}

test('a bundle is fetched by the address of its folder, through connections that drop', async () => {
  const url = publish('dropping');
  for (const part of ['denoisingUnet', 'codec']) {
    const name = `/dropping/${part}.safetensors`;
    files[name] = { ...files[name]!, drops: [5000, 3000] };
  }
  const seen: number[] = [];
  const given = options({ onProgress: ({ done, total }) => void seen.push(done / total!) });
  const result = await pullBundle(url, given);
  assert.equal(result.name, 'published');
  assert.equal(seen.at(-1), 1);
  const bundle = await openBundle('published', given.store);
  await verifyBundle(bundle);
  assert(readFileSync(bundle.pathOf('codec')).equals(WEIGHTS.codec!));
  assert.deepEqual(readdirSync(given.store), ['published']);
});

test('a run that ends early leaves what is right to the next, and no bundle', async () => {
  const url = publish('broken');
  // The last, so that all others have arrived by then.
  const missing = `/broken/${Object.keys(WEIGHTS).at(-1)}.safetensors`;
  const kept = files[missing]!;
  delete files[missing];
  const given = options({ name: 'mine' });
  await assert.rejects(
    pullBundle(`${url}/bundle.json`, given),
    /\.safetensors: expected a file, got status 404/,
  );
  await assert.rejects(openBundle('mine', given.store), ModelError);
  files[missing] = kept;
  const before = server.requests.length;
  await pullBundle(`${url}/bundle.json`, given);
  const asked = server.requests.slice(before).map((request) => request.path);
  assert.deepEqual(asked, ['/broken/bundle.json', missing]);
  await verifyBundle(await openBundle('mine', given.store));
});

test('a file that is not what bundle.json says is refused, and the bundle that was there stays', async () => {
  const given = options();
  await pullBundle(publish('honest'), given);
  const url = publish('changed');
  files['/changed/codec.safetensors'] = { contents: Buffer.alloc(WEIGHTS.codec!.length, 'x') };
  await assert.rejects(
    pullBundle(url, { ...given, overwrite: true }),
    /codec\.safetensors: expected SHA-256/,
  );
  await verifyBundle(await openBundle('published', given.store));
  await assert.rejects(pullBundle(url, given), /taken by .*overwrite: true/);
  const files2 = publish('again', { description: 'another' });
  await pullBundle(files2, { ...given, overwrite: true });
  assert.equal((await openBundle('published', given.store)).description.description, 'another');
});

test('two runs at once make one bundle', async () => {
  const url = publish('twice');
  const given = options();
  const results = await Promise.allSettled([pullBundle(url, given), pullBundle(url, given)]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await verifyBundle(await openBundle('published', given.store));
});

const WRONG: readonly (readonly [string, Buffer | Record<string, unknown>, RegExp])[] = [
  ['what is no JSON', Buffer.from('<html>'), /got something that is not JSON/],
  ['another version', { formatVersion: 7 }, /got format version 7 instead of 1/],
  ['one with contradictions', { contextOverlap: 99 }, /contextOverlap: expected less than contextFrames/],
  [
    'a path out of the bundle',
    { files: { codec: { path: '../x', bytes: 1, sha256: '0'.repeat(64) } } },
    /files\.codec\.path/,
  ],
  ['an embedded bundle’s name', { name: 'tiny' }, /another name than that of the embedded bundle/],
  ['an impossible name', { name: '../../x' }, /a name of up to 64 letters/],
  ['endless bytes', Buffer.alloc(1_500_000, ' '), /more than 1000000 bytes/],
];
for (const [what, changes, message] of WRONG) {
  test(`${what} in place of a description is refused`, async () => {
    const url = publish('wrong', Buffer.isBuffer(changes) ? {} : changes);
    if (Buffer.isBuffer(changes)) files['/wrong/bundle.json'] = { contents: changes };
    const given = options();
    await assert.rejects(pullBundle(url, given), message);
    assert.deepEqual(readdirSync(given.store), []);
  });
}

test('one file is fetched to a path that must be free', async () => {
  const contents = Buffer.alloc(5000, 'lora');
  files['/lora.safetensors'] = { contents, drops: [2000] };
  const target = path.join(folder, 'lora.safetensors');
  await pullFile(`${server.url}/lora.safetensors`, target, { sleep: async () => {} });
  assert(readFileSync(target).equals(contents));
  await assert.rejects(
    pullFile(`${server.url}/lora.safetensors`, target),
    /expected a new file, got one that exists/,
  );
  await assert.rejects(
    pullFile(`${server.url}/lora.safetensors`, path.join(folder, 'other'), { sha256: 'abc' }),
    InvalidOptionError,
  );
  const nowhere = path.join(folder, 'none/lora.safetensors');
  await assert.rejects(
    pullFile(`${server.url}/lora.safetensors`, nowhere),
    /expected a folder that exists, got nothing/,
  );
  assert(!existsSync(nowhere));
});

test('pages of the hub stand for the files behind them', () => {
  const base = 'https://huggingface.co/me/portraits';
  assert.equal(resolveHubAddress(base), `${base}/resolve/main/`);
  assert.equal(resolveHubAddress(`${base}/tree/v2`), `${base}/resolve/v2/`);
  assert.equal(
    resolveHubAddress(`${base}/blob/main/lora.safetensors`),
    `${base}/resolve/main/lora.safetensors`,
  );
  assert.equal(resolveHubAddress(`${base}/resolve/main/a.json`), `${base}/resolve/main/a.json`);
  assert.equal(resolveHubAddress('https://example.org/a/b'), 'https://example.org/a/b');
});
