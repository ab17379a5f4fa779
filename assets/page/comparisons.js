/** The comparisons of fast with original: how far they are, what they found, and the way to their reports. */
import { ask } from './api.js';
import { $, announce, duration, make } from './dom.js';
import { ENDED, goneOf, phaseOf, poll, WORDS } from './gallery.js';

const STAGES = {
  prepare: 'Analysing face and audio',
  load: 'Loading networks',
  render: 'Rendering, alternating',
  'whole-job': 'Rendering whole jobs',
  look: 'Comparing frames',
  write: 'Writing the report',
};

export class Comparisons {
  #cards = new Map();
  #next;

  constructor() {
    $('older-comparisons').addEventListener('click', async () => {
      const { comparisons, next } = await ask(this.#next);
      for (const each of comparisons) this.#update(each, false);
      this.#setNext(next);
    });
  }

  /** Shows what the server has, and keeps it up to date. */
  async open() {
    this.#setNext(await this.#refresh());
    poll(
      () => this.#refresh(),
      () => [...this.#cards.values()].some(({ comparison }) => !ENDED.has(comparison.state)),
    );
  }

  /** Shows one first. */
  add(comparison) {
    this.#update(comparison, true);
  }

  #setNext(next) {
    this.#next = next;
    $('older-comparisons').hidden = next === undefined;
  }

  async #refresh() {
    const { comparisons, next } = await ask('/v1/comparisons?limit=12');
    for (const each of [...comparisons].reverse()) this.#update(each, true);
    const shown = [...this.#cards.values()].map(({ comparison }) => comparison);
    for (const id of goneOf(shown, comparisons, next)) this.#take(id);
    return next;
  }

  #update(comparison, first) {
    let card = this.#cards.get(comparison.id);
    if (card === undefined) {
      card = new Card(comparison, () => this.#remove(card));
      this.#cards.set(comparison.id, card);
      if (first) $('compared').prepend(card.element);
      else $('compared').append(card.element);
    }
    card.update(comparison);
    $('comparisons').hidden = false;
  }

  async #remove({ comparison }) {
    const { links, state, id } = comparison;
    const answer = await ask(links.self, { method: 'DELETE' }).catch((error) => {
      if (error.status !== 404) throw error;
    });
    if (!ENDED.has(state) && answer) this.#update(answer, true);
    else this.#take(id);
  }

  #take(id) {
    const { element } = this.#cards.get(id);
    const hadFocus = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this.#cards.delete(id);
    $('comparisons').hidden = this.#cards.size === 0;
    if (hadFocus) (neighbour?.querySelector('button, a') ?? $('compare')).focus();
  }
}

class Card {
  comparison;
  element;
  #bar = make('progress', { max: 1 });
  #media = make('div');
  #facts = make('p', { className: 'facts' });
  #figures = make('dl', { className: 'figures-of' });
  #actions = make('div', { className: 'actions' });
  #shown = '';
  #onRemove;

  constructor(comparison, onRemove) {
    this.comparison = comparison;
    this.#onRemove = onRemove;
    const title = make('h3', { id: `comparison-${comparison.id}` }, comparison.name);
    this.element = make('article', { className: 'card clip', 'aria-labelledby': title.id, 'data-id': comparison.id });
    this.element.append(this.#media, title, this.#bar, this.#facts, this.#figures, this.#actions);
  }

  update(comparison) {
    const { state, progress, error, result, position, name } = comparison;
    if (ENDED.has(this.comparison.state) && !ENDED.has(state)) return; // an answer that was overtaken
    if (state !== this.comparison.state && ENDED.has(state)) announce(`Comparison of ${name}: ${WORDS[state]}`);
    this.comparison = comparison;
    this.element.dataset.state = state;
    this.#bar.hidden = ENDED.has(state);
    this.#bar.setAttribute('aria-label', `Progress of the comparison of ${name}`);
    if (progress?.fraction > 0) this.#bar.value = progress.fraction;
    else this.#bar.removeAttribute('value');
    const left = progress?.stage === 'render' ? progress.remaining : undefined;
    this.#facts.textContent = {
      queued: position ? `Queued, ${position} ahead` : 'Queued',
      starting: STAGES[progress?.stage ?? 'prepare'],
      processing: `${STAGES[progress?.stage ?? 'render']}, ${Math.round((progress?.fraction ?? 0) * 100)} %${left === undefined ? '' : ` · about ${duration(left)} left`}`,
      succeeded: result?.summary,
      failed: error?.message,
      canceled: 'Cancelled',
    }[state];
    this.#facts.classList.toggle('problem', state === 'failed');
    if (this.#shown === phaseOf(state)) return;
    this.#shown = phaseOf(state);
    this.#showResult();
    this.#showActions();
  }

  #showResult() {
    const { state, result, links, name } = this.comparison;
    if (state !== 'succeeded') return;
    const video = make('video', { src: links.video, controls: true, playsInline: true, preload: 'metadata', 'aria-label': `Original and fast: ${name}` });
    this.#media.replaceChildren(video);
    const rows = [
      ...(result.speedUp
        ? [
            ['Denoising', `${result.speedUp.denoise.toFixed(1)}× faster`],
            ['All stages', `${result.speedUp.total.toFixed(1)}× faster`],
          ]
        : []),
      ...(result.face
        ? [
            ['Face, PSNR', result.face.psnr === null ? 'equal' : `${result.face.psnr.toFixed(1)} dB`],
            ['Face, SSIM', result.face.ssim.toFixed(4)],
          ]
        : []),
    ];
    this.#figures.replaceChildren(...rows.flatMap(([term, figure]) => [make('dt', {}, term), make('dd', {}, figure)]));
  }

  #showActions() {
    const { state, links, name } = this.comparison;
    const hadFocus = this.#actions.contains(document.activeElement);
    const remove = make('button', { type: 'button' }, ENDED.has(state) ? 'Remove' : 'Cancel');
    remove.setAttribute('aria-label', `${remove.textContent} the comparison of ${name}`);
    remove.addEventListener('click', this.#onRemove);
    const link = (href, text, label) => make('a', { className: 'button', href, 'aria-label': `${label}: ${name}` }, text);
    const ways =
      state === 'succeeded'
        ? [
            link(links.report, 'Report', 'Report of the comparison'),
            link(`${links.data}?download`, 'Data', 'Download the data of the comparison'),
          ]
        : [];
    this.#actions.replaceChildren(...ways, remove);
    if (hadFocus) this.#actions.querySelector('a, button')?.focus();
  }
}
