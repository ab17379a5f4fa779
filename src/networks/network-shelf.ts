/**
 * Networks too large to be in memory all at once: each is opened when it is needed, and closed when those of another stage
 * are, or when the room is needed for one of its own stage.
 */
import type { Network } from '../runtime/engine.ts';

/** A network that can be opened again and again. */
interface ShelvedNetwork {
  /** Networks of one stage may be open together; those of another are closed before one of it is opened. */
  readonly stage: string;
  /** Memory that it takes while it is open and runs, about. */
  readonly bytes: number;
  open(): Promise<Network>;
}

/** A network's place on the shelf. */
interface Slot extends ShelvedNetwork {
  opened: Promise<Network> | undefined;
  /** Runs that are under way or wait for the network. */
  users: number;
  /** When it was used last, by a count of uses. */
  used: number;
}

/** All networks that take turns, whosever they are. */
export class NetworkShelf {
  /** Memory for networks of one stage. */
  readonly budgetBytes: number;
  readonly #slots = new Set<Slot>();
  /** Networks are opened and closed one after another. */
  #moving: Promise<unknown> = Promise.resolve();
  #uses = 0;

  /** @param budgetBytes - memory for networks of one stage; one is opened even if it needs more. */
  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  /** Gives a network its place; nothing is opened yet. */
  place(network: ShelvedNetwork): ShelfPlace {
    const slot: Slot = {
      stage: network.stage,
      bytes: network.bytes,
      open: () => network.open(),
      opened: undefined,
      users: 0,
      used: 0,
    };
    this.#slots.add(slot);
    return {
      use: (run) => this.#use(slot, run),
      clear: async () => {
        this.#slots.delete(slot);
        await this.#inTurn(() => close(slot));
      },
    };
  }

  async #use<T>(slot: Slot, run: (network: Network) => Promise<T>): Promise<T> {
    slot.users += 1;
    slot.used = ++this.#uses;
    try {
      return await run(await (slot.opened ?? this.#open(slot)));
    } finally {
      slot.users -= 1;
    }
  }

  #open(slot: Slot): Promise<Network> {
    const opened = this.#inTurn(async () => {
      await this.#makeRoom(slot);
      return slot.open();
    });
    slot.opened = opened;
    // What could not be opened may be tried again.
    opened.catch(() => {
      if (slot.opened === opened) slot.opened = undefined;
    });
    return opened;
  }

  async #makeRoom(wanted: Slot): Promise<void> {
    const idle = (): Slot[] =>
      [...this.#slots].filter((slot) => slot !== wanted && slot.opened !== undefined && slot.users === 0);
    for (const slot of idle()) if (slot.stage !== wanted.stage) await close(slot);
    const total = (): number =>
      [...this.#slots].reduce(
        (sum, slot) => sum + (slot === wanted || slot.opened === undefined ? 0 : slot.bytes),
        wanted.bytes,
      );
    while (total() > this.budgetBytes) {
      const [oldest] = idle().sort((a, b) => a.used - b.used);
      if (oldest === undefined) return;
      await close(oldest);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#moving.then(work);
    this.#moving = done.catch(() => undefined);
    return done;
  }
}

/** Where a network is used from. */
export interface ShelfPlace {
  /** Opens the network unless it is open, and keeps it open until `run` has ended. */
  use<T>(run: (network: Network) => Promise<T>): Promise<T>;
  /** Closes the network and takes it off the shelf. */
  clear(): Promise<void>;
}

async function close(slot: Slot): Promise<void> {
  const { opened } = slot;
  slot.opened = undefined;
  const network = await opened?.catch(() => undefined);
  await network?.dispose();
}
