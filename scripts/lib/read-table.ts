/** Tables of text whose columns are parted by tabs, with names in the first line. */
import { readFile } from 'node:fs/promises';

/** One object a row; missing cells are empty. */
export async function readTable(file: string): Promise<Record<string, string>[]> {
  const [header, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const names = header!.split('\t');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(names.map((name, i) => [name, cells[i] ?? '']));
  });
}
