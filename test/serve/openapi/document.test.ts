/** The description of the API against the server: every route is in it, and answers are what it says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guard } from '../../../src/serve/guard.ts';
import { openapiDocument } from '../../../src/serve/openapi/document.ts';
import { OPERATIONS } from '../../../src/serve/openapi/operations.ts';
import { ANSWERS, type AnswerName } from '../../../src/serve/openapi/schemas.ts';
import { PROBLEM_KINDS } from '../../../src/serve/problem.ts';
import { createApp } from '../../../src/serve/server.ts';
import type { ServerState } from '../../../src/serve/server-state.ts';
import { type Json, jsonOf, ServerProcess, temporaryFolder } from '../server-process.ts';

const TOKEN = 'a-token-for-this-test';
const document: Json = openapiDocument('1.2.3');
const operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
  Object.entries<Json>(item).map(([method, operation]) => ({ path, method, operation })),
);

/** Every value in the document with its keys. */
function* walk(value: Json, at: readonly string[] = []): Generator<{ at: readonly string[]; value: Json }> {
  yield { at, value };
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) yield* walk(child, [...at, key]);
}

/** Parses, and finds what the schema does not know of, too. */
function assertAnswer(name: AnswerName, answer: unknown): void {
  assert.deepEqual(ANSWERS[name].parse(answer), answer, name);
}

test('every route of the server is in the document, and the reverse', () => {
  const guard = new Guard({ host: '127.0.0.1', token: undefined, allowedHosts: [] });
  const app = createApp({} as ServerState, guard);
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path !== '/' && !path.startsWith('/page/'))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
  const documented = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
  assert.deepEqual(documented.sort(), routes.sort());
  assert.equal(documented.length, OPERATIONS.length);
});

test('the document has the structure of OpenAPI 3.1', () => {
  assert.match(document.openapi, /^3\.1\.\d$/);
  assert.deepEqual(Object.keys(document.info).sort(), ['summary', 'title', 'version']);
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  const tags = document.tags.map(({ name }: Json) => name);
  for (const { path, operation } of operations) {
    assert.ok(operation.tags.every((tag: string) => tags.includes(tag)));
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const parameters: Json[] = operation.parameters ?? [];
    const inPath = parameters.filter((each) => each.in === 'path');
    assert.deepEqual(
      inPath.map(({ name }) => name),
      names,
      path,
    );
    assert.ok(inPath.every(({ required }) => required === true));
    assert.equal(new Set(parameters.map((each) => `${each.in} ${each.name}`)).size, parameters.length);
    for (const each of parameters) assert.ok(each.schema !== undefined && each.description !== '', each.name);
    assert.ok(Object.keys(operation.responses).some((status) => /^[23]\d\d$/.test(status)));
    for (const [status, response] of Object.entries<Json>(operation.responses)) {
      assert.match(status, /^[1-5]\d\d$/);
      assert.ok(typeof response.description === 'string' && response.description !== '');
      const types = Object.keys(response.content ?? {});
      if (Number(status) >= 400 && !path.endsWith('readyz'))
        assert.deepEqual(types, ['application/problem+json']);
    }
    if (operation.requestBody !== undefined) assert.ok('content' in operation.requestBody);
  }
});

test('every reference leads somewhere, every schema is used, and patterns are patterns', () => {
  const used = new Set<string>();
  for (const { at, value } of walk(document)) {
    const key = at.at(-1);
    if (key === '$ref') {
      const target = String(value).replace('#/components/schemas/', '');
      assert.ok(target in document.components.schemas, value);
      used.add(target);
    }
    if (key === 'pattern' && typeof value === 'string')
      assert.doesNotThrow(() => new RegExp(value, 'u'), value);
    assert.ok(!['$schema', '$id', 'nullable'].includes(String(key)), at.join('/'));
    assert.ok(value !== undefined, at.join('/'));
  }
  assert.deepEqual(Object.keys(document.components.schemas).sort(), [...used].sort());
});

