/** The engines that clips share, opened when they are first needed. */
import { Engine } from '../runtime/engine.ts';
import type { DeviceName } from './animate-options.ts';

/** Where networks are loaded into. */
export interface Engines {
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoising: Engine;
  readonly side: Engine;
}

/** Name of the folder that the profile of an engine for further windows is written to. */
const FURTHER = 'denoising-';

/** Options of {@link StudioEngines}. */
interface StudioEnginesOptions {
  readonly device: DeviceName;
  readonly threads: number | undefined;
  /** Called with the device that was chosen and why, once an engine is needed. */
  readonly onNotice: ((message: string) => void) | undefined;
  /** An empty folder for the files of an engine's profile, by the engine's name; undefined where nobody wants one. */
  readonly profileFolder: (engine: string) => string | undefined;
}

/** See the module. */
export class StudioEngines {
  readonly #options: StudioEnginesOptions;
  /** Notices of the engines that have not been given yet. */
  readonly #notices: string[] = [];
  #engines: Promise<Engines> | undefined;
  /** Engines like the denoising one, for windows that are denoised at the same time as its own. */
  readonly #further: Promise<Engine>[] = [];
  #disposed = false;

  constructor(options: StudioEnginesOptions) {
    this.#options = options;
  }

  /** Begins to open the engines; errors and notices come from {@link StudioEngines.open}. */
  start(): void {
    this.#started().catch(() => {});
  }

  /**
   * @throws {@link InvalidOptionError} if an option is out of range.
   * @throws {@link EnvironmentError} if the named device does not work here.
   */
  async open(): Promise<Engines> {
    const engines = await this.#started();
    for (const message of this.#notices.splice(0)) this.#options.onNotice?.(message);
    return engines;
  }

  #started(): Promise<Engines> {
    this.#engines ??= this.#openBoth();
    return this.#engines;
  }

  async #openBoth(): Promise<Engines> {
    const { device, threads, profileFolder } = this.#options;
    const denoising = await Engine.open({
      device,
      threads,
      onNotice: (message) => this.#notices.push(message),
      profileFolder: profileFolder('denoising'),
    });
    // A GPU runs one network at a time, and tensors belong to the thread that made them.
    if (denoising.keepsTensors) return { denoising, side: denoising };
    const side = { device: denoising.device, threads, profileFolder: profileFolder('side') };
    return { denoising, side: await Engine.open(side) };
  }

  /**
   * Opens engines that denoise further windows at the same time, or gives those that are open.
   *
   * @throws an error once the engines have been disposed of: nobody would end those that are opened then.
   */
  async openFurther(count: number): Promise<Engine[]> {
    const { denoising } = await this.#started();
    const { threads, profileFolder } = this.#options;
    if (this.#disposed) throw new Error('the engines were disposed of');
    for (let i = this.#further.length; i < count; i++) {
      const folder = profileFolder(`${FURTHER}${i + 2}`);
      const engine = Engine.open({ device: denoising.device, threads, profileFolder: folder });
      engine.catch(() => {}); // thrown below
      this.#further.push(engine);
    }
    return Promise.all(this.#further.slice(0, count));
  }

  /** Those of {@link StudioEngines.openFurther} that are open. */
  further(): Promise<Engine[]> {
    return Promise.all(this.#further);
  }

  /** Ends them after what they are doing, with the networks in them; may be called twice. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    const engines = await this.#engines?.catch(() => undefined);
    const further = (await Promise.allSettled(this.#further)).flatMap((engine) =>
      engine.status === 'fulfilled' ? [engine.value] : [],
    );
    await Promise.all([engines?.denoising, engines?.side, ...further].map((engine) => engine?.dispose()));
  }
}
