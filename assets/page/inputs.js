/** Portrait and sound: chosen, dropped, photographed, recorded, or samples; sent as soon as they are there. */
import { upload } from './api.js';
import { $, announce, make, show } from './dom.js';

/** The files of the next clip by option: `{ id, name }`, or `{ sending }` while they are on their way. */
export class ChosenFiles {
  #files = new Map();
  #sending = new Map();
  #refused = new Map();
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Ids by option. */
  ids() {
    return Object.fromEntries([...this.#files].map(([field, { id }]) => [field, id]));
  }

  get isSending() {
    return this.#sending.size > 0;
  }

  /** Why the file that was chosen last for a field was not taken. */
  refusal(field) {
    return this.#refused.get(field);
  }

  /** Takes a file that the server has. */
  use(field, id, name) {
    this.#sending.get(field)?.abort();
    this.#sending.delete(field);
    this.#refused.delete(field);
    showSending(field, undefined);
    if (id === undefined) this.#files.delete(field);
    else this.#files.set(field, { id, name });
    problem(field, undefined);
    this.#onChange();
  }

  /** Sends a file. */
  async send(field, file) {
    this.use(field, undefined);
    if (file === undefined) return;
    const stop = new AbortController();
    this.#sending.set(field, stop);
    this.#onChange();
    try {
      announce(`Uploading ${file.name}`);
      const progress = (share) => stop.signal.aborted || showSending(field, `Uploading ${file.name} · ${Math.round(100 * share)} %`);
      const { id, name } = await upload(file, progress, stop.signal);
      this.use(field, id, name);
      announce(`${name} is ready`);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.#sending.delete(field);
      showSending(field, undefined);
      this.#refused.set(field, error.message.replace('Cannot use file:', 'This file cannot be used:'));
      problem(field, this.#refused.get(field));
      this.#onChange();
    }
  }
}

/** Says how much of a file has gone, in its field. */
function showSending(field, text) {
  const place = document.querySelector(`[data-field="${CSS.escape(field)}"]`);
  let line = place?.querySelector('.sending');
  if (line === null && text !== undefined) {
    line = make('p', { className: 'sending faint' });
    place.append(line);
  }
  if (line) show(line, text);
}

/** Says what is wrong with a field, next to it. @returns whether there is such a field. */
export function problem(field, text) {
  const place = document.querySelector(`[data-field="${CSS.escape(field)}"]`);
  if (place === null) return false;
  show(place.querySelector('.problem'), text);
  if (text) for (let fold = place.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
  return true;
}

/** Lets files be dropped on an element. */
function acceptDrops(element, onFile) {
  element.addEventListener('dragover', (event) => {
    event.preventDefault();
    element.classList.add('over');
  });
  element.addEventListener('dragleave', () => element.classList.remove('over'));
  element.addEventListener('drop', (event) => {
    event.preventDefault();
    element.classList.remove('over');
    const [file] = event.dataTransfer.files;
    if (file) onFile(file);
  });
}

/** @param onPicture - called when another picture is shown, before it is known what is in it. */
export function portraitInput(files, samples, onPicture) {
  const shown = $('portrait-shown');
  const showPicture = (url, alt, sample) => {
    if (shown.src.startsWith('blob:')) URL.revokeObjectURL(shown.src);
    onPicture();
    shown.hidden = url === undefined;
    if (url !== undefined) shown.src = url;
    shown.alt = alt ?? '';
    for (const button of $('portrait-samples').children) button.setAttribute('aria-pressed', String(button.dataset.name === sample));
  };
  shown.addEventListener('error', () => (shown.hidden = true)); // no picture, or one that browsers do not show
  const take = (file) => {
    showPicture(URL.createObjectURL(file), file.name);
    files.send('portrait', file);
  };
  for (const id of ['portrait-file', 'portrait-camera']) {
    $(id).addEventListener('change', ({ target }) => target.files[0] && take(target.files[0]));
  }
  // Where there is no camera that a file field opens, the field above does the same.
  $('camera-label').hidden = !matchMedia('(pointer: coarse)').matches;
  $('portrait-camera').disabled = $('camera-label').hidden;
  acceptDrops($('portrait-drop'), take);
  for (const { id, name, url, kind } of samples) {
    if (kind !== 'picture') continue;
    const label = name.replace(/\..*$/, '');
    const button = make(
      'button',
      { type: 'button', 'data-name': name, 'aria-pressed': 'false', 'aria-label': `Sample portrait ${label}` },
      make('img', { src: url, alt: '', loading: 'lazy' }),
    );
    button.addEventListener('click', () => {
      showPicture(url, name, name);
      files.use('portrait', id, name);
    });
    $('portrait-samples').append(button);
  }
  return { show: showPicture };
}

export function audioInput(files, samples) {
  const player = $('audio-shown');
  const showSound = (url) => {
    player.hidden = url === undefined;
    if (url !== undefined) player.src = url;
  };
  const take = (file) => {
    showSound(URL.createObjectURL(file));
    files.send('audio', file);
  };
  $('audio-file').addEventListener('change', ({ target }) => target.files[0] && take(target.files[0]));
  acceptDrops($('audio-drop'), take);
  const sample = samples.find(({ name }) => name === 'welcome.wav') ?? samples.find(({ kind }) => kind === 'sound');
  $('audio-sample').hidden = sample === undefined;
  $('audio-sample').addEventListener('click', () => {
    showSound(sample.url);
    files.use('audio', sample.id, sample.name);
  });
  recorder(take);
  return { show: showSound };
}

/** Records takes with the microphone; the last one is taken unless another is chosen. */
function recorder(onTake) {
  const button = $('record');
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    button.hidden = true; // needs https, or this machine itself
    return;
  }
  let recording;
  let count = 0;
  button.addEventListener('click', async () => {
    if (recording) {
      recording.stop();
      return;
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      problem('audio', `The microphone cannot be used (${error.name}).`);
      return;
    }
    problem('audio', undefined);
    const pieces = [];
    recording = new MediaRecorder(stream);
    recording.addEventListener('dataavailable', ({ data }) => pieces.push(data));
    recording.addEventListener('stop', () => {
      for (const track of stream.getTracks()) track.stop();
      recording = undefined;
      button.textContent = 'Record another take';
      button.setAttribute('aria-pressed', 'false');
      button.classList.remove('recording');
      addTake(new File(pieces, `take ${++count}.webm`, { type: pieces[0]?.type }), onTake);
    });
    recording.start();
    button.textContent = 'Stop';
    button.setAttribute('aria-pressed', 'true');
    button.classList.add('recording');
    announce('Recording');
  });
}

function addTake(file, onTake) {
  const name = file.name.replace('.webm', '');
  const radio = make('input', { type: 'radio', name: 'take', checked: true });
  const remove = make('button', { type: 'button', 'aria-label': `Remove ${name}` }, 'Remove');
  const item = make('li', {}, make('label', {}, radio, name.replace(/^./, (first) => first.toUpperCase())), remove);
  radio.addEventListener('change', () => onTake(file));
  remove.addEventListener('click', () => item.remove());
  $('takes').append(item);
  onTake(file);
}
