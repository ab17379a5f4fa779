/** The clips: what is rendered is shown while it is, what is done stays. */
import { ask } from './api.js';
import { $, announce, duration, make } from './dom.js';
import { shownAs } from './formats.js';
import { words } from './options.js';

export const ENDED = new Set(['succeeded', 'failed', 'canceled']);
/** What a card is to its reader: buttons stay the same while it is waited for, so that no press is lost when its state changes. */
export const phaseOf = (state) => (ENDED.has(state) ? state : 'active');
export const WORDS = {
  queued: 'Waits',
  starting: 'Starts',
  processing: 'Renders',
  succeeded: 'Done',
  failed: 'Failed',
  canceled: 'Cancelled',
};
const POLL_MS = 2500;
/** Where nothing goes on here: what is ordered in another tab, or by a program, appears within. */
const REST_MS = 15_000;

export class Gallery {
  #cards = new Map();
  #chosen = new Set();
  #onAgain;
  #events;
  #followed;
  #next;

  /** @param onAgain - called with a clip whose options are wanted once more. */
  constructor(onAgain) {
    this.#onAgain = onAgain;
    $('older').addEventListener('click', () => this.#loadOlder());
    $('side-by-side').addEventListener('click', () => this.#showPair());
    $('pair-close').addEventListener('click', () => $('pair').close());
    $('pair').addEventListener('close', () => $('pair-videos').replaceChildren());
    $('pair-play').addEventListener('click', () => {
      for (const video of $('pair-videos').querySelectorAll('video')) {
        video.currentTime = 0;
        video.play();
      }
    });
  }

  /** Shows what the server has, and keeps it up to date. */
  async open() {
    await this.#refresh();
    poll(
      () => this.#refresh(),
      () => [...this.#cards.values()].some(({ clip }) => !ENDED.has(clip.state)),
    );
  }

  /** Shows a clip first. */
  add(clip) {
    this.#update(clip, true);
    this.#follow();
  }

  async #refresh() {
    const isFirst = this.#cards.size === 0;
    const { clips, next } = await ask('/v1/clips?limit=24');
    if (isFirst) {
      this.#next = next;
      $('older').hidden = next === undefined;
    }
    for (const clip of [...clips].reverse()) this.#update(clip, true);
    for (const id of goneOf([...this.#cards.values()].map((card) => card.clip), clips, next)) {
      this.#take(this.#cards.get(id)); // somebody else has removed it
    }
    this.#follow();
  }

  async #loadOlder() {
    const { clips, next } = await ask(this.#next);
    for (const clip of clips) this.#update(clip, false);
    this.#next = next;
    $('older').hidden = next === undefined;
  }

  /** One clip at a time is followed closely: browsers hold few connections to one server. */
  #follow() {
    const active = [...this.#cards.values()].map(({ clip }) => clip).filter(({ state }) => !ENDED.has(state));
    const wanted = active.find(({ state }) => state === 'processing') ?? active.at(-1);
    if (wanted?.id === this.#followed) return;
    this.#events?.close();
    this.#followed = wanted?.id;
    if (wanted === undefined) return;
    this.#events = new EventSource(wanted.links.events);
    this.#events.addEventListener('clip', ({ data }) => {
      const clip = JSON.parse(data);
      this.#update(clip, true);
      if (!ENDED.has(clip.state)) return;
      this.#events.close();
      this.#followed = undefined;
      this.#follow();
    });
  }

  #update(clip, first) {
    let card = this.#cards.get(clip.id);
    if (card === undefined) {
      card = new Card(clip, {
        onAgain: () => this.#onAgain(card.clip),
        onRemove: () => this.#remove(card),
        onChoose: (isChosen) => this.#choose(clip.id, isChosen),
      });
      this.#cards.set(clip.id, card);
      if (first) $('gallery').prepend(card.element);
      else $('gallery').append(card.element);
    }
    card.update(clip);
    this.#showList();
  }

  async #remove(card) {
    const { id, state } = card.clip;
    const answer = await ask(`/v1/clips/${id}`, { method: 'DELETE' }).catch((error) => {
      if (error.status !== 404) throw error;
    });
    if (!ENDED.has(state) && answer) {
      this.#update(answer, true);
      return;
    }
    this.#take(card);
  }

  /** Takes a card away. */
  #take(card) {
    const { id } = card.clip;
    const hadFocus = card.element.contains(document.activeElement);
    const neighbour = card.element.nextElementSibling ?? card.element.previousElementSibling;
    card.close();
    card.element.remove();
    this.#cards.delete(id);
    this.#choose(id, false);
    this.#showList();
    if (hadFocus) (neighbour?.querySelector('button, a') ?? $('render')).focus();
  }

