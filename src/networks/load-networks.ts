/** Loads the networks of a bundle of any kind. */
import { AniPortraitNetworks } from './aniportrait-networks.ts';
import type { LoadNetworksOptions } from './bundle-networks.ts';
import type { ClipNetworks } from './clip-networks.ts';
import { PatchNetworks } from './patch-networks.ts';

/** @throws {@link ModelError} if a weight file is damaged or the engine refuses a graph. */
export function loadNetworks(options: LoadNetworksOptions): Promise<ClipNetworks> {
  const { codec } = options.bundle.description;
  return codec.type === 'patch-transform'
    ? PatchNetworks.load(options)
    : AniPortraitNetworks.load(options, codec);
}
