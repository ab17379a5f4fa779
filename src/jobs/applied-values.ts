/** What applies to a clip where its job says nothing: the bundle's and its preset's values, for names of outputs. */
import { type Bundle, openBundle } from '../models/bundle.ts';
import { defaultBundleStore } from '../pipeline/machine-places.ts';
import type { ResolvedOptions } from '../pipeline/resolve-options.ts';
import { chooseSettings, presetOf } from '../pipeline/resolve-sampling.ts';

/** Opens each bundle once. */
export class AppliedValues {
  readonly #bundles = new Map<string, Promise<Bundle>>();

  /**
   * The options with sampler, steps and frame rate as they will be. A film brings its own frame rate, which is not known here.
   *
   * @throws {@link ModelError} or {@link InvalidOptionError} if there is no such bundle, or it lacks the preset.
   */
  async of(options: ResolvedOptions): Promise<ResolvedOptions> {
    const bundle = await this.#open(options);
    const { sampler, steps } = chooseSettings(presetOf(bundle, options.preset), options);
    const fps = options.fps ?? (options.source === undefined ? bundle.description.fps : undefined);
    return { ...options, sampler, steps, ...(fps !== undefined && { fps }) };
  }

  #open({ bundle: name, bundleStore }: ResolvedOptions): Promise<Bundle> {
    const store = bundleStore ?? defaultBundleStore();
    const key = JSON.stringify([name, store]);
    let bundle = this.#bundles.get(key);
    if (bundle === undefined) {
      bundle = openBundle(name, store);
      this.#bundles.set(key, bundle);
    }
    return bundle;
  }
}