  #choose(id, isChosen) {
    if (isChosen) this.#chosen.add(id);
    else this.#chosen.delete(id);
    $('side-by-side').disabled = this.#chosen.size !== 2;
    $('pair-hint').textContent = { 0: 'Select two clips', 1: 'Select one more clip', 2: '' }[this.#chosen.size] ?? 'Select only two clips';
  }

  /** What can be done with the list as it is. */
  #showList() {
    $('empty').hidden = this.#cards.size > 0;
    $('pair-choice').hidden = [...this.#cards.values()].filter(({ clip }) => clip.state === 'succeeded').length < 2;
  }

  #showPair() {
    const clips = [...this.#chosen].map((id) => this.#cards.get(id).clip);
    $('pair-videos').replaceChildren(
      ...clips.map((clip, i) =>
        make(
          'figure',
          {},
          shownAs(clip.format) === 'video'
            ? make('video', { src: clip.links.video, controls: true, muted: i > 0, playsInline: true })
            : make('img', { src: shownAs(clip.format) === 'picture' ? clip.links.video : clip.links.preview, alt: clip.name }),
          make('figcaption', {}, `${clip.name} · ${describe(clip)}`),
        ),
      ),
    );
    $('pair').showModal();
  }
}

/** Asks now and then: often while something goes on, seldom otherwise, and at once when the page is looked at again. */
export function poll(refresh, isActive) {
  let askedAt = performance.now();
  const look = () => {
    askedAt = performance.now();
    refresh().catch(() => {}); // a server that restarts is asked again
  };
  setInterval(() => {
    if (document.hidden) return;
    if (isActive() || performance.now() - askedAt > REST_MS) look();
  }, POLL_MS);
  document.addEventListener('visibilitychange', () => document.hidden || look());
}

/** Ids of what is shown and should be in a page of the list, but is not any more. */
export function goneOf(shown, listed, next) {
  const ids = new Set(listed.map(({ id }) => id));
  const since = next === undefined ? '' : listed.at(-1)?.createdAt;
  const until = listed[0]?.createdAt ?? ''; // what was ordered just now may not be in an answer that was asked for before
  return shown
    .filter(({ id, createdAt, state }) => !ids.has(id) && createdAt > since && (createdAt <= until || ENDED.has(state)))
    .map(({ id }) => id);
}

/** A clip is called after these. */
const NAMED_BY_TITLE = new Set(['portrait', 'audio']);

/** The options that differ from the defaults. */
export function describe({ options, files }) {
  const names = new Map(files.map(({ id, name }) => [id, name]));
  const set = Object.entries(options).filter(([name, value]) => !NAMED_BY_TITLE.has(name) && typeof value !== 'object');
  return set.map(([name, value]) => `${words(name)}: ${names.get(value) ?? value}`).join(', ') || 'default options';
}

class Card {
  clip;
  element;
  #media = make('div');
  #bar = make('progress', { max: 1 });
  #facts = make('p', { className: 'facts' });
  #notes = make('ul');
  #actions = make('div', { className: 'actions' });
  #shown = '';
  #actionsOf = '';
  #calls;

  constructor(clip, calls) {
    this.clip = clip;
    this.#calls = calls;
    const title = make('h3', { id: `clip-${clip.id}` }, clip.name);
    this.element = make('article', { className: 'card clip', 'aria-labelledby': title.id, 'data-id': clip.id });
    this.element.append(this.#media, title, this.#bar, this.#facts, this.#notes, this.#actions);
  }

  update(clip) {
    const { state, progress, error, result, notices, position } = clip;
    if (ENDED.has(this.clip.state) && !ENDED.has(state)) return; // an answer that was overtaken
    if (state !== this.clip.state && ENDED.has(state)) announce(`${clip.name}: ${WORDS[state]}`);
    this.clip = clip;
    this.element.dataset.state = state;
    this.#bar.hidden = ENDED.has(state);
    if (progress) this.#bar.value = progress.fraction;
    else this.#bar.removeAttribute('value');
    this.#bar.setAttribute('aria-label', `Progress of ${clip.name}`);
    const left = progress?.remaining;
    this.#facts.textContent = {
      queued: position ? `Queued, ${position} ahead` : 'Queued',
      starting: 'Analysing face and audio',
      processing: `${Math.round((progress?.fraction ?? 0) * 100)} %${left === undefined ? '' : ` · about ${duration(left)} left`}`,
      succeeded:
        result &&
        [`${(result.frames / result.fps).toFixed(1)} s, ${result.width}×${result.height}`, clip.format !== 'mp4' && clip.format.toUpperCase(), describe(clip)]
          .filter(Boolean)
          .join(' · '),
      failed: error?.message,
      canceled: 'Cancelled',
    }[state];
    this.#facts.classList.toggle('problem', state === 'failed');
    this.#notes.replaceChildren(...notices.slice(-4).map((text) => make('li', {}, text)));
    this.#showMedia(clip);
    this.#showActions(clip);
  }

