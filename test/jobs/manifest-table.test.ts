/** Tables as spreadsheets write them: all of them are the same jobs. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadManifest } from '../../src/jobs/manifest.ts';
import { temporaryDirectory } from '../helpers/media.ts';

const folder = temporaryDirectory();
for (const name of ['face.jpg', 'Müller, 1.jpg', 'hello.wav', 'style.safetensors', 'other.safetensors']) {
  writeFileSync(path.join(folder, name), name);
}

const HEADER = ['portrait', 'audio', 'output', 'seed', 'expressionScale', 'still', 'loras', 'priority'];
const ROWS = [
  ['face.jpg', 'hello.wav', 'one.mp4', '7', '0.8', 'TRUE', 'style.safetensors:0.5|other.safetensors', '-3'],
  ['Müller, 1.jpg', 'hello.wav', 'two.mp4', '8', '1', 'FALSE', '', '0'],
];

interface Dialect {
  readonly delimiter?: string;
  readonly newline?: string;
  readonly before?: string;
  readonly decimal?: string;
  readonly header?: (name: string) => string;
  readonly cell?: (text: string) => string;
  readonly quoteAll?: boolean;
  readonly extension?: string;
  readonly encode?: (text: string) => Uint8Array;
}

function table({
  delimiter = ',',
  newline = '\n',
  before = '',
  decimal = '.',
  header = (name) => name,
  cell = (text) => text,
  quoteAll = false,
}: Dialect): string {
  const quote = (text: string): string =>
    quoteAll || text.includes(delimiter) || text.includes('"') ? `"${text.replaceAll('"', '""')}"` : text;
  const decimals = (text: string): string => text.replace(/(?<=(?:^|:)\d)\.(?=\d)/g, decimal);
  const lines = [HEADER.map(header), ...ROWS.map((row) => row.map((text) => cell(decimals(text))))];
  return `${before}${lines.map((line) => line.map(quote).join(delimiter)).join(newline)}${newline}`;
}

const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le');
const swapped = (text: string): Buffer => utf16(text).swap16();

const DIALECTS: Readonly<Record<string, Dialect>> = {
  plain: {},
  'Windows lines': { newline: '\r\n' },
  'lines of old Macs': { newline: '\r' },
  'a mark in front': { before: '\ufeff' },
  semicolons: { delimiter: ';', newline: '\r\n' },
  'semicolons and decimal commas': { delimiter: ';', decimal: ',', newline: '\r\n' },
  'sep=; and decimal commas': { delimiter: ';', decimal: ',', newline: '\r\n', before: 'sep=;\r\n' },
  'sep=; quoted, with a mark': { delimiter: ';', before: '\ufeff"sep=;"\n' },
  'SEP=, with lines of old Macs': { before: 'SEP=,\r', newline: '\r' },
  'a separator that is never guessed': { delimiter: '^', before: 'sep=^\n' },
  tabs: { delimiter: '\t', extension: '.tsv' },
  'Unicode text': { delimiter: '\t', newline: '\r\n', decimal: ',', extension: '.txt', encode: utf16 },
  'UTF-16 of the other order': { delimiter: ';', encode: swapped },
  'UTF-16 without a mark': { delimiter: '\t', encode: (text) => Buffer.from(text, 'utf16le') },
  'capital headers': { header: (name) => name.toUpperCase() },
  'headers in words': {
    header: (name) =>
      ` ${name[0]!.toUpperCase()}${name.slice(1).replace(/[A-Z]/g, (letter) => ` ${letter}`)} `,
  },
  'headers with dashes': { header: (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) },
  'headers with underscores': { header: (name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`) },
  'another language': {
    delimiter: ';',
    decimal: ',',
    cell: (text) => text.replace('TRUE', 'WAHR').replace('FALSE', 'FALSCH'),
  },
  'spaces around': { cell: (text) => (text.includes(',') ? text : ` ${text}\u00a0`) },
  'empty columns and rows at the end': { delimiter: ';', newline: ';;;\r\n' },
  'everything quoted': { quoteAll: true },
};

for (const [name, dialect] of Object.entries(DIALECTS)) {
  test(`a table with ${name} is read`, async () => {
    const { extension = '.csv', encode = Buffer.from } = dialect;
    const file = path.join(folder, `jobs${extension}`);
    writeFileSync(file, encode(table(dialect)));
    const { jobs } = await loadManifest(file);
    assert.deepEqual(
      jobs.map(({ options, priority }) => ({ ...options, priority })),
      [
        {
          portrait: path.join(folder, 'face.jpg'),
          audio: path.join(folder, 'hello.wav'),
          output: path.join(folder, 'one.mp4'),
          seed: 7,
          expressionScale: 0.8,
          still: true,
          loras: [
            { path: path.join(folder, 'style.safetensors'), scale: 0.5 },
            { path: path.join(folder, 'other.safetensors'), scale: 1 },
          ],
          priority: -3,
        },
        {
          portrait: path.join(folder, 'Müller, 1.jpg'),
          audio: path.join(folder, 'hello.wav'),
          output: path.join(folder, 'two.mp4'),
          seed: 8,
          expressionScale: 1,
          still: false,
          priority: 0,
        },
      ],
    );
  });
}

test('lines of problems are those of the file, also behind a line that names the separator', async () => {
  const file = path.join(folder, 'lines.csv');
  writeFileSync(file, 'sep=;\r\nportrait;audio;seed\r\nface.jpg;hello.wav;7\r\nface.jpg;no.wav;7\r\n');
  await assert.rejects(loadManifest(file), /line 4: cannot read audio no\.wav/);
  writeFileSync(file, 'sep=;\r\nportrait;audio;sed\r\nface.jpg;hello.wav;7\r\n');
  await assert.rejects(loadManifest(file), /line 2: cannot use sed/);
});

test('bytes of an encoding that is not said are refused, with the way out', async () => {
  const file = path.join(folder, 'ansi.csv');
  writeFileSync(file, Buffer.from('portrait;audio\nM\xfcller.jpg;hello.wav\n', 'latin1'));
  await assert.rejects(loadManifest(file), /expected text in UTF-8 or UTF-16.*in Excel as "CSV UTF-8"/);
});
