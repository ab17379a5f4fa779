/** One order of a server, a clip or a comparison: where it is, and who wants to know. */
import { EventEmitter, once } from 'node:events';
import {
  ENDED,
  type OrderEntry,
  type OrderError,
  type OrderKind,
  type OrderRecord,
  type OrderState,
} from './order-record.ts';

const MAX_NOTICES = 50;

/** An order as clients see it. */
export interface OrderView<Result = unknown, Progress = unknown> {
  readonly id: string;
  readonly name: string;
  readonly state: OrderState;
  /** Orders before it, while it is queued. */
  readonly position?: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly files: readonly { readonly id: string; readonly name: string }[];
  readonly progress?: Progress;
  readonly notices: readonly string[];
  readonly error?: OrderError;
  readonly result?: Result;
  readonly links: Readonly<Record<string, string>>;
}

/** The record with all that need not be remembered. */
export abstract class Order<Result = unknown, Progress = unknown> {
  abstract readonly kind: OrderKind;
  readonly record: OrderRecord<Result>;
  progress: Progress | undefined;
  /** What cancels it. */
  readonly stop = new AbortController();
  /** Orders before it; kept by the board. */
  position: number | undefined;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #text: string | undefined;

  constructor(record: OrderRecord<Result>) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get state(): OrderState {
    return this.record.state;
  }

  get hasEnded(): boolean {
    return ENDED.has(this.record.state);
  }

  /** What people call it: the name that was given, or those of its files. */
  get name(): string {
    const { name, files } = this.record.request;
    return name ?? files.map((file) => file.name.replace(/\.[^.]*$/, '')).join(' · ');
  }

  /** Notes a new state or a notice, and notifies all who wait. */
  add(type: OrderEntry['type'], text: string): void {
    const { record } = this;
    if (type === 'notice' && record.log.filter((entry) => entry.type === 'notice').length >= MAX_NOTICES)
      return;
    record.log = this.#logWith(type, text);
    if (type === 'state') record.state = text as OrderState;
    this.changed();
  }

  /** What the record will be in a state, which no client has seen yet. */
  recordIn(state: OrderState): OrderRecord<Result> {
    return { ...this.record, state, log: this.#logWith('state', state) };
  }

  /** The state and the log of what {@link recordIn} gave hold from now on. */
  take({ state, log }: OrderRecord<Result>): void {
    this.record.state = state;
    this.record.log = log;
    this.changed();
  }

  #logWith(type: OrderEntry['type'], text: string): OrderEntry[] {
    const { log } = this.record;
    return [...log, { seq: (log.at(-1)?.seq ?? 0) + 1, at: new Date().toISOString(), type, text }];
  }

  /** Notifies all who wait of a change. */
  changed(): void {
    this.#text = undefined;
    this.#changes.emit('change');
  }

  /** Resolves at the next change, or when `signal` aborts. */
  async change(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal }).catch(() => {});
  }

  /** The view as JSON, made once for each change. */
  viewText(): string {
    this.#text ??= JSON.stringify(this.view());
    return this.#text;
  }

  /** Where more of it is. */
  protected abstract links(): Readonly<Record<string, string>>;

  view(): OrderView<Result, Progress> {
    const { id, request, state, createdAt, startedAt, finishedAt, log, error, result } = this.record;
    const { position, progress } = this;
    return {
      id,
      name: this.name,
      state,
      ...(state === 'queued' && position !== undefined && { position }),
      createdAt,
      ...(startedAt !== undefined && { startedAt }),
      ...(finishedAt !== undefined && { finishedAt }),
      options: request.options,
      files: request.files,
      ...(progress !== undefined && !this.hasEnded && { progress }),
      notices: log.flatMap(({ type, text }) => (type === 'notice' ? [text] : [])),
      ...(error !== undefined && { error }),
      ...(result !== undefined && { result }),
      links: this.links(),
    };
  }
}
