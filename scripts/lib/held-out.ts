/** People and speech that no training step has seen, from a folder of training and test data. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readTable } from './read-table.ts';

/** Speakers that scripts/train leaves out; the filmed speaker's sentences of the split are added to theirs. */
const HELD_OUT_SPEAKERS = ['libri-61', 'cv-22058264', 'cv-22058266', 'cv-22058267', 'sb-spk2'];
/** Frontal, in degrees; the table's pitch is about 6° for a face that looks straight ahead. */
const MAX_YAW = 12;
const PITCH_RANGE = [-6, 18] as const;
/** Smaller pictures are too soft to judge the result by. */
const MIN_WIDTH = 400;

/** A phone with its time in seconds. */
export interface Phone {
  readonly start: number;
  readonly end: number;
  /** ARPAbet without stress, SIL for silence. */
  readonly name: string;
}

/** A recording of speech. */
export interface HeldOutSpeech {
  readonly name: string;
  readonly path: string;
  /** Where they are labelled. */
  readonly phones: readonly Phone[] | undefined;
}

async function readPhones(file: string): Promise<Phone[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text
    ?.trim()
    .split('\n')
    .map((line) => {
      const [start, end, name] = line.split('\t');
      return { start: Number(start), end: Number(end), name: name!.replace(/\d$/, '') };
    });
}

/** `count` of `items`, evenly spread over them. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}

/** Paths of up to `count` frontal portraits in colour of a split. */
export async function listPortraits(data: string, split: string, count: number): Promise<string[]> {
  const rows = (await readTable(path.join(data, 'portraits', 'index.tsv'))).filter(
    (row) =>
      row.split === split &&
      row.bw === '0' &&
      row.tight === '0' &&
      Number(row.width) >= MIN_WIDTH &&
      Math.abs(Number(row.yaw)) <= MAX_YAW &&
      Number(row.pitch) >= PITCH_RANGE[0] &&
      Number(row.pitch) <= PITCH_RANGE[1],
  );
  return spread(rows, count).map((row) => path.join(data, 'portraits', row.file!));
}

/** Up to `count` recordings, by turns of a voice that was never heard and of a filmed sentence of the split. */
export async function listSpeech(data: string, split: string, count: number): Promise<HeldOutSpeech[]> {
  const speech = await readTable(path.join(data, 'speech', 'index.tsv'));
  const talking = await readTable(path.join(data, 'talking', 'index.tsv'));
  const half = Math.ceil(count / 2);
  const others = speech
    .filter((row) => HELD_OUT_SPEAKERS.includes(row.speaker!))
    .sort((a, b) => Number(b.seconds) - Number(a.seconds))
    .map((row) => path.join(data, 'speech', row.file!));
  const filmed = talking
    .filter((row) => row.split === split)
    .map((row) => path.join(data, 'talking', row.file!));
  const groups = [others.slice(0, half), spread(filmed, half)];
  const files = Array.from({ length: count }, (_, i) => {
    const group = groups[i % 2]!.length > 0 ? groups[i % 2]! : groups[1 - (i % 2)]!;
    return group[(i >> 1) % group.length]!;
  });
  return Promise.all(
    files.map(async (file) => {
      const name = path.parse(file).name;
      const labelled = file.endsWith('.mkv') ? `grid_${name}` : name;
      const phones = await readPhones(path.join(data, 'speech', 'phn', `${labelled}.phn`));
      return { name, path: file, phones };
    }),
  );
}

/** Names of up to `count` filmed clips of a split. */
export async function listFilms(data: string, split: string, count: number): Promise<string[]> {
  const rows = (await readTable(path.join(data, 'talking', 'index.tsv'))).filter(
    (row) => row.split === split,
  );
  return spread(rows, count).map((row) => path.parse(row.file!).name);
}

/** The labelled recordings of each speaker that no training step has heard. */
export async function listHeldOutVoices(
  data: string,
): Promise<{ readonly speaker: string; readonly language: string; readonly speech: HeldOutSpeech[] }[]> {
  const rows = await readTable(path.join(data, 'speech', 'index.tsv'));
  return Promise.all(
    HELD_OUT_SPEAKERS.map(async (speaker) => {
      const own = rows.filter((row) => row.speaker === speaker);
      const speech = await Promise.all(
        own.map(async ({ file }) => {
          const { name } = path.parse(file!);
          const phones = await readPhones(path.join(data, 'speech', 'phn', `${name}.phn`));
          return { name, path: path.join(data, 'speech', file!), phones };
        }),
      );
      return {
        speaker,
        language: own[0]?.lang ?? '',
        speech: speech.filter(({ phones }) => phones !== undefined),
      };
    }),
  );
}
