/** The page: what is chosen is looked at by the server before anything is rendered. */
import { ask } from './api.js';
import { Comparisons } from './comparisons.js';
import { $, announce, duration, make, show } from './dom.js';
import { hideFaces, pictureIsThere, showFaces } from './faces.js';
import { formatChoice } from './formats.js';
import { Gallery } from './gallery.js';
import { audioInput, ChosenFiles, portraitInput, problem } from './inputs.js';
import { optionFields } from './options.js';

/** After the last change, so that a number that is being typed is not looked at. */
const LOOK_MS = 400;
/** Before a page that nobody answered is loaded again. */
const RELOAD_MS = 3000;

/** What an order cannot do without, for people. */
const MISSING = {
  portrait: 'Choose a portrait first.',
  audio: 'Choose or record the speech first.',
};

const files = new ChosenFiles(() => lookSoon());
let fields;
let format;
let compared;
let gallery;
let comparisons;
let looking;
let lookTimer;

/** The order as it stands. */
function order() {
  return { ...fields.values(), ...format.values(), ...files.ids() };
}

/** What a comparison takes of it: its variants have settings of their own, and it writes what it needs. */
function comparisonOrder() {
  const wanted = Object.entries({ ...fields.values(), ...files.ids() });
  return { ...Object.fromEntries(wanted.filter(([name]) => compared.has(name))), repeats: 1 };
}

function clearProblems() {
  for (const place of document.querySelectorAll('[data-field] .problem')) show(place, undefined);
  show($('order-problem'), undefined);
}

function showProblems(error, isOrder) {
  for (const [field, text] of error.fields ?? []) {
    const isMissing = /^Cannot animate without/.test(text);
    if (isMissing && !isOrder) continue; // it may still come
    const inWords = isMissing ? (files.refusal(field) ?? MISSING[field] ?? text) : text;
    if (!problem(field, inWords)) show($('order-problem'), text);
  }
  if (!error.fields?.size) show($('order-problem'), error.message);
}

function lookSoon() {
  clearTimeout(lookTimer);
  lookTimer = setTimeout(look, LOOK_MS);
}

/** Shows the face, what is wrong and what it takes, before anything is rendered. */
async function look() {
  looking?.abort();
  $('notes').replaceChildren();
  $('estimate').textContent = '';
  clearProblems();
  const wanted = order();
  if (files.isSending || !(wanted.portrait ?? wanted.source)) {
    hideFaces();
    return;
  }
  // The face can be looked at before there is any sound.
  const isPartial = ['audio', 'driving', 'motion', 'idle'].every((field) => wanted[field] === undefined);
  looking = new AbortController();
  const { signal } = looking;
  $('estimate').textContent = 'Checking …';
  try {
    const plan = await ask('/v1/plan', {
      method: 'POST',
      body: isPartial ? { ...wanted, audio: 'sample:short.wav' } : wanted,
      signal,
    });
    await pictureIsThere();
    if (signal.aborted) return;
    showFaces(plan.faces ?? [], fields.get('face'), (number) => {
      fields.set('face', String(number));
      lookSoon();
    });
    const notes = plan.notices.filter((text) => !/^device /.test(text));
    $('notes').replaceChildren(...notes.map((text) => make('li', {}, sentence(text))));
    $('estimate').textContent = isPartial
      ? 'The face can be animated. Now choose the speech.'
      : `${plan.duration.toFixed(1)} s of video, ${plan.width}×${plan.height}: about ${duration(plan.estimatedSeconds)} and ${(plan.estimatedMemoryBytes / 1e9).toFixed(1)} GB on this machine.`;
  } catch (error) {
    if (signal.aborted) return;
    $('estimate').textContent = '';
    showProblems(error, false);
  }
}

/** With a capital where it begins with a word, and not with the name of a file. */
function sentence(text) {
  return text.replace(/^[a-z](?=[a-z]* )/, (first) => first.toUpperCase());
}

