/** Fields for the options, made of what the server says of them: an option that is added there is here, too. */
import { make } from './dom.js';

/** Words for people, where a name would not say enough. */
const LABELS = {
  driving: 'Driving video',
  source: 'Video to re-voice (instead of a portrait)',
  motion: 'Motion file',
  poseVideo: 'Landmark video',
  headMotion: 'Head motion',
  soundtrack: 'Soundtrack (instead of the speech)',
  loras: 'LoRAs',
  fps: 'Frame rate',
  crf: 'Quality (CRF)',
  still: 'Keep the head at rest',
  mouthScale: 'Mouth',
  expressionScale: 'Expression',
  headPoseScale: 'Head',
  blinkScale: 'Blinks',
  idle: 'Idle clip (seconds)',
  face: 'Which face',
};
/** What may stand behind the person, other than a colour and a picture. */
const BACKGROUNDS = { blurred: 'blurred', green: 'green (for keying)', white: 'white', grey: 'grey', black: 'black' };
const OWN_COLOUR = 'colour';
const OWN_PICTURE = 'picture';

/** What most people want to see first. */
const FIRST = ['style', 'emotion', 'preset', 'framing', 'still', 'seed'];
const FILMS = ['driving', 'source', 'motion', 'poseVideo', 'headMotion', 'drivingParts', 'drivingMode', 'drivingGaps', 'drivingFace'];
const TEMPLATES = ['calm', 'natural', 'lively'];
const ASKED_ELSEWHERE = ['portrait', 'audio'];

/** What follows, folded; the last has all that is in no other. */
const SECTIONS = [
  ['Picture and video', ['face', 'background', 'size', 'aspect', 'fit', 'fps', 'crf']],
  ['Strength of motion, idle clips', ['mouthScale', 'expressionScale', 'headPoseScale', 'blinkScale', 'faceMotion', 'idle', 'loop']],
  ['Sound', ['soundtrack', 'audioTrack']],
  ['Networks and sampling', undefined],
];

/** What an option is called on the page. */
export const words = (name) =>
  LABELS[name] ?? name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/^./, (first) => first.toUpperCase());

/**
 * @param options - as the server lists them.
 * @param onFile - called with the option's name and the chosen file, or undefined.
 * @param onChange - called when a value has changed.
 */
export function optionFields(options, { films, more, onFile, onChange }) {
  const inputs = new Map();
  const sections = SECTIONS.map(([title, names]) => {
    const list = make('div', { className: 'fields' });
    return { names, list, element: make('details', { className: 'section' }, make('summary', {}, title), list) };
  });
  const placeOf = (name) => {
    if (FILMS.includes(name)) return films;
    if (FIRST.includes(name)) return more;
    return sections.find(({ names }) => names === undefined || names.includes(name)).list;
  };
  const sorted = [...options].sort((a, b) => {
    const [i, j] = [FIRST.indexOf(a.name), FIRST.indexOf(b.name)];
    return (i < 0 ? FIRST.length : i) - (j < 0 ? FIRST.length : j);
  });
  for (const option of sorted) {
    if (ASKED_ELSEWHERE.includes(option.name)) continue;
    const id = `option-${option.name}`;
    const field = make('div', { 'data-field': option.name });
    const hint = make('p', { className: 'hint', id: `${id}-hint` }, hintOf(option));
    const { input, more: extra } = inputOf(option, id, onFile, onChange);
    input.setAttribute('aria-describedby', hint.id);
    input.addEventListener('change', onChange);
    if (input.type === 'checkbox') field.append(make('label', { for: id }, input, ` ${words(option.name)}`), hint);
    else field.append(make('label', { for: id }, words(option.name)), hint, extra ?? input);
    field.append(make('p', { className: 'problem', role: 'alert', hidden: true }));
    placeOf(option.name).append(field);
    if (!option.file || input.tagName === 'SELECT') inputs.set(option.name, { input, option });
  }
  more.append(...sections.map(({ element }) => element));
  return {
    /** The options that were changed. */
    values: () => {
      const values = {};
      for (const [name, { input, option }] of inputs) {
        if (input.type === 'checkbox') {
          if (input.checked !== (option.default === true)) values[name] = input.checked;
        } else if (name === 'background') {
          if (input.value === OWN_COLOUR) values[name] = input.nextElementSibling.value;
          else if (input.value !== '' && input.value !== OWN_PICTURE) values[name] = input.value;
        } else if (input.value !== '') {
          values[name] = input.type === 'number' ? Number(input.value) : input.value;
        }
      }
      return values;
    },
    /** Puts the options of an earlier clip in. */
    fill: (values) => {
      for (const [name, { input, option }] of inputs) {
        const value = values[name];
        if (input.type === 'checkbox') input.checked = value ?? option.default === true;
        else if (name === 'background') fillBackground(input, value);
        else input.value = value === undefined || typeof value === 'object' ? '' : String(value);
      }
    },
    /** The value of one, as it stands. */
    get: (name) => inputs.get(name)?.input.value,
    set: (name, value) => {
      const { input } = inputs.get(name) ?? {};
      if (input) input.value = value;
    },
  };
}

