import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { type DownloadOptions, download } from '../../src/bundles/download.ts';
import { EnvironmentError, ModelError } from '../../src/errors.ts';
import { temporaryDirectory } from '../helpers/media.ts';
import { type ServedFile, startServer } from '../helpers/unreliable-server.ts';

const folder = temporaryDirectory();
const CONTENTS = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const SHA256 = createHash('sha256').update(CONTENTS).digest('hex');
const OTHER = Buffer.from(CONTENTS).reverse();

const files: Record<string, ServedFile> = {};
const server = await startServer(files);
after(() => server.close());

let count = 0;
/** Serves a file under a path of its own. */
function served(file: Partial<ServedFile>): string {
  const name = `/file-${count++}`;
  files[name] = { contents: CONTENTS, ...file };
  return name;
}

let targets = 0;
function options(changes: Partial<DownloadOptions> = {}): DownloadOptions {
  return { target: path.join(folder, `target-${targets++}`), sleep: async () => {}, ...changes };
}

function rangesOf(name: string): (string | undefined)[] {
  return server.requests.filter((request) => request.path === name).map(({ range }) => range);
}

async function assertFetched(name: string, given: DownloadOptions): Promise<void> {
  const result = await download(server.url + name, given);
  assert.deepEqual(result, { bytes: CONTENTS.length, sha256: SHA256 });
  assert(readFileSync(given.target).equals(CONTENTS));
  for (const rest of ['.part', '.part.json']) assert(!existsSync(given.target + rest), rest);
}

test('a file is fetched, and progress ends at its size', async () => {
  const seen: [number, number | undefined][] = [];
  await assertFetched(served({}), options({ onProgress: (done, total) => void seen.push([done, total]) }));
  assert.deepEqual(seen.at(-1), [CONTENTS.length, CONTENTS.length]);
});

test('a connection that drops again and again is taken up where it broke', async () => {
  const name = served({ drops: [70_000, 50_000, 1] });
  await assertFetched(name, options());
  const ranges = rangesOf(name);
  assert.equal(ranges.length, 4);
  assert.equal(ranges[0], undefined);
  const starts = ranges.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range!)![1]));
  assert(
    starts.every((start, i) => start >= (starts[i - 1] ?? 1)),
    starts.join(),
  );
  const [, second] = server.requests.filter((request) => request.path === name);
  assert.match(second!.ifRange!, /^"[0-9a-f]{32}"$/);
});

test('a server that ignores ranges is downloaded from the start', async () => {
  await assertFetched(served({ drops: [100_000], ignoresRanges: true }), options());
});

test('a server that sends another part than was asked for is downloaded from the start', async () => {
  const name = served({ drops: [100_000], wrongPart: true, etag: null });
  await assertFetched(name, options({ sha256: SHA256 }));
});

test('statuses that may pass are waited out, longer each time; others are not', async () => {
  const waits: number[] = [];
  const name = served({ statuses: [503, 429, 502] });
  await assertFetched(name, options({ sleep: async (ms) => void waits.push(ms) }));
  assert.deepEqual(waits, [1000, 2000, 4000]);
  for (const status of [401, 404, 410]) {
    const given = options();
    await assert.rejects(download(server.url + served({ statuses: [status] }), given), (error) => {
      assert(error instanceof ModelError);
      assert.match(error.message, new RegExp(`expected a file, got status ${status}`));
      return true;
    });
  }
});

test('a server that never brings anything is given up after some attempts', async () => {
  const name = served({ statuses: [500, 500, 500, 500, 500, 500, 500] });
  await assert.rejects(download(server.url + name, options()), /got status 500 5 times in a row/);
  assert.equal(rangesOf(name).length, 5);
});

test('a transfer that stalls is broken off and taken up', async () => {
  await assertFetched(served({ stalls: 1 }), options({ stallMs: 300 }));
});

test('a later run goes on with what an earlier one left', async () => {
  const name = served({ drops: [120_000] });
  const given = options();
  const controller = new AbortController();
  const stopped = download(server.url + name, {
    ...given,
    signal: controller.signal,
    sleep: async () => controller.abort(new Error('stopped')),
  });
  await assert.rejects(stopped, /stopped/);
  const kept = readFileSync(`${given.target}.part`);
  assert(kept.length > 0 && kept.equals(CONTENTS.subarray(0, kept.length)));
  await assertFetched(name, given);
  assert.equal(rangesOf(name).at(-1), `bytes=${kept.length}-`);
});

