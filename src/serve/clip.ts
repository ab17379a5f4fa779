/** One clip of a server: where it is, and who wants to know. */
import { EventEmitter, once } from 'node:events';
import type { RenderingProgress } from '../pipeline/progress-event.ts';
import {
  type ClipEntry,
  type ClipError,
  type ClipRecord,
  type ClipResult,
  type ClipState,
  ENDED,
} from './clip-record.ts';

const MAX_NOTICES = 50;

/** A clip as clients see it. */
export interface ClipView {
  readonly id: string;
  readonly name: string;
  readonly state: ClipState;
  /** Clips before it, while it is queued. */
  readonly position?: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly files: readonly { readonly id: string; readonly name: string }[];
  readonly progress?: RenderingProgress;
  /** Frames that came from checkpoints of an earlier start of the server. */
  readonly resumedFrames?: number;
  readonly notices: readonly string[];
  readonly error?: ClipError;
  readonly result?: ClipResult;
  readonly links: Readonly<Record<string, string>>;
}

/** The record with all that need not be remembered. */
export class Clip {
  readonly record: ClipRecord;
  progress: RenderingProgress | undefined;
  resumedFrames = 0;
  attempts = 0;
  /** What cancels it. */
  readonly stop = new AbortController();
  /** Clips before it; kept by the board. */
  position: number | undefined;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  constructor(record: ClipRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get state(): ClipState {
    return this.record.state;
  }

  get hasEnded(): boolean {
    return ENDED.has(this.record.state);
  }

  /** Notes a new state or a notice, and tells whoever waits. */
  add(type: ClipEntry['type'], text: string): void {
    const { record } = this;
    if (type === 'notice' && record.log.filter((entry) => entry.type === 'notice').length >= MAX_NOTICES)
      return;
    record.log = this.#logWith(type, text);
    if (type === 'state') record.state = text as ClipState;
    this.changed();
  }

  /** What the record will be in a state, which nobody is told of yet. */
  recordIn(state: ClipState): ClipRecord {
    return { ...this.record, state, log: this.#logWith('state', state) };
  }

  #logWith(type: ClipEntry['type'], text: string): ClipEntry[] {
    const { log } = this.record;
    return [...log, { seq: (log.at(-1)?.seq ?? 0) + 1, at: new Date().toISOString(), type, text }];
  }

  /** Tells whoever waits that something is new. */
  changed(): void {
    this.#changes.emit('change');
  }

  /** Resolves at the next change, or when `signal` aborts. */
  async change(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal }).catch(() => {});
  }

  view(): ClipView {
    const { id, request, state, createdAt, startedAt, finishedAt, log, error, result } = this.record;
    const { position, progress, resumedFrames } = this;
    const self = `/v1/clips/${id}`;
    return {
      id,
      name: request.name ?? request.files.map(({ name }) => name.replace(/\.[^.]*$/, '')).join(' · '),
      state,
      ...(state === 'queued' && position !== undefined && { position }),
      createdAt,
      ...(startedAt !== undefined && { startedAt }),
      ...(finishedAt !== undefined && { finishedAt }),
      options: request.options,
      files: request.files,
      ...(progress !== undefined && !this.hasEnded && { progress }),
      ...(resumedFrames > 0 && { resumedFrames }),
      notices: log.flatMap(({ type, text }) => (type === 'notice' ? [text] : [])),
      ...(error !== undefined && { error }),
      ...(result !== undefined && { result }),
      links: {
        self,
        events: `${self}/events`,
        preview: `${self}/preview.jpg`,
        ...(state === 'succeeded' ? { video: `${self}/video` } : !this.hasEnded && { live: `${self}/live` }),
      },
    };
  }
}