async function render(event) {
  event.preventDefault();
  await send('/v1/clips', order(), gallery);
}

/** Orders something, which then appears first in its list. */
async function send(path, body, list) {
  clearTimeout(lookTimer);
  clearProblems();
  if (files.isSending) {
    show($('order-problem'), 'A file is still uploading: please wait a moment.');
    return;
  }
  const buttons = [$('render'), $('compare')];
  for (const button of buttons) button.disabled = true;
  const focused = document.activeElement;
  try {
    const ordered = await ask(path, { method: 'POST', body });
    list.add(ordered);
    announce(`${ordered.name} is ordered`);
    document.querySelector(`[data-id="${ordered.id}"]`)?.scrollIntoView({ block: 'nearest' });
  } catch (error) {
    showProblems(error, true);
    document.querySelector('.problem:not([hidden])')?.scrollIntoView({ block: 'center' });
  } finally {
    for (const button of buttons) button.disabled = false;
    if (document.activeElement === document.body) focused?.focus({ preventScroll: true });
  }
}

/** Puts a clip's files and options into the form. */
function again(clip, portrait, audio, samples) {
  const names = new Map(clip.files.map(({ id, name }) => [id, name]));
  const urlOf = (id) => samples.find((sample) => sample.id === id)?.url;
  fields.fill(clip.options);
  format.fill(clip);
  for (const field of [...Object.keys(files.ids()), ...Object.keys(clip.options)]) {
    const value = clip.options[field];
    if (names.has(value)) files.use(field, value, names.get(value));
    else if (field in files.ids()) files.use(field, undefined); // of what was in the form before
  }
  const isSample = urlOf(clip.options.portrait) !== undefined;
  const shown = names.get(clip.options.portrait);
  portrait.show(urlOf(clip.options.portrait) ?? clip.links.preview, shown, isSample ? shown : undefined);
  audio.show(urlOf(clip.options.audio));
  fields.set('face', clip.options.face ?? ''); // the picture was changed
  $('more').open = true;
  $('order-title').scrollIntoView();
  $('render').focus({ preventScroll: true });
  announce('The options of the clip have been copied to the form');
}

/** Shows the token to the server, which answers with a cookie if it is the right one. */
async function unlock(event) {
  event.preventDefault();
  show($('token-problem'), undefined);
  try {
    await fetch(`/?token=${encodeURIComponent($('token').value)}`);
    await ask('/v1/samples');
    location.replace('/');
  } catch (error) {
    show($('token-problem'), error.status === 401 ? 'This is not the token of this server.' : error.message);
    $('token').select();
  }
}

async function start() {
  $('unlock').addEventListener('submit', unlock);
  let known;
  try {
    const [described, { samples }] = await Promise.all([ask('/v1/options'), ask('/v1/samples')]);
    known = { ...described, samples };
  } catch (error) {
    $('locked').hidden = error.status !== 401;
    $('order').hidden = true;
    $('clips').hidden = true;
    $('comparisons').hidden = true;
    // A server that restarts is there again in a moment.
    if (error.status !== 401) setTimeout(() => location.reload(), RELOAD_MS);
    return;
  }
  const { options, formats, samples } = known;
  compared = new Set(options.filter((option) => option.compared).map(({ name }) => name));
  format = formatChoice(formats, lookSoon);
  fields = optionFields(options, {
    films: $('film-fields'),
    more: $('option-fields'),
    onFile: (field, file) => files.send(field, file),
    onChange: lookSoon,
  });
  const portrait = portraitInput(files, samples, () => {
    hideFaces();
    fields.set('face', ''); // that of another picture
  });
  const audio = audioInput(files, samples);
  gallery = new Gallery((clip) => again(clip, portrait, audio, samples));
  $('order').addEventListener('submit', render);
  comparisons = new Comparisons();
  $('compare').addEventListener('click', () => send('/v1/compare', comparisonOrder(), comparisons));
  await Promise.all([gallery.open(), comparisons.open()]);
}

await start();