test('what an earlier run left of another file is not used', async () => {
  const name = served({ contents: OTHER, drops: [120_000] });
  const given = options();
  const controller = new AbortController();
  const stop = async () => controller.abort(new Error('stopped'));
  await assert.rejects(
    download(server.url + name, { ...given, signal: controller.signal, sleep: stop }),
    /stopped/,
  );
  files[name] = { contents: CONTENTS };
  await assertFetched(name, given);
  writeFileSync(`${given.target}.part`, OTHER.subarray(0, 1000));
  writeFileSync(`${given.target}.part.json`, JSON.stringify({ url: 'http://elsewhere/', validator: '"x"' }));
  await assertFetched(name, given);
});

test('all of it being there already is noticed', async () => {
  const name = served({});
  const given = options({ sha256: SHA256 });
  writeFileSync(`${given.target}.part`, CONTENTS);
  writeFileSync(`${given.target}.part.json`, JSON.stringify({ url: server.url + name, validator: '' }));
  await assertFetched(name, given);
  assert.deepEqual(rangesOf(name), [`bytes=${CONTENTS.length}-`]);
});

test('other bytes than promised are refused and removed', async () => {
  const wrong = options({ sha256: SHA256 });
  await assert.rejects(
    download(server.url + served({ contents: OTHER }), wrong),
    /expected SHA-256 [0-9a-f]{64}, got/,
  );
  const lies: readonly (readonly [Partial<ServedFile>, RegExp])[] = [
    [{ contents: CONTENTS.subarray(0, 1000) }, /expected 300000 bytes, got 1000/],
    [{ claims: 500_000 }, /expected 300000 bytes, got 500000/],
    [{ claims: 1000 }, /expected 300000 bytes, got 1000/],
  ];
  for (const [lie, message] of lies) {
    const given = options({ bytes: CONTENTS.length, sha256: SHA256 });
    await assert.rejects(download(server.url + served(lie), given), message);
    assert(!existsSync(given.target));
  }
  for (const rest of ['', '.part', '.part.json']) assert(!existsSync(wrong.target + rest), rest);
});

test('a full disk is an error of its own, and nothing is kept', {
  skip: !existsSync('/dev/full'),
}, async () => {
  const given = options();
  symlinkSync('/dev/full', `${given.target}.part`);
  await assert.rejects(download(server.url + served({}), given), (error) => {
    assert(error instanceof EnvironmentError);
    assert.match(error.message, /expected room on the disk, got none/);
    return true;
  });
  for (const rest of ['', '.part', '.part.json']) assert(!existsSync(given.target + rest), rest);
});

test('the hub’s hash of a large file, sent before its redirection, is compared', async () => {
  const place = served({});
  await assertFetched(served({ redirect: place, headers: { 'x-linked-etag': `"${SHA256}"` } }), options());
  const other = served({ contents: OTHER });
  await assert.rejects(
    download(
      server.url + served({ redirect: other, headers: { 'x-linked-etag': `"${SHA256}"` } }),
      options(),
    ),
    new RegExp(`expected SHA-256 ${SHA256}`),
  );
});

test('redirections in a circle, and addresses that are none of the web, are refused', async () => {
  const name = `/file-${count}`;
  served({ redirect: name });
  await assert.rejects(download(server.url + name, options()), /at most 8 redirections/);
  for (const url of ['file:///etc/passwd', 'ftp://a/b', 'nothing', 'https://']) {
    await assert.rejects(download(url, options()), /expected an address that begins with https/);
  }
  const answer = async (): Promise<Response> =>
    new Response(null, { status: 302, headers: { location: 'http://plain.example/w' } });
  await assert.rejects(
    download('https://safe.example/w', options({ fetch: answer })),
    /expected a redirection to another https address, got one to http:\/\/plain\.example\/w/,
  );
});

test('a part that lost bytes since is cut by the hash, not trusted', async () => {
  const name = served({});
  const given = options({ sha256: SHA256 });
  writeFileSync(`${given.target}.part`, CONTENTS);
  truncateSync(`${given.target}.part`, 1234);
  writeFileSync(`${given.target}.part.json`, JSON.stringify({ url: server.url + name, validator: '"old"' }));
  await assertFetched(name, given);
});