  close() {
    for (const video of this.#media.querySelectorAll('video')) stop(video);
  }

  #showMedia({ state, links, name, format }) {
    const wanted = state === 'succeeded' ? shownAs(format) : state === 'processing' ? 'live' : 'waiting';
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const before = this.#media.querySelector('video');
    if (wanted === 'picture') {
      if (before) stop(before);
      this.#media.replaceChildren(make('img', { className: 'moving', src: links.video, alt: name, 'data-kind': wanted }));
      return;
    }
    if (wanted === 'still' || wanted === 'waiting') {
      if (before) stop(before);
      const still = make('img', { className: 'still', src: links.preview, alt: '' });
      still.addEventListener('error', () => still.remove());
      this.#media.replaceChildren(still);
      return;
    }
    const isLive = wanted === 'live';
    const video = make('video', {
      controls: true,
      playsInline: true,
      preload: isLive ? 'auto' : 'metadata',
      'aria-label': isLive ? `${name}, while it is rendered` : name,
      'data-kind': wanted,
    });
    video.poster = links.preview;
    // Where somebody watches, the complete video goes on at the same place.
    const at = before?.currentTime ?? 0;
    const isWatched = before && !before.paused && !before.ended;
    if (at > 0) video.addEventListener('loadedmetadata', () => (video.currentTime = Math.min(at, video.duration || at)), { once: true });
    if (isLive) {
      video.autoplay = true;
      // The server was started anew, or the clip was begun anew: what was rendered is there again at once.
      const again = () =>
        setTimeout(() => {
          if (this.#shown === 'live' && video.isConnected) video.src = links.live;
        }, 1000);
      video.addEventListener('error', again);
      video.addEventListener('ended', again);
    }
    video.src = isLive ? links.live : links.video;
    this.#media.replaceChildren(video);
    if (before) stop(before);
    if (isLive || isWatched) {
      video.play().catch(() => {
        video.muted = true; // browsers play sound only where somebody has touched the page
        video.play().catch(() => {});
      });
    }
  }

  #showActions({ state, links, name }) {
    if (phaseOf(state) === this.#actionsOf) return;
    this.#actionsOf = phaseOf(state);
    const { onAgain, onRemove, onChoose } = this.#calls;
    const hadFocus = this.#actions.contains(document.activeElement);
    const button = (text, onClick, label = `${text}: ${name}`) => {
      const element = make('button', { type: 'button', 'aria-label': label }, text);
      element.addEventListener('click', onClick);
      return element;
    };
    const actions = [];
    if (state === 'succeeded') {
      actions.push(make('a', { className: 'button', href: `${links.video}?download`, download: '', 'aria-label': `Download: ${name}` }, 'Download'));
    }
    if (!ENDED.has(state)) actions.push(button('Cancel', onRemove));
    else actions.push(button('Re-run…', onAgain, `Re-run with other options: ${name}`), button('Remove', onRemove));
    if (state === 'succeeded') {
      const choose = button('Select', () => {
        const isChosen = choose.getAttribute('aria-pressed') !== 'true';
        choose.setAttribute('aria-pressed', String(isChosen));
        onChoose(isChosen);
      }, `Select for side by side: ${name}`);
      choose.setAttribute('aria-pressed', 'false');
      actions.push(choose);
    }
    this.#actions.replaceChildren(...actions);
    if (hadFocus) this.#actions.querySelector('button, a')?.focus();
  }
}

/** Lets go of the connection that a video holds. */
function stop(video) {
  video.pause();
  video.removeAttribute('src');
  video.load();
}