function hintOf({ description, default: standard, otherwise }) {
  const usual = typeof standard === 'boolean' ? otherwise : (standard ?? otherwise);
  const text = usual === undefined ? description : `${description} Default: ${usual}.`;
  // Options are fields here.
  return text.replace(/`?--([a-z-]+)`?/g, (_, flag) => `“${words(flag.replace(/-(.)/g, (_, letter) => letter.toUpperCase()))}”`);
}

/** @returns the element with the value, and what it stands in where there is more to it. */
function inputOf(option, id, onFile, onChange) {
  const { name, file } = option;
  if (name === 'headMotion') return { input: choice(id, TEMPLATES, 'from the speech') };
  if (name === 'background') return backgroundInput(id, onFile, onChange);
  return { input: file ? fileInput(name, id, onFile) : plainInput(option, id) };
}

function fileInput(name, id, onFile) {
  const input = make('input', { type: 'file', id, multiple: false });
  input.addEventListener('change', () => onFile(name, input.files[0]));
  return input;
}

/** A word, a colour of one's own, or a picture. */
function backgroundInput(id, onFile, onChange) {
  const names = [
    ...Object.entries(BACKGROUNDS),
    [OWN_COLOUR, 'custom colour …'],
    [OWN_PICTURE, 'image …'],
  ].map(([value, label]) => make('option', { value }, label));
  const input = make('select', { id }, make('option', { value: '' }, 'unchanged (default)'), ...names);
  const colour = make('input', { type: 'color', value: '#4f8fba', hidden: true, 'aria-label': 'Background colour' });
  const picture = fileInput('background', `${id}-file`, onFile);
  picture.setAttribute('aria-label', 'Background image');
  picture.hidden = true;
  input.addEventListener('change', () => {
    if (input.value !== OWN_PICTURE) {
      picture.value = '';
      onFile('background', undefined);
    }
    showBesides(input);
  });
  colour.addEventListener('change', onChange);
  return { input, more: make('div', { className: 'together' }, input, colour, picture) };
}

function showBesides(input) {
  const [colour, picture] = [input.nextElementSibling, input.nextElementSibling.nextElementSibling];
  colour.hidden = input.value !== OWN_COLOUR;
  picture.hidden = input.value !== OWN_PICTURE;
}

/** `transparent` belongs to the format, and a picture to the files. */
function fillBackground(input, value) {
  const isColour = /^#[0-9a-f]{6}$/i.test(value ?? '');
  input.value = isColour ? OWN_COLOUR : value in BACKGROUNDS ? value : '';
  if (isColour) input.nextElementSibling.value = value;
  showBesides(input);
}

function plainInput({ schema, default: standard }, id) {
  if (schema.enum) return choice(id, schema.enum, standard === undefined ? 'automatic' : String(standard), standard);
  if (schema.type === 'boolean') return make('input', { type: 'checkbox', id, checked: standard === true });
  if (schema.type === 'number' || schema.type === 'integer') {
    const input = make('input', { type: 'number', id, inputMode: 'decimal', placeholder: standard ?? '' });
    if (schema.minimum !== undefined) input.min = schema.minimum;
    if (schema.maximum !== undefined && schema.maximum < 1e9) input.max = schema.maximum;
    input.step = schema.type === 'integer' ? 1 : 'any';
    return input;
  }
  return make('input', { type: 'text', id, autocomplete: 'off', placeholder: standard ?? '' });
}

function choice(id, names, usual, standard) {
  return make(
    'select',
    { id },
    make('option', { value: '' }, `${usual} (default)`),
    ...names.filter((name) => name !== standard).map((name) => make('option', { value: name }, name)),
  );
}
