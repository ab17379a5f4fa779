/** Notes of clips' ends: signed, sent until they are taken, and to nobody else. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionError } from '../../src/errors.ts';
import { ANSWERS } from '../../src/serve/openapi/schemas.ts';
import { checkWebhookHost, keyOfSecret, Webhooks } from '../../src/serve/webhook.ts';
import { type Json, jsonOf, ServerProcess, temporaryFolder } from './server-process.ts';

const SECRET = `whsec_${Buffer.from('a key for these tests, 32 bytes.').toString('base64')}`;

interface Note {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A server that answers with these statuses, the last of them from then on. */
async function receiver(statuses: readonly number[], location?: string) {
  const notes: Note[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const status = statuses[Math.min(notes.length, statuses.length - 1)]!;
    notes.push({ headers: request.headers, text: Buffer.concat(chunks).toString() });
    response.writeHead(status, location === undefined ? {} : { location }).end('thanks');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { notes, host, url: `http://${host}/hook?x=1` };
}

/** What a receiver does. Source: Standard Webhooks 1.0, "Verifying signatures". */
function assertSigned({ headers, text }: Note): void {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`;
  const key = Buffer.from('a key for these tests, 32 bytes.');
  const expected = createHmac('sha256', key).update(signed).digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${expected}`);
  assert.ok(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 300);
}

const noticesOf = ({ events }: ServerProcess): string[] =>
  events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));

/** Long enough for any machine; what never comes fails here. */
const PATIENCE_MS = 600_000;

async function waitFor(isSo: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    assert.ok(performance.now() < end, `within ${PATIENCE_MS / 1000} s: ${isSo}`);
    await sleep(20);
  }
}

test('a note is sent until it is taken, the same each time, and not again after a restart', async () => {
  const { notes, host, url } = await receiver([503, 500, 204]);
  const folder = temporaryFolder();
  const options = { webhookHosts: [host], webhookSecret: SECRET, webhookDelaysMs: [20, 20, 20] };
  const server = await ServerProcess.start(folder, options);
  const { id } = await server.order({ webhook: url });
  const done = await server.until(id, 'succeeded');
  await waitFor(() => notes.length === 3);
  for (const note of notes) {
    assertSigned(note);
    assert.equal(note.text, notes[0]!.text);
    assert.equal(note.headers['webhook-id'], `clip_${id}`);
    assert.equal(note.headers['content-type'], 'application/json');
  }
  const body: Json = JSON.parse(notes[0]!.text);
  assert.deepEqual(ANSWERS.OrderNote.parse(body), body);
  assert.equal(body.type, 'clip.succeeded');
  assert.equal(body.data.result.sha256, done.result.sha256);
  assert.equal(noticesOf(server).filter((text) => /got 50[03]$/.test(text)).length, 2);
  assert.equal(await server.end('SIGTERM'), 0);

  const second = await ServerProcess.start(folder, options);
  const { id: other } = await second.order({ webhook: url, seed: 2 });
  await second.until(other, 'succeeded');
  await waitFor(() => notes.length >= 4);
  assert.equal(notes.length, 4);
  assert.equal(JSON.parse(notes[3]!.text).data.id, other);
  await second.end('SIGKILL');
});

test('a note that was not taken before a kill is sent by the next server', async () => {
  const { notes, host, url } = await receiver([503, 204]);
  const folder = temporaryFolder();
  const options = { webhookHosts: [host], webhookSecret: SECRET };
  const first = await ServerProcess.start(folder, { ...options, webhookDelaysMs: [3600_000] });
  const { id } = await first.order({ webhook: url });
  await first.until(id, 'succeeded');
  await waitFor(() => notes.length === 1);
  await first.end('SIGKILL');
  const second = await ServerProcess.start(folder, options);
  await waitFor(() => notes.length === 2);
  assertSigned(notes[1]!);
  assert.equal(notes[1]!.text, notes[0]!.text);
  await second.end('SIGKILL');
});

