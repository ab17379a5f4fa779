/** What a talking face is compared with: films of people nobody trained on, blendshape takes, labelled speech. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Phone } from './held-out.ts';
import { readNpz } from './npz.ts';
import { readTable } from './read-table.ts';

/** Somebody on film, with the still and the sound that drive the clip. */
export interface FilmCase {
  readonly group: string;
  readonly name: string;
  /** Picture file; undefined where the film's first frame is the still. */
  readonly portrait: string | undefined;
  readonly audio: string;
  readonly film: string;
}

/** Speech with the opening of the mouth that goes with it. */
export interface TakeCase {
  readonly name: string;
  readonly audio: string;
  /** By frame; its unit is arbitrary. */
  readonly opening: readonly number[];
  readonly fps: number;
}

/** Speech with its phones. */
export interface LabelledCase {
  readonly voice: string;
  readonly name: string;
  readonly audio: string;
  readonly phones: readonly Phone[];
}

/** Takes and speakers that scripts/train/more_speech.py holds out. */
const TEST_TAKES = ['1114_2_01', '1114_3_16'];
const TEST_ACTORS = ['03', '13'];
/** How far blendshapes open the lips at full weight, in mm, as scripts/train/motion_people.py finds through the sound; both sides count half. */
const OPENING_SHAPES: Readonly<Record<string, number>> = {
  mouth_stretch_c: 14,
  mouth_lowerLipDepress_l: 7.5,
  mouth_lowerLipDepress_r: 7.5,
  mouth_upperLipRaise_l: 3.7,
  mouth_upperLipRaise_r: 3.7,
  mouth_funnel_dl: 4,
  mouth_funnel_dr: 4,
  mouth_oh_c: 2,
  mouth_press_l: -4,
  mouth_press_r: -4,
};

/** Films of GRID's test people, and of the filmed speaker's held-out sentences, every `step`th of these. */
export async function listFilms(data: string, step: number): Promise<FilmCase[]> {
  const others = path.join(data, 'more', 'grid_other_speakers');
  const people = (await readTable(path.join(others, 'index.tsv')))
    .filter(({ split }) => split === 'test')
    .map(({ file }) => path.join(others, file!))
    .map((film) => ({ group: 'other people', film }));
  const talking = (await readTable(path.join(data, 'talking', 'index.tsv')))
    .filter(({ split }) => split === 'test')
    .filter((_, i) => i % step === 0)
    .map(({ file }) => path.join(data, 'talking', file!))
    .map((film) => ({ group: 'trained speaker', film }));
  return [...people, ...talking].map(({ group, film }) => ({
    group,
    film,
    name: path.parse(film).name,
    portrait: undefined,
    audio: film,
  }));
}

/** NAME_ref.jpg, NAME_aud.* and NAME_gt.mp4 of a folder. */
export async function listTriples(folder: string): Promise<FilmCase[]> {
  const files = (await readdir(folder)).sort();
  return files
    .filter((file) => /_ref\.(jpe?g|png|webp)$/i.test(file))
    .map((reference) => {
      const name = reference.replace(/_ref\.[^.]+$/, '');
      const find = (pattern: string): string => {
        const found = files.find((file) => file.startsWith(name + pattern));
        if (found === undefined)
          throw new Error(`Cannot find ${name}${pattern}* next to ${reference} in ${folder}`);
        return path.join(folder, found);
      };
      return {
        group: 'triples',
        name,
        portrait: path.join(folder, reference),
        audio: find('_aud.'),
        film: find('_gt.'),
      };
    });
}

/** The held-out takes with blendshape weights. */
export async function listTakes(data: string): Promise<TakeCase[]> {
  const folder = path.join(data, 'more', 'facegood_mandarin');
  return Promise.all(
    TEST_TAKES.map(async (name) => {
      const arrays = await readNpz(path.join(folder, `${name}.npz`));
      const [weights, names] = [arrays.get('weights')!, arrays.get('names')!.values as readonly string[]];
      const [frames, shapes] = weights.shape as [number, number];
      const factors = names.map((shape) => OPENING_SHAPES[shape] ?? 0);
      const opening = Array.from({ length: frames }, (_, frame) =>
        factors.reduce((sum, factor, i) => sum + factor * (weights.values[frame * shapes + i] as number), 0),
      );
      const fps = arrays.get('fps')!.values[0] as number;
      return { name, audio: path.join(folder, `${name}.flac`), opening, fps };
    }),
  );
}

const SAMPA_VOWELS = /^[aAeEiIoOuUyY@2469]/;
const SAMPA_CLOSED = /^[_!]?[pbm]/;

/** Kinds of phones, as measurePhones knows them, of a label file of EmoDB: vowels, closed lips, pauses and others. */
export function parseSampa(text: string): Phone[] {
  const phones: Phone[] = [];
  for (const line of text.trim().split('\n')) {
    const [from, to, label = ''] = line.split('\t');
    const [start, end] = [Number(from), Number(to)];
    const last = phones.at(-1);
    // A mark, a burst or a breath belongs to the phone before it.
    if (/^[+\-(]/.test(label) && last !== undefined) {
      phones[phones.length - 1] = { ...last, end };
      continue;
    }
    const name = SAMPA_CLOSED.test(label)
      ? 'P'
      : SAMPA_VOWELS.test(label)
        ? 'AA'
        : /^[.+\-(]|^$/.test(label)
          ? 'SIL'
          : 'T';
    const burst = label.startsWith('!') || label.includes('asp');
    if (burst && last?.name === name) phones[phones.length - 1] = { ...last, end };
    else if (end > start) phones.push({ start, end, name });
  }
  return phones;
}

/** Emotional German of the held-out actors, every `step`th sentence. */
export async function listEmotional(data: string, step: number): Promise<LabelledCase[]> {
  const folder = path.join(data, 'more', 'emodb_german');
  const rows = (await readTable(path.join(folder, 'index.tsv'))).filter(
    ({ speaker, phones }) => TEST_ACTORS.includes(speaker!) && phones !== '' && phones !== '-',
  );
  return Promise.all(
    rows
      .filter((_, i) => i % step === 0)
      .map(async ({ file, phones, speaker }) => ({
        voice: `German actor ${speaker}`,
        name: path.parse(file!).name,
        audio: path.join(folder, file!),
        phones: parseSampa(await readFile(path.join(folder, phones!), 'utf8')),
      })),
  );
}
