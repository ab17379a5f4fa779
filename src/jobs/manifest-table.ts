/** Manifests as tables: CSV as every country's spreadsheet writes it, and text with tabs. */
import { parse as parseCsv } from 'csv-parse/sync';
import { isNumeric, JOB_OPTION_KEYS, keysWhere, type OptionKey } from '../pipeline/options/clip-keys.ts';
import { kindOfType } from '../pipeline/options/option-types.ts';
import { JOB_CONTROLS, ManifestError, type ManifestProblem } from './manifest-schema.ts';

/** A row with the line that it ends on. */
interface TableRow {
  readonly values: Readonly<Record<string, unknown>>;
  readonly line: number;
}

/** A table that was read. */
export interface Table {
  readonly rows: readonly TableRow[];
  /** Line of the names of the columns. */
  readonly headerLine: number;
}

const DELIMITERS = [',', ';', '\t'];
/** Columns that stay text, whatever they look like: a portrait may be called `1`. */
const TEXT_COLUMNS: ReadonlySet<string> = new Set([
  'id',
  ...keysWhere(({ type, fromText }) => kindOfType(type) === 'string' || fromText !== undefined),
]);
/** Columns with several files, separated by what no name of a file has on Windows, and hardly any elsewhere. */
const LIST_COLUMNS: ReadonlySet<string> = new Set(keysWhere(({ repeatable = false }) => repeatable));
/** Columns of text that numbers are a part of, as in `style.safetensors:0.8`. */
const NUMBERED_COLUMNS: ReadonlySet<string> = new Set(
  keysWhere(({ fromText, path }) => fromText !== undefined && path?.to !== 'input'),
);
const NUMBER_COLUMNS: ReadonlySet<string> = new Set([
  ...JOB_OPTION_KEYS.filter(isNumeric),
  ...Object.keys(JOB_CONTROLS),
]);
const COLUMNS: readonly string[] = ['id', ...JOB_OPTION_KEYS, ...Object.keys(JOB_CONTROLS)];
/** Spreadsheets write what is true in their own language. */
const TRUE = /^(?:true|wahr|vrai|verdadero|verdadeiro|vero|waar|prawda)$/i;
const FALSE = /^(?:false|falsch|faux|falso|onwaar|fałsz)$/i;

/**
 * Reads a table with a header.
 *
 * @param name - of the file, for messages.
 * @throws {@link ManifestError} naming lines.
 */
export function parseTable(text: string, name: string): Table {
  const { body, delimiter, skipped } = findDelimiter(text);
  let records: { record: string[]; info: { lines: number } }[];
  try {
    records = parseCsv(body, {
      bom: true,
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
    }) as unknown as typeof records;
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number };
    throw new ManifestError(name, [
      {
        place: lines === undefined ? '' : `line ${lines + skipped}`,
        message: `expected CSV, got: ${message}`,
      },
    ]);
  }
  const [header, ...rows] = records;
  if (header === undefined) return { rows: [], headerLine: 1 };
  const headerLine = header.info.lines + skipped;
  const columns = header.record.map(columnOf);
  const problems: ManifestProblem[] = [];
  for (const [i, column] of columns.entries()) {
    if (column !== '' && columns.indexOf(column) < i) {
      problems.push({
        place: `line ${headerLine}`,
        message: `expected each column once, got ${column} twice`,
      });
    }
  }
  const read = rows.map(({ record, info }): TableRow => {
    const line = info.lines + skipped;
    const values: Record<string, unknown> = {};
    for (const [i, raw] of record.entries()) {
      const cell = raw.trim();
      if (cell === '') continue;
      const column = columns[i] ?? '';
      if (column === '') {
        const message = `expected ${columns.length} columns, each with a name, got ${JSON.stringify(cell)} in column ${i + 1}; a cell that has ${delimiter === '\t' ? 'tabs' : delimiter} in it needs double quotes`;
        problems.push({ place: `line ${line}`, message });
      } else values[column] = readCell(column, cell, delimiter);
    }
    return { values, line };
  });
  if (problems.length > 0) throw new ManifestError(name, problems);
  return { rows: read, headerLine };
}

/** What separates cells: what Excel's first line says, or what the header has most of. */
function findDelimiter(text: string): {
  readonly body: string;
  readonly delimiter: string;
  /** Lines before the header. */
  readonly skipped: number;
} {
  const stated = /^\ufeff?\s*"?sep=(.)"?[^\S\r\n]*(?:\r\n|\n|\r|$)/i.exec(text);
  if (stated !== null) return { body: text.slice(stated[0].length), delimiter: stated[1]!, skipped: 1 };
  const header = text
    .trimStart()
    .split(/\r\n|\n|\r/, 1)[0]!
    .replace(/"[^"]*"/g, '');
  const count = (separator: string): number => header.split(separator).length;
  const delimiter = DELIMITERS.reduce((best, next) => (count(next) > count(best) ? next : best));
  return { body: text, delimiter, skipped: 0 };
}

/** The key that a column's name means: case, spaces, dashes and underscores are as people like them. */
function columnOf(written: string): string {
  const bare = plain(written);
  return COLUMNS.find((column) => plain(column) === bare) ?? written.trim();
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[\s_-]/g, '');
}

function readCell(column: string, cell: string, delimiter: string): unknown {
  // Where the comma separates no cells, it stands before decimals.
  const decimal = delimiter === ',' ? cell : withDecimalPoints(column, cell);
  if (LIST_COLUMNS.has(column)) return decimal.split('|').map((item) => item.trim());
  if (TEXT_COLUMNS.has(column)) return decimal;
  if (TRUE.test(cell)) return true;
  if (FALSE.test(cell)) return false;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(decimal) ? Number(decimal) : cell;
}

function withDecimalPoints(column: string, cell: string): string {
  if (NUMBER_COLUMNS.has(column as OptionKey))
    return cell.replace(/^([+-]?\d*),(\d+(?:e[+-]?\d+)?)$/i, '$1.$2');
  if (/^[+-]?\d*,\d+$/.test(cell) && NUMBERED_COLUMNS.has(column)) return cell.replace(',', '.');
  if (NUMBERED_COLUMNS.has(column)) return cell.replace(/(:[+-]?\d*),(\d+)(?=\s*(?:\||$))/g, '$1.$2');
  return cell;
}