test('redirects are not followed, and what is gone is not asked again', async () => {
  const trap = await receiver([200]);
  const leading = await receiver([307], trap.url);
  const gone = await receiver([410]);
  const server = await ServerProcess.start(temporaryFolder(), {
    ...{ webhookHosts: [leading.host, gone.host], webhookSecret: SECRET, webhookDelaysMs: [1, 1] },
  });
  for (const { url } of [leading, gone]) await server.order({ webhook: url });
  await waitFor(() => noticesOf(server).filter((text) => text.endsWith('is given up')).length === 2);
  assert.deepEqual([leading.notes.length, gone.notes.length, trap.notes.length], [1, 1, 0]);
  await server.end('SIGKILL');
});

test('a clip that is cancelled has its note, and a server that cannot be reached keeps nothing waiting', async () => {
  const { notes, host, url } = await receiver([200]);
  const server = await ServerProcess.start(temporaryFolder(), {
    ...{ stepMs: 500, webhookHosts: [host, '127.0.0.1:9'], webhookSecret: SECRET },
    webhookDelaysMs: [3600_000],
  });
  const { id } = await server.order({ webhook: url });
  const { id: lost } = await server.order({ webhook: 'http://127.0.0.1:9/', seed: 2 });
  for (const each of [id, lost]) await server.fetch(`/v1/clips/${each}`, { method: 'DELETE' });
  await waitFor(() => notes.length === 1 && noticesOf(server).some((text) => /got an error/.test(text)));
  assert.equal(JSON.parse(notes[0]!.text).type, 'clip.canceled');
  assert.equal(await server.end('SIGTERM'), 0);
});

test('addresses of other hosts are refused', async () => {
  const make = (hosts: readonly string[]) =>
    new Webhooks({ hosts, secret: SECRET, onEvent: () => {}, onDone: async () => {} });
  const webhooks = make(['hooks.example.org', 'Other.example:8443', '[::1]:9000']);
  for (const address of [
    'https://hooks.example.org/a?b=c',
    'http://hooks.example.org:80/',
    'https://HOOKS.example.org:443/',
    'https://other.example:8443/',
    'http://[0:0::1]:9000/',
  ]) {
    assert.equal(webhooks.refusalOf(address), undefined, address);
  }
  for (const address of [
    ...['https://hooks.example.org:8443/', 'https://other.example/', 'https://evil.hooks.example.org/'],
    ...[
      'https://hooks.example.org.evil/',
      'https://hooks.example.org@evil/',
      'https://a:b@hooks.example.org/',
    ],
    ...['file:///etc/passwd', 'ftp://hooks.example.org/', 'hooks.example.org', '/v1/clips', ''],
    ...[
      'http://127.0.0.1/',
      'http://0x7f000001/',
      'http://localhost:7860/',
      'https://evil\\@hooks.example.org/',
    ],
  ]) {
    assert.notEqual(webhooks.refusalOf(address), undefined, address);
  }
  assert.match(make([]).refusalOf('https://hooks.example.org/')!, /^expected none: .*--webhook-host/);
  const server = await ServerProcess.start(temporaryFolder());
  const response = await server.post('/v1/clips', {
    ...{ portrait: 'sample:ada.jpg', audio: 'sample:short.wav', webhook: 'https://hooks.example.org/' },
  });
  assert.equal(response.status, 422);
  assert.equal((await jsonOf(response)).errors[0].field, 'webhook');
  await server.end('SIGKILL');
});

test('hosts and secrets that cannot be used are refused at once', () => {
  for (const host of [
    '',
    'https://hooks.example.org',
    'a b',
    'hooks.example.org/x',
    '*.example.org',
    'a:99999',
  ]) {
    assert.throws(() => checkWebhookHost(host), InvalidOptionError, host);
  }
  for (const secret of ['', 'whsec_', 'whsec_c2hvcnQ=', SECRET.slice(6), `${SECRET}!`]) {
    assert.throws(() => keyOfSecret(secret), InvalidOptionError, secret);
  }
});
