/** Networks that are open, or take turns to be: which of several runs next, and the inputs that they keep. */
import type { Network } from '../runtime/engine.ts';
import type { NetworkName } from './bundle-graphs.ts';
import type { NamedInputs } from './clip-networks.ts';
import type { ShelfPlace } from './network-shelf.ts';

/** See {@link OpenNetworks.bind}. */
interface BindOptions {
  /** Whether the inputs' memory may be taken. @defaultValue false */
  readonly transfer?: boolean;
}

/** The networks of one bundle by name. */
export class OpenNetworks {
  /** Open from the beginning to the end, some in several engines. */
  readonly #kept = new Map<NetworkName, Network[]>();
  /** Opened when they are used. */
  readonly #places = new Map<NetworkName, ShelfPlace>();
  /** Runs of a network that have not ended. */
  readonly #runs = new Map<Network, number>();
  /** Names of those that are opened in other engines later. */
  readonly #growing = new Set<NetworkName>();
  /** Inputs that a network keeps, where it takes turns and loses them when it is closed, or is opened in another engine later. */
  readonly #bound = new Map<NetworkName, NamedInputs>();
  readonly #boundTo = new WeakMap<Network, NamedInputs>();

  /** Takes over a network that stays open. */
  keep(name: NetworkName, network: Network): void {
    this.#kept.set(name, [network]);
  }

  /** The same for one that {@link OpenNetworks.add} adds others to. */
  keepFirst(name: NetworkName, network: Network): void {
    this.#growing.add(name);
    this.keep(name, network);
  }

  /** Takes over a network that is opened when it is used. */
  keepPlace(name: NetworkName, place: ShelfPlace): void {
    this.#places.set(name, place);
  }

  /** Takes over the same network in another engine, with the inputs that the first has. It goes at once if that was closed meanwhile. */
  async add(name: NetworkName, network: Network): Promise<void> {
    const networks = this.#kept.get(name);
    for (let bound: NamedInputs | undefined; bound !== this.#bound.get(name); ) {
      bound = this.#bound.get(name);
      if (bound !== undefined) await network.bind(bound);
    }
    if (networks === undefined) await network.dispose();
    else networks.push(network);
  }

  /** Runs a network, which may have to be opened first. */
  use<T>(name: NetworkName, run: (network: Network) => Promise<T>): Promise<T> {
    const place = this.#places.get(name);
    if (place === undefined) return this.#useLeastBusy(this.#opened(name), run);
    return place.use(async (network) => {
      const bound = this.#bound.get(name);
      if (bound !== undefined && this.#boundTo.get(network) !== bound) {
        await network.bind(bound);
        this.#boundTo.set(network, bound);
      }
      return run(network);
    });
  }

  #opened(name: NetworkName): readonly Network[] {
    const networks = this.#kept.get(name);
    if (networks === undefined) throw new Error(`${name} was not loaded`);
    return networks;
  }

  async #useLeastBusy<T>(networks: readonly Network[], run: (network: Network) => Promise<T>): Promise<T> {
    const runsOf = (network: Network): number => this.#runs.get(network) ?? 0;
    const network = networks.reduce((best, other) => (runsOf(other) < runsOf(best) ? other : best));
    this.#runs.set(network, runsOf(network) + 1);
    try {
      return await run(network);
    } finally {
      this.#runs.set(network, runsOf(network) - 1);
    }
  }

  /** Gives a network inputs for all its runs. */
  async bind(name: NetworkName, inputs: NamedInputs, { transfer = false }: BindOptions = {}): Promise<void> {
    const takesTurns = this.#places.has(name);
    const isGrowing = this.#growing.has(name);
    if (takesTurns || isGrowing) this.#bound.set(name, { ...this.#bound.get(name), ...inputs });
    if (takesTurns) return;
    const options = { transfer: transfer && !isGrowing };
    await Promise.all(this.#opened(name).map((network) => network.bind(inputs, options)));
  }

  /** Closes a network that stays open otherwise; those that take turns are left to them. */
  async close(name: NetworkName): Promise<void> {
    const networks = this.#kept.get(name) ?? [];
    this.#kept.delete(name);
    await Promise.all(networks.map((network) => network.dispose()));
  }

  /** May be called twice. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#kept.values()].flat().map((network) => network.dispose()));
    for (const place of this.#places.values()) await place.clear();
    this.#places.clear();
  }
}
