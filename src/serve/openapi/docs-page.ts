/** The description of the API as a page for people: markup alone, without scripts. */
import { escapeHtml, tableMarkup } from '../../html/markup.ts';
import type { JsonSchema } from '../../pipeline/options/option-types.ts';
import { PROBLEM_KINDS } from '../problem.ts';
import { problemsOf } from './document.ts';
import { OPERATIONS, type Operation } from './operations.ts';
import { comparisonSchema, orderSchema } from './order-schema.ts';
import { ANSWERS, type AnswerName, answerSchemas } from './schemas.ts';

/** The page. */
export function docsPage(version: string): string {
  const tags = [...new Set(OPERATIONS.map(({ tag }) => tag))];
  const schemas = answerSchemas();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The API of lcm-portrait</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page/base.css">
<link rel="stylesheet" href="/page/docs.css">
</head>
<body>
<main>
<h1>The API of lcm-portrait</h1>
<p class="faint">Version ${escapeHtml(version)}. <a href="/openapi.json">OpenAPI document</a> · <a href="/">Page</a></p>
<nav aria-label="Contents"><ul>
${tags.map((tag) => `<li><a href="#${anchorOf(tag)}">${capital(tag)}</a></li>`).join('\n')}
<li><a href="#fields">Fields of a clip</a></li>
<li><a href="#comparison-fields">Fields of a comparison</a></li>
<li><a href="#answers">Answers</a></li>
<li><a href="#problems">Problems</a></li>
</ul></nav>
${tags
  .map((tag) =>
    section(
      anchorOf(tag),
      capital(tag),
      OPERATIONS.filter((each) => each.tag === tag)
        .map(operationMarkup)
        .join('\n'),
    ),
  )
  .join('\n')}
${section('fields', 'Fields of a clip', `<p>Files are sent in the form, or before, and named by their ids.</p>${propertiesMarkup(orderSchema('multipart'))}`)}
${section('comparison-fields', 'Fields of a comparison', propertiesMarkup(comparisonSchema('multipart')))}
${section(
  'answers',
  'Answers',
  (Object.keys(ANSWERS) as AnswerName[])
    .map((name) => `<h3 id="${name}">${name}</h3>${propertiesMarkup(schemas[name])}`)
    .join('\n'),
)}
${section('problems', 'Problems', `<p>Problem details (RFC 9457): the end of <code>type</code> is one of these.</p>${problemsMarkup()}`)}
</main>
</body>
</html>
`;
}

function section(id: string, title: string, body: string): string {
  return `<section aria-labelledby="${id}"><h2 id="${id}">${escapeHtml(title)}</h2>\n${body}</section>`;
}

function operationMarkup(operation: Operation): string {
  const { method, path, name, summary, isPublic, parameters = [], body, answers } = operation;
  const sent = parameters.map(({ name, in: place, description, schema }) => [
    `<code>${escapeHtml(name)}</code>`,
    place,
    escapeHtml(typeOf(schema)),
    escapeHtml(description),
  ]);
  const rows = [
    ...Object.entries(answers).map(([status, { description, content }]) => [
      status,
      escapeHtml(description),
      content?.schema === undefined
        ? escapeHtml(content?.type ?? '')
        : `<a href="#${content.schema}">${content.schema}</a>`,
    ]),
    ...[...problemsOf(operation)].map(([status, kinds]) => [
      String(status),
      kinds.map((kind) => `${escapeHtml(PROBLEM_KINDS[kind].title)}.`).join(' '),
      kinds.map((kind) => `<a href="#${kind}">${kind}</a>`).join(' '),
    ]),
  ];
  const said = [
    body === 'order' && 'The body has the <a href="#fields">fields of a clip</a>, as a form or as JSON.',
    body === 'comparison' &&
      'The body has the <a href="#comparison-fields">fields of a comparison</a>, as a form or as JSON.',
    body === 'upload' && 'The body is a form with one <code>file</code>.',
    isPublic && 'Needs no token.',
  ].filter((text) => typeof text === 'string');
  return `<article class="card" aria-labelledby="${name}">
<h3 id="${name}"><code>${method.toUpperCase()} ${escapeHtml(path)}</code></h3>
<p>${[escapeHtml(summary), ...said].join(' ')}</p>
${sent.length === 0 ? '' : tableMarkup(['Parameter', 'In', 'Type', 'What it is'], sent)}
${tableMarkup(['Status', 'Means', 'Body'], rows)}
</article>`;
}

function propertiesMarkup(schema: JsonSchema): string {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  const isOrder = required.length === 0;
  return tableMarkup(
    ['Name', 'Type', 'What it is'],
    Object.entries(properties).map(([name, property]) => [
      `<code>${escapeHtml(name)}</code>`,
      escapeHtml(typeOf(property)),
      escapeHtml(
        [
          !isOrder && !required.includes(name) && 'Not always there.',
          property.description,
          property.default !== undefined && `Default: ${JSON.stringify(property.default)}.`,
        ]
          .filter(Boolean)
          .join(' '),
      ),
    ]),
  );
}

function problemsMarkup(): string {
  const rows = Object.entries(PROBLEM_KINDS).map(([kind, { status, title }]) => [
    `<code id="${kind}">${kind}</code>`,
    String(status),
    escapeHtml(title),
  ]);
  return tableMarkup(['Type', 'Status', 'Means'], rows);
}

/** A schema in a few words. */
function typeOf(schema: JsonSchema): string {
  const { type, enum: names, const: only, anyOf, items, $ref, minimum, maximum, contentMediaType } = schema;
  if (typeof $ref === 'string') return $ref.replace(/^.*\//, '');
  if (Array.isArray(names)) return names.join(', ');
  if (only !== undefined) return String(only);
  if (Array.isArray(anyOf)) return [...new Set((anyOf as JsonSchema[]).map(typeOf))].join(' or ');
  if (type === 'array') return `list of ${items === undefined ? 'anything' : typeOf(items as JsonSchema)}`;
  if (contentMediaType !== undefined) return 'file';
  if (typeof minimum === 'number' && typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER)
    return `${type}, ${minimum} to ${maximum}`;
  return typeof type === 'string' ? type : 'anything';
}

function anchorOf(tag: string): string {
  return tag.replaceAll(' ', '-');
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
