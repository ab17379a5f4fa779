/** The page: what is chosen is looked at by the server before anything is rendered. */
import { ask } from './api.js';
import { $, announce, duration, make, show } from './dom.js';
import { Gallery } from './gallery.js';
import { audioInput, ChosenFiles, portraitInput, problem } from './inputs.js';
import { optionFields } from './options.js';

/** After the last change, so that a number that is being typed is not looked at. */
const LOOK_MS = 400;

const files = new ChosenFiles(() => lookSoon());
let fields;
let gallery;
let looking;
let lookTimer;

/** The order as it stands. */
function order() {
  return { ...fields.values(), ...files.ids() };
}

function clearProblems() {
  for (const place of document.querySelectorAll('[data-field] .problem')) show(place, undefined);
  show($('order-problem'), undefined);
}

function showProblems(error, isOrder) {
  for (const [field, text] of error.fields ?? []) {
    const isMissing = /^Cannot animate without/.test(text);
    if (isMissing && !isOrder) continue; // it may still come
    if (!problem(field, text)) show($('order-problem'), text);
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
  $('face').hidden = true;
  $('notes').replaceChildren();
  $('estimate').textContent = '';
  clearProblems();
  const wanted = order();
  if (files.isSending || !(wanted.portrait ?? wanted.source)) return;
  // The face can be looked at before there is any sound.
  const isPartial = ['audio', 'driving', 'motion', 'idle'].every((field) => wanted[field] === undefined);
  looking = new AbortController();
  const { signal } = looking;
  $('estimate').textContent = 'Looks at it …';
  try {
    const plan = await ask('/v1/plan', {
      method: 'POST',
      body: isPartial ? { ...wanted, audio: 'sample:short.wav' } : wanted,
      signal,
    });
    showFaces(plan.faces);
    $('notes').replaceChildren(...plan.notices.filter((text) => !/^device /.test(text)).map((text) => make('li', {}, text)));
    $('estimate').textContent = isPartial
      ? 'The face can be animated. What shall it say?'
      : `${plan.duration.toFixed(1)} s of video, ${plan.width}×${plan.height}: about ${duration(plan.estimatedSeconds)} and ${(plan.estimatedMemoryBytes / 1e9).toFixed(1)} GB on this machine.`;
  } catch (error) {
    if (signal.aborted) return;
    $('estimate').textContent = '';
    showProblems(error, false);
  }
}

/** Marks the face that is animated: the largest that can be. */
function showFaces(faces = []) {
  const [face] = faces.filter(({ problem: why }) => why === undefined).sort((a, b) => b.size - a.size);
  if (face === undefined) return;
  const { naturalWidth, naturalHeight } = $('portrait-shown');
  const percent = (pixels, whole) => `${((pixels / whole) * 100).toFixed(2)}%`;
  const { style } = $('face');
  style.left = percent(face.box.x, naturalWidth);
  style.top = percent(face.box.y, naturalHeight);
  style.width = percent(face.box.width, naturalWidth);
  style.height = percent(face.box.height, naturalHeight);
  $('face').hidden = $('portrait-shown').hidden || naturalWidth === 0;
}

async function render(event) {
  event.preventDefault();
  clearTimeout(lookTimer);
  clearProblems();
  if (files.isSending) {
    show($('order-problem'), 'A file is still on its way: please wait a moment.');
    return;
  }
  $('render').disabled = true;
  try {
    const clip = await ask('/v1/clips', { method: 'POST', body: order() });
    gallery.add(clip);
    announce(`${clip.name} is ordered`);
    document.querySelector(`[data-id="${clip.id}"]`)?.scrollIntoView({ block: 'nearest' });
  } catch (error) {
    showProblems(error, true);
    document.querySelector('.problem:not([hidden])')?.scrollIntoView({ block: 'center' });
  } finally {
    $('render').disabled = false;
  }
}

/** Puts a clip's files and options into the form. */
function again(clip, portrait, audio, samples) {
  const names = new Map(clip.files.map(({ id, name }) => [id, name]));
  const urlOf = (id) => samples.find((sample) => sample.id === id)?.url;
  fields.fill(clip.options);
  for (const [field, value] of Object.entries(clip.options)) {
    if (names.has(value)) files.use(field, value, names.get(value));
  }
  const isSample = urlOf(clip.options.portrait) !== undefined;
  const shown = names.get(clip.options.portrait);
  portrait.show(urlOf(clip.options.portrait) ?? clip.links.preview, shown, isSample ? shown : undefined);
  audio.show(urlOf(clip.options.audio));
  $('more').open = true;
  $('order-title').scrollIntoView();
  $('render').focus({ preventScroll: true });
  announce('The options of the clip are in the form');
}

async function start() {
  $('unlock').addEventListener('submit', (event) => {
    event.preventDefault();
    location.replace(`/?token=${encodeURIComponent($('token').value)}`);
  });
  let known;
  try {
    const [{ options }, { samples }] = await Promise.all([ask('/v1/options'), ask('/v1/samples')]);
    known = { options, samples };
  } catch (error) {
    $('locked').hidden = error.status !== 401;
    $('order').hidden = true;
    $('clips').hidden = true;
    if (error.status !== 401) throw error;
    return;
  }
  const { options, samples } = known;
  fields = optionFields(options, {
    films: $('film-fields'),
    more: $('option-fields'),
    onFile: (field, file) => files.send(field, file),
    onChange: lookSoon,
  });
  const portrait = portraitInput(files, samples);
  const audio = audioInput(files, samples);
  gallery = new Gallery((clip) => again(clip, portrait, audio, samples));
  $('order').addEventListener('submit', render);
  await gallery.open();
}

await start();
