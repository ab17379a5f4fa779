/** Requests that nobody in good faith makes: each is refused as it should be, and nothing of it is left. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { FORM, JSON_TYPE, multipart, type Part, rawClient } from './raw-request.ts';
import { PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

const folder = temporaryFolder();
const server = await ServerProcess.start(folder, {
  uploadMegabytes: 2,
  seconds: 20,
  megapixels: 4,
  stallSeconds: 1,
});
const { port } = new URL(server.url);
const PICTURE = readFileSync(PORTRAIT);
const SOUND = readFileSync(SPEECH);

/** Somebody who must never be asked for anything. */
const asked: string[] = [];
const trap = createServer((request, response) => {
  asked.push(request.url ?? '');
  response.end('#EXTM3U');
});
await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
after(() => trap.close());
const trapUrl = `http://127.0.0.1:${(trap.address() as net.AddressInfo).port}`;
const secret = path.join(folder, '..', 'secret.wav');
writeFileSync(secret, SOUND);
after(() => spawnSync('rm', ['-f', secret]));

const { raw, request } = rawClient(Number(port));

const order = (parts: readonly Part[]): string | Buffer =>
  request('POST', '/v1/clips', FORM, multipart(parts));
const upload = (file: string, body: string | Uint8Array): string | Buffer =>
  request('POST', '/v1/uploads', FORM, multipart([{ field: 'file', file, body }]));
const json = (value: unknown): string | Buffer =>
  request('POST', '/v1/clips', JSON_TYPE, JSON.stringify(value));

