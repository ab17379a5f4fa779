/** Requests of strangers, clumsy or curious: a second look, after that of hostile.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { BOUNDARY, FORM, JSON_TYPE, rawClient } from './raw-request.ts';
import { type Json, jsonOf, PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

const folder = temporaryFolder();
const server = await ServerProcess.start(folder, {
  uploadMegabytes: 2,
  seconds: 20,
  megapixels: 4,
  stallSeconds: 1,
});
const port = Number(new URL(server.url).port);
const { raw, request } = rawClient(port);
const PICTURE = readFileSync(PORTRAIT);
const SOUND = readFileSync(SPEECH);
const SAMPLES = { portrait: 'sample:ada.jpg', audio: 'sample:short.wav' };

const clip = (options: Record<string, unknown>) =>
  request('POST', '/v1/clips', JSON_TYPE, JSON.stringify({ ...SAMPLES, ...options }));
const comparison = (options: Record<string, unknown>) =>
  request('POST', '/v1/compare', JSON_TYPE, JSON.stringify({ ...SAMPLES, ...options }));
const body = (text: string | Buffer, headers: Record<string, string> = {}) =>
  request('POST', '/v1/clips', { ...JSON_TYPE, ...headers }, text);

/** A part as it is. */
const part = (head: string, content: string | Buffer = 'x') =>
  request(
    'POST',
    '/v1/uploads',
    FORM,
    Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\n${head}\r\n\r\n`),
      Buffer.from(content),
      Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
    ]),
  );

/** A recording that says that it is as long as it can be. */
const boastful = Buffer.from(SOUND);
boastful.writeUInt32LE(0xffffffff, 4);
/** A GIF of 65,535×65,535 with one pixel in it. */
const gif = Buffer.from('R0lGODlh/////4AAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64');

/** What is sent, and the statuses that are right for it; 0 for a connection that is closed. */
const STRANGE: readonly (readonly [title: string, what: string | Buffer, ...right: number[]])[] = [
  ['a format out of the folder', clip({ format: 'mp4/../../../x' }), 422],
  ['a format that nobody asked for', clip({ format: 'exe' }), 422],
  ['several formats', clip({ format: ['gif', 'webm'] }), 422],
  ['a format of a comparison', comparison({ format: 'gif' }), 422],
  ['a face that is none', clip({ face: '1;x' }), 422],
  ['a face below all', clip({ face: -1 }), 422],
  ['a path as background', clip({ background: '/etc/passwd' }), 422],
  ['an address as background', clip({ background: 'http://127.0.0.1/x.png' }), 422],
  ['a transparent MP4', clip({ background: 'transparent' }), 422],
  [
    'half a letter as name',
    body('{"portrait":"sample:ada.jpg","audio":"sample:short.wav","name":"\\ud800"}'),
    422,
  ],
  ['a name with a bell', clip({ name: 'a\u0007' }), 422],
  [
    'a number that is too large for numbers',
    body('{"portrait":"sample:ada.jpg","audio":"sample:short.wav","seed":1e999}'),
    422,
  ],
  ['an hour of silence where 20 s are allowed', clip({ audio: undefined, idle: 3600 }), 422],
  ['a video of 16 megapixels where 4 are allowed', clip({ size: '4096x4096' }), 422],
  ['lists in lists', clip({ portrait: [['sample:ada.jpg']] }), 422],
  ['an object as portrait', clip({ portrait: { id: 'sample:ada.jpg' } }), 422],
  ['LoRAs without ids', clip({ loras: [null, {}, 7, [], { id: {} }] }), 422],
  ['a variant that is a prototype', comparison({ variants: [{ __proto__: null, constructor: 1 }] }), 422],
  ['variants that are nothing', comparison({ variants: [null, 7, []] }), 422, 400],
  [
    'a sweep over everything',
    comparison({ sweeps: [{ setting: 'steps', values: Array.from({ length: 99 }, (_, i) => i + 1) }] }),
    422,
  ],
  ['a report of nobody', request('GET', '/v1/comparisons/AAAAAAAAAAAAAAAAAAAAAA/report.html'), 404],
  ['a file next to a report', request('GET', '/v1/comparisons/AAAAAAAAAAAAAAAAAAAAAA/comparison.json'), 404],
  ['JSON that is packed', body(gzipSync(JSON.stringify(SAMPLES)), { 'content-encoding': 'gzip' }), 400],
  ['JSON that is no UTF-8', body(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])), 400],
  ['JSON in UTF-16', body(Buffer.from(JSON.stringify(SAMPLES), 'utf16le')), 400],
  ['a part without a name', part('content-disposition: form-data'), 422, 400],
  ['a part without a head', part(''), 422, 400],
  [
    'a file named like a method of objects',
    part('content-disposition: form-data; name="toString"; filename="a.jpg"', 'no picture'),
    415,
  ],
  [
    'a picture in letters',
    part(
      'content-disposition: form-data; name="file"; filename="a.jpg"\r\ncontent-transfer-encoding: base64',
      PICTURE.toString('base64'),
    ),
    415,
  ],
  [
    'a hundred heads of a part',
    part(`content-disposition: form-data; name="file"; filename="a.jpg"${'\r\nx-a: b'.repeat(100)}`),
    400,
    413,
    415,
    422,
  ],
  [
    'a form in a form',
    part(
      'content-disposition: form-data; name="file"\r\ncontent-type: multipart/mixed; boundary=y',
      '--y\r\n\r\nx\r\n--y--',
    ),
    422,
    400,
  ],
  [
    'a boundary of a kilobyte',
    request(
      'POST',
      '/v1/uploads',
      { 'content-type': `multipart/form-data; boundary=${'x'.repeat(1000)}` },
      'x',
    ),
    400,
  ],
  [
    'a GIF that says that it fills a hall, of which the one pixel that is there is taken',
    part('content-disposition: form-data; name="file"; filename="a.gif"', gif),
    201,
  ],
  [
    'a picture with something behind it',
    part(
      'content-disposition: form-data; name="file"; filename="a.jpg"',
      Buffer.concat([PICTURE, Buffer.from('<script>')]),
    ),
    201,
  ],
  [
    'a recording that boasts of its length',
    part('content-disposition: form-data; name="file"; filename="a.wav"', boastful),
    201,
  ],
  ['an absurd limit', request('GET', '/v1/clips?limit=-1'), 422],
  ['a limit that is none', request('GET', '/v1/comparisons?limit=NaN'), 422],
  ['a page after a path', request('GET', '/v1/comparisons?after=../../etc'), 422],
  ['a state with markup', request('GET', '/v1/clips?state=%3Cscript%3E'), 422],
  ['a page named like a prototype', request('GET', '/page/__proto__'), 404],
  ['a page without a name', request('GET', '/page/'), 404],
  [
    'a range of bytes beyond all numbers',
    request('GET', '/v1/samples/ada.jpg', { range: 'bytes=99999999999999999999-' }),
    416,
  ],
  ['a range that ends before it begins', request('GET', '/v1/samples/ada.jpg', { range: 'bytes=9-3' }), 200],
  ['no bytes at the end', request('GET', '/v1/samples/ada.jpg', { range: 'bytes=-0' }), 416],
  ['two ranges', request('GET', '/v1/samples/ada.jpg', { range: 'bytes=0-1,5-6' }), 200],
  [
    'what another site asks for beforehand',
    request('OPTIONS', '/v1/clips', {
      origin: 'https://evil.example',
      'access-control-request-method': 'POST',
    }),
    403,
  ],
  ['a request to be echoed', request('TRACE', '/v1/clips'), 404, 405],
  ['a tunnel', request('CONNECT', '127.0.0.1:22'), 0, 400, 404, 405],
  [
    'another protocol on this connection',
    request('GET', '/v1/clips', {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'x',
      'sec-websocket-version': '13',
    }),
    200,
  ],
  ['HTTP/2 without having agreed on it', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 505],
  ['an encrypted greeting', Buffer.from('16030100a5010000a10303', 'hex'), 400, 0],
  ['an address of 12 kB', request('GET', `/v1/clips/${'a'.repeat(12_000)}`), 404],
  [
    'a promise of more to come',
    request('POST', '/v1/clips', { ...FORM, expect: '100-continue', 'content-length': '99999999999' }),
    413,
  ],
  [
    'a length below nothing',
    request('POST', '/v1/clips', { ...JSON_TYPE, 'content-length': '-5' }, '{}'),
    400,
  ],
  [
    'pieces that say nothing of their size',
    request(
      'POST',
      '/v1/clips',
      { ...JSON_TYPE, 'content-length': '', 'transfer-encoding': 'chunked' },
      'zz\r\n{}\r\n0\r\n\r\n',
    ),
    400,
  ],
];

const leftOver = () => readdirSync(path.join(folder, 'uploads'));

for (const [title, what, ...right] of STRANGE) {
  test(`answered as is right: ${title}`, async () => {
    const status = await raw(what);
    if (status === 201)
      for (const id of leftOver()) await server.fetch(`/v1/uploads/${id}`, { method: 'DELETE' });
    assert.ok(right.includes(status), `expected ${right.join(' or ')}, got ${status}`);
    // The connection may be closed before the folder has gone.
    while (leftOver().length > 0) await sleep(20); // the test's time limit is the limit
  });
}

test('nothing of it was ordered, nothing was a mistake of the server', async () => {
  assert.deepEqual((await server.json('/v1/clips')).clips, []);
  assert.deepEqual((await server.json('/v1/comparisons')).comparisons, []);
  assert.deepEqual(
    server.events.filter(({ type }) => type === 'notice'),
    [],
  );
});

test('names in every script are kept, shown, and given to files that are saved', async () => {
  const names = [
    'Анна 👩🏽‍🎤 звук',
    'שלום',
    '顔と声',
    'e\u0301 ñ "quoted" 100%',
    '../../up',
    'CON',
    '<b>x</b>',
  ];
  for (const name of names) {
    const { id } = await server.order({ name, seed: names.indexOf(name) });
    const done = await server.until(id, 'succeeded');
    assert.equal(done.name, name);
    const video = await server.fetch(`${done.links.video}?download`, { method: 'HEAD' });
    const disposition = video.headers.get('content-disposition')!;
    const encoded = /filename\*=UTF-8''(.*)$/.exec(disposition)![1]!;
    assert.ok(!decodeURIComponent(encoded).includes('/'), disposition);
    assert.ok(/^attachment; filename="[\x20-\x7e]*"; /.test(disposition), disposition);
  }
});

test('the same key twenty times at once is one order', async () => {
  const headers = { 'idempotency-key': 'at-once' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => server.post('/v1/clips', { ...SAMPLES, seed: 77 }, headers)),
  );
  const statuses = answers.map(({ status }) => status);
  assert.ok(statuses.every((status) => status === 202 || status === 409) && statuses.includes(202));
  const { clips } = await server.json('/v1/clips?limit=100');
  assert.equal(clips.filter(({ options }: Json) => options.seed === 77).length, 1);
});

test('what is removed while it is used is removed once', async () => {
  const form = new FormData();
  form.append('file', new Blob([PICTURE]), 'a.jpg');
  const upload = await jsonOf(await server.fetch('/v1/uploads', { method: 'POST', body: form }));
  const { links, id } = await server.order({ portrait: upload.id });
  const ends = await Promise.all(
    Array.from({ length: 6 }, () => server.fetch(links.self, { method: 'DELETE' })),
  );
  assert.ok(ends.every(({ status }) => [200, 204, 404].includes(status)));
  const comparing = await server.orderComparison();
  const also = await Promise.all(
    Array.from({ length: 4 }, () => server.fetch(comparing.links.self, { method: 'DELETE' })),
  );
  assert.ok(also.every(({ status }) => [200, 204, 404].includes(status)));
  for (const self of [links.self, comparing.links.self]) {
    if ((await server.fetch(self)).status !== 404) await server.fetch(self, { method: 'DELETE' });
  }
  assert.ok(!readdirSync(path.join(folder, 'clips')).includes(id));
  const removals = await Promise.all(
    Array.from({ length: 4 }, () => server.fetch(`/v1/uploads/${upload.id}`, { method: 'DELETE' })),
  );
  assert.ok(removals.every(({ status }) => [204, 404].includes(status)));
});

test('many who say nothing keep nobody from asking', async () => {
  const silent = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = net.connect(port, '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      socket.write('GET /v1/clips HTTP/1.1\r\n');
      return socket;
    }),
  );
  assert.equal((await server.fetch('/healthz')).status, 200);
  assert.equal((await server.order({ seed: 5 })).state, 'queued');
  for (const socket of silent) socket.destroy();
  // Requests in one packet are answered one after another.
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
    if (answer.split('HTTP/1.1 200').length > 50) socket.end();
  });
  socket.write(Buffer.concat(Array.from({ length: 50 }, () => request('GET', '/healthz'))));
  await once(socket, 'close');
  assert.equal(answer.split('HTTP/1.1 200').length, 51);
});

test('tokens in wrong places open nothing', async () => {
  const token = 'a token of this test';
  const locked = await ServerProcess.start(temporaryFolder(), { token });
  const encoded = encodeURIComponent(token);
  const basic = Buffer.from(`:${token}`).toString('base64');
  for (const [where, headers] of [
    [`/v1/clips?token=${encoded}`, {}],
    ['/v1/clips', { authorization: `Basic ${basic}` }],
    ['/v1/clips', { authorization: `Bearer  ${token}` }],
    ['/v1/clips', { authorization: `Bearer ${token} x` }],
    ['/v1/clips', { cookie: `lcm_portrait=${encoded}` }],
    ['/v1/clips', { cookie: `lcm_portrait=${'x'.repeat(5000)}; lcm_portrait=` }],
    ['/v1/comparisons', { 'x-token': token }],
  ] as const) {
    const { status } = await locked.fetch(where, { headers });
    assert.equal(status, 401, `${where} ${JSON.stringify(headers)}`);
  }
  for (const end of ['report.html', 'report.json', 'videos/fast.mp4', 'events']) {
    assert.equal((await locked.fetch(`/v1/comparisons/AAAAAAAAAAAAAAAAAAAAAA/${end}`)).status, 401);
  }
  await locked.end('SIGKILL');
});

test('a data folder that is at its limit is reported, and orders that need no room are taken', async () => {
  const data = temporaryFolder();
  const small = await ServerProcess.start(data, { dataGigabytes: 0.001 });
  const form = new FormData();
  form.append('file', new Blob([PICTURE]), 'a.jpg');
  const refused = await small.fetch('/v1/uploads', { method: 'POST', body: form });
  assert.equal(refused.status, 507);
  assert.equal(refused.headers.get('retry-after'), '60');
  assert.deepEqual(readdirSync(path.join(data, 'uploads')), []);
  const { id } = await small.order(); // of samples
  assert.equal((await small.until(id, 'succeeded')).state, 'succeeded');
  await small.end('SIGKILL');
});