test('an order takes every option of the server, and files in forms alone', async () => {
  const server = await ServerProcess.start(temporaryFolder(), { token: TOKEN });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const { options } = await server.json('/v1/options', { headers });
  const names = [...options.map(({ name }: Json) => name), 'format', 'name', 'webhook'].sort();
  const { ClipForm, ClipOrder } = document.components.schemas;
  assert.deepEqual(Object.keys(ClipForm.properties).sort(), names);
  assert.deepEqual(Object.keys(ClipOrder.properties).sort(), names);
  const isFile = (property: Json) => JSON.stringify(property).includes('contentMediaType');
  const files = (schema: Json) => names.filter((name) => isFile(schema.properties[name]));
  assert.deepEqual(files(ClipOrder), []);
  assert.deepEqual(files(ClipForm), options.flatMap(({ name, file }: Json) => (file ? [name] : [])).sort());

  const compared = options.flatMap(({ name, compared }: Json) => (compared ? [name] : []));
  const own = ['repeats', 'wholeJob', 'variants', 'sweeps', 'name', 'webhook'];
  const { ComparisonForm } = document.components.schemas;
  assert.deepEqual(Object.keys(ComparisonForm.properties).sort(), [...compared, ...own].sort());

  // What needs the token is what the document says so of; `/docs` and the document tell everybody.
  for (const { path, method, operation } of operations) {
    const where = path.replace('{id}', 'A'.repeat(22)).replace('{name}', 'ada.jpg');
    const { status } = await server.fetch(where, { method: method.toUpperCase() });
    assert.equal(status === 401, operation.security === undefined, `${method} ${path}: ${status}`);
    assert.equal('401' in operation.responses, operation.security === undefined);
  }
  await server.end('SIGKILL');
});

test('answers are what the document says of them', async () => {
  const server = await ServerProcess.start(temporaryFolder());
  const queued = await server.order();
  assertAnswer('Clip', queued);
  for await (const { data } of server.follow(queued.id)) assertAnswer('ClipEvent', data);
  assertAnswer('Clip', await server.json(`/v1/clips/${queued.id}`));
  await server.order({ seed: 2 });
  const page = await server.json('/v1/clips?limit=1');
  assert.ok('next' in page);
  assertAnswer('ClipPage', page);
  const comparison = await server.orderComparison({ repeats: 1 });
  assertAnswer('Comparison', comparison);
  for await (const { data } of server.followOf(comparison.links.self)) assertAnswer('ComparisonEvent', data);
  const compared = await server.json(comparison.links.self);
  assert.ok(compared.result !== undefined);
  assertAnswer('Comparison', compared);
  assertAnswer('ComparisonPage', await server.json('/v1/comparisons'));
  const form = new FormData();
  form.append('file', await (await server.fetch('/v1/samples/ada.jpg')).blob(), 'ada.jpg');
  const upload = await server.json('/v1/uploads', { method: 'POST', body: form });
  assertAnswer('Upload', upload);
  assertAnswer('Upload', await server.json(`/v1/uploads/${upload.id}`));
  const plan = await server.post('/v1/plan', { portrait: 'sample:ada.jpg', audio: 'sample:short.wav' });
  assertAnswer('Plan', await jsonOf(plan));
  assertAnswer('Problem', await jsonOf(await server.post('/v1/clips', { seed: 'x' })));
  for (const [where, name] of [
    ['/v1/options', 'Options'],
    ['/v1/bundles', 'Bundles'],
    ['/v1/samples', 'Samples'],
    ['/healthz', 'Health'],
    ['/readyz', 'Readiness'],
  ] as const) {
    assertAnswer(name, await server.json(where));
  }
  assert.equal((await server.json('/openapi.json')).info.version, '0.0.0');
  await server.end('SIGKILL');
});

test('the page has every operation and an anchor for every kind of problem, and no script', async () => {
  const server = await ServerProcess.start(temporaryFolder());
  const response = await server.fetch('/docs');
  assert.match(response.headers.get('content-type')!, /^text\/html/);
  assert.match(response.headers.get('content-security-policy')!, /default-src 'none'/);
  const page = await response.text();
  assert.ok(!/<script|<style|\son\w+=|\sstyle=/.test(page)); // none of it would be let through
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]!);
  assert.equal(new Set(ids).size, ids.length);
  for (const anchor of page.matchAll(/href="#([^"]*)"/g)) assert.ok(ids.includes(anchor[1]!), anchor[1]);
  for (const kind of Object.keys(PROBLEM_KINDS)) assert.ok(ids.includes(kind), kind);
  for (const { name } of OPERATIONS) assert.ok(ids.includes(name), name);
  for (const [, where] of page.matchAll(/(?:href|src)="(\/[^"#]*)"/g)) {
    assert.equal((await server.fetch(where!)).status, 200, where);
  }
  await server.end('SIGKILL');
});