/** A PNG of any stated size with next to nothing in it. */
function png(width: number, height: number): Buffer {
  const table = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const crc = (bytes: Buffer): number =>
    (bytes.reduce((c, byte) => table[(c ^ byte) & 255]! ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Silence of so many seconds in a few bytes. */
async function longSilence(seconds: number): Promise<Buffer> {
  const ffmpeg = await locateFfmpeg({ env: process.env });
  const args = [
    '-f',
    'lavfi',
    '-i',
    'anullsrc=r=8000:cl=mono',
    '-t',
    `${seconds}`,
    '-c:a',
    'flac',
    '-f',
    'flac',
    'pipe:1',
  ];
  return spawnSync(ffmpeg.path, ['-v', 'error', ...args], { maxBuffer: 1e8 }).stdout;
}

const HLS = `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${trapUrl}/segment.ts\n#EXT-X-ENDLIST\n`;
const DASH = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet><Representation><BaseURL>${trapUrl}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512"><image href="${trapUrl}/face.png"/><image href="/etc/passwd"/></svg>`;
const ZIP = Buffer.from('PK\x03\x04\x14\0\0\0\x08\0', 'latin1');
/** Begins as a recording does and goes on as a playlist. */
const POLYGLOT = Buffer.concat([SOUND.subarray(0, 44), Buffer.from(DASH)]);

const picture: Part = { field: 'portrait', file: 'a.jpg', body: PICTURE };
const sound: Part = { field: 'audio', file: 'a.wav', body: SOUND };

/** What is sent, and the statuses that are right for it; 0 for a connection that is closed. */
const HOSTILE: readonly (readonly [
  title: string,
  make: () => string | Buffer | Promise<string | Buffer>,
  ...right: number[],
])[] = [
  ['a path out of the folder', () => request('GET', '/v1/clips/../../../../etc/passwd'), 404],
  ['the same, encoded', () => request('GET', '/v1/clips/%2e%2e%2f%2e%2e%2fetc%2fpasswd'), 404],
  ['the same, encoded twice', () => request('GET', '/page/%252e%252e%252fpackage.json'), 404],
  ['a page outside of the page', () => request('GET', '/page/..%2f..%2fpackage.json'), 404],
  ['a sample outside of the samples', () => request('GET', '/v1/samples/..%2f..%2fNOTICE'), 404],
  ['a zero byte in an id', () => request('GET', '/v1/clips/AAAAAAAAAAAAAAAAAAAA%00A/video'), 404],
  ['an encoding that is none', () => request('GET', '/v1/clips/%zz'), 404, 400],
  [
    'an absolute address in the request line',
    () => request('GET', `${trapUrl}/v1/clips`),
    403,
    404,
    400,
    200,
  ],
  [
    'another host: a name that was rebound',
    () => request('GET', '/v1/clips', { host: `evil.example:${port}` }),
    403,
  ],
  ['a host that ends like ours', () => request('GET', '/v1/clips', { host: '127.0.0.1.evil.example' }), 403],
  [
    'a host with a user in it',
    () => request('GET', '/v1/clips', { host: `127.0.0.1@evil.example` }),
    403,
    400,
  ],
  ['no host', () => Buffer.from('GET /v1/clips HTTP/1.1\r\n\r\n'), 400],
  [
    'two hosts',
    () => Buffer.from(`GET /v1/clips HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nhost: evil.example\r\n\r\n`),
    400,
    403,
    200,
  ],
  [
    'a post of another site',
    () => request('POST', '/v1/clips', { ...JSON_TYPE, origin: 'https://evil.example' }, '{}'),
    403,
  ],
  [
    'a post of another port',
    () => request('POST', '/v1/clips', { ...JSON_TYPE, origin: 'http://127.0.0.1:1' }, '{}'),
    403,
  ],
  [
    'a post of a page without an origin',
    () => request('POST', '/v1/clips', { ...JSON_TYPE, origin: 'null' }, '{}'),
    403,
  ],
  [
    'a picture that another site shows',
    () =>
      request('GET', '/v1/samples/ada.jpg', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }),
    403,
  ],
  [
    'a form that a browser sends to any site',
    () => request('POST', '/v1/clips', { 'content-type': 'text/plain' }, '{}'),
    415,
  ],
  ['a playlist as sound', () => upload('a.m3u8', HLS), 415],
  ['a playlist that calls itself a recording', () => upload('a.wav', HLS), 415],
  ['a list of files to join', () => upload('a.mp3', `ffconcat version 1.0\nfile '${secret}'\n`), 415],
  ['a description of a stream', () => upload('a.mp4', DASH), 415],
  [
    'a recording that goes on as such a description, which stays a recording',
    () => upload('a.wav', POLYGLOT),
    201,
  ],
  ['an SVG as portrait', () => order([{ field: 'portrait', file: 'a.png', body: SVG }, sound]), 415],
  ['an archive as sound', () => order([picture, { field: 'audio', file: 'a.mp3', body: ZIP }]), 415],
  [
    'a picture of 60,000×60,000',
    () => order([{ field: 'portrait', file: 'a.png', body: png(60_000, 60_000) }, sound]),
    413,
  ],
  [
    'a picture that is cut',
    () => order([{ field: 'portrait', file: 'a.png', body: PICTURE.subarray(0, 3) }, sound]),
    422,
  ],
  ['hours of silence in a few bytes', async () => upload('a.flac', await longSilence(3600)), 413],
  ['a file of zero bytes', () => upload('a.png', ''), 422],
  ['a file that is too large', () => upload('a.png', Buffer.alloc(2_000_001, 7)), 413],
  [
    'a form that says it is huge',
    () => request('POST', '/v1/clips', { ...FORM, 'content-length': '99999999999' }, 'x'),
    413,
  ],
  [
    'a form that is shorter than it says',
    () =>
      request(
        'POST',
        '/v1/uploads',
        { ...FORM, 'content-length': '5000' },
        multipart([sound]).subarray(0, 900),
      ),
    400,
    408,
  ],
  [
    'a form without an end',
    () => request('POST', '/v1/uploads', FORM, multipart([sound], { end: false })),
    400,
  ],
  [
    'a form without a boundary',
    () => request('POST', '/v1/clips', { 'content-type': 'multipart/form-data' }, 'x'),
    400,
  ],
  [
    'a field twice',
    () => order([picture, sound, { field: 'seed', body: '1' }, { field: 'seed', body: '2' }]),
    422,
  ],
  ['a portrait twice', () => order([picture, picture, sound]), 422],
  ['nine files', () => order(Array.from({ length: 9 }, () => picture)), 413],
  [
    'a thousand fields',
    () => order(Array.from({ length: 1000 }, (_, i) => ({ field: `f${i}`, body: 'x' }))),
    413,
  ],
  ['a field of a megabyte', () => order([{ field: 'emotion', body: 'x'.repeat(1_000_000) }]), 413],
  ['a field named __proto__', () => order([picture, sound, { field: '__proto__', body: 'x' }]), 422],
  ['a path as portrait', () => json({ portrait: '/etc/passwd', audio: 'sample:short.wav' }), 422],
  ['an address as sound', () => json({ portrait: 'sample:ada.jpg', audio: `${trapUrl}/a.wav` }), 422],
  [
    'a protocol of ffmpeg as sound',
    () => json({ portrait: 'sample:ada.jpg', audio: `concat:${secret}` }),
    422,
  ],
  [
    'a folder as bundle',
    () =>
      json({ portrait: 'sample:ada.jpg', audio: 'sample:short.wav', bundle: '../../assets/bundles/tiny' }),
    422,
  ],
  [
    'a path as LoRA',
    () =>
      json({
        portrait: 'sample:ada.jpg',
        audio: 'sample:short.wav',
        loras: [{ path: '/etc/passwd', scale: 1 }],
      }),
    422,
  ],
  [
    'an output',
    () => json({ portrait: 'sample:ada.jpg', audio: 'sample:short.wav', output: '/tmp/x.mp4' }),
    422,
  ],
  [
    'a program as ffmpeg',
    () => json({ portrait: 'sample:ada.jpg', audio: 'sample:short.wav', ffmpegPath: '/bin/sh' }),
    422,
  ],
  ['JSON that is none', () => request('POST', '/v1/clips', JSON_TYPE, '{"portrait":'), 400],
  [
    'JSON of 60,000 levels',
    () => request('POST', '/v1/clips', JSON_TYPE, `{"portrait":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
    422,
  ],
  [
    'JSON of a megabyte',
    () => request('POST', '/v1/clips', JSON_TYPE, `{"name":"${'x'.repeat(1_000_000)}"}`),
    413,
  ],
  ['JSON that is a list', () => request('POST', '/v1/clips', JSON_TYPE, '[]'), 400],
  ['a header of 100 kB', () => request('GET', '/healthz', { 'x-much': 'x'.repeat(100_000) }), 431],
  [
    'an Idempotency-Key of 300 characters',
    () => request('POST', '/v1/clips', { ...JSON_TYPE, 'idempotency-key': 'x'.repeat(300) }, '{}'),
    400,
  ],
  ['a method that is none', () => request('BREW', '/v1/clips'), 400, 404, 405],
  [
    'two lengths',
    () =>
      Buffer.from(
        `POST /v1/clips HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}`,
      ),
    400,
  ],
  [
    'a length and pieces',
    () =>
      Buffer.from(
        `POST /v1/clips HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      ),
    400,
  ],
];

const leftOver = () => readdirSync(path.join(folder, 'uploads'));

for (const [title, make, ...right] of HOSTILE) {
  test(`refused: ${title}`, async () => {
    const status = await raw(await make());
    if (status === 201)
      for (const id of leftOver()) await server.fetch(`/v1/uploads/${id}`, { method: 'DELETE' });
    assert.ok(right.includes(status), `expected ${right.join(' or ')}, got ${status}`);
    // The connection may be closed before the folder has gone.
    while (leftOver().length > 0) await sleep(20); // the test's time limit is the limit
    assert.equal((await server.fetch('/healthz')).status, 200);
  });
}

test('names are kept for people only: 255 bytes, points, zero bytes and directions of writing', async () => {
  const names = ['x'.repeat(255), '..', '../../../../tmp/evil.jpg', 'a\u202Egpj.exe', 'C:\\windows\\a.jpg'];
  for (const name of names) {
    const form = new FormData();
    form.append('file', new Blob([PICTURE]), name);
    const response = await server.fetch('/v1/uploads', { method: 'POST', body: form });
    assert.equal(response.status, 201, name);
    const upload = (await response.json()) as { id: string; name: string };
    assert.ok(upload.name.length <= 120 && !/[/\\\p{C}]/u.test(upload.name), upload.name);
    assert.deepEqual(readdirSync(path.join(folder, 'uploads', upload.id)).sort(), [
      'content.jpg',
      'upload.json',
    ]);
    assert.equal((await server.fetch(`/v1/uploads/${upload.id}`, { method: 'DELETE' })).status, 204);
  }
  assert.ok(!existsSync('/tmp/evil.jpg'));
});

test('an upload that stalls is ended, and others are not held up', async () => {
  const begin = multipart([{ field: 'file', file: 'a.wav', body: SOUND }]).subarray(0, 2000);
  const stalled = raw(request('POST', '/v1/uploads', { ...FORM, 'content-length': '100000' }, begin), {
    hold: true,
  });
  assert.equal((await server.fetch('/healthz')).status, 200);
  assert.equal(await stalled, 408);
  assert.deepEqual(leftOver(), []);
});

test('headers that come one byte at a time are not waited for', { timeout: 600_000 }, async () => {
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  const text = `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ${'x'.repeat(1000)}`;
  let sent = 0;
  const timer = setInterval(() => socket.writable && socket.write(text[sent++] ?? 'x'), 100);
  await once(socket, 'close');
  clearInterval(timer);
  assert.match(answer, /^HTTP\/1\.1 408|^$/);
});

test('a clip that is cut off while it is sent leaves nothing', async () => {
  const socket = net.connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    request(
      'POST',
      '/v1/clips',
      { ...FORM, 'content-length': '900000' },
      multipart([picture]).subarray(0, 20_000),
    ),
  );
  while (leftOver().length === 0) await sleep(20);
  socket.destroy();
  while (leftOver().length > 0) await sleep(20);
});

