/** Loads the networks of a bundle of any kind. */
import { AniPortraitNetworks } from './aniportrait-networks.ts';
import type { BundleNetworks } from './bundle-networks.ts';
import type { LoadNetworksOptions } from './load-options.ts';
import { PatchNetworks } from './patch-networks.ts';

/** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
export function loadNetworks(options: LoadNetworksOptions): Promise<BundleNetworks> {
  const { codec } = options.bundle.description;
  return codec.type === 'patch-transform'
    ? PatchNetworks.load(options)
    : AniPortraitNetworks.load(options, codec);
}