test('nobody was asked for anything, and nothing was ordered', async () => {
  assert.deepEqual(asked, []);
  assert.deepEqual((await server.json('/v1/clips')).clips, []);
});

test('the token is asked for, whatever is wanted', async () => {
  const token = 'a token of this test';
  const locked = await ServerProcess.start(temporaryFolder(), { token });
  for (const [method, where] of [
    ...[
      ['GET', '/v1/clips'],
      ['POST', '/v1/clips'],
      ['GET', '/v1/options'],
      ['GET', '/metrics'],
      ['POST', '/v1/uploads'],
    ],
    ...[
      ['GET', '/v1/clips/AAAAAAAAAAAAAAAAAAAAAA/video'],
      ['DELETE', '/v1/clips/AAAAAAAAAAAAAAAAAAAAAA'],
      ['GET', '/v1/nothing'],
    ],
  ] as const) {
    assert.equal((await locked.fetch(where!, { method: method! })).status, 401, where);
  }
  const bearer = (text: string) =>
    locked.fetch('/v1/clips', { headers: { authorization: `Bearer ${text}` } });
  assert.equal((await bearer('a token of this tesu')).status, 401);
  assert.equal((await bearer(token)).status, 200);
  assert.equal((await locked.fetch('/healthz')).status, 200);
  const opened = await locked.fetch(`/?token=${encodeURIComponent(token)}`, { redirect: 'manual' });
  assert.equal(opened.status, 303);
  assert.equal(opened.headers.get('location'), '/');
  const cookie = opened.headers.get('set-cookie')!;
  assert.match(cookie, /; HttpOnly; SameSite=Strict/);
  assert.ok(!cookie.includes(encodeURIComponent(token)));
  assert.equal((await locked.fetch('/v1/clips', { headers: { cookie: cookie.split(';')[0]! } })).status, 200);
  const wrong = await locked.fetch('/?token=no', { redirect: 'manual' });
  assert.equal(wrong.headers.get('set-cookie'), null);
  assert.ok(!JSON.stringify(locked.events.filter(({ type }) => type !== 'listening')).includes(token));
  await locked.end('SIGKILL');
});

test('every answer forbids scripts and pictures from elsewhere, and types that it does not state', async () => {
  for (const where of ['/', '/page/main.js', '/v1/clips', '/v1/nothing']) {
    const { headers } = await server.fetch(where);
    assert.match(
      headers.get('content-security-policy')!,
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    assert.ok(!headers.get('content-security-policy')!.includes('unsafe'));
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('access-control-allow-origin'), null);
  }
  const page = await (await server.fetch('/')).text();
  assert.ok(!/<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=/.test(page));
});
