/** Graphs of the networks that AniPortrait's program computes in another form, as {@link PublishedNetworks} runs them. */

import { ownUrl } from '../files/own-file.ts';
import { buildDenoisingUnet } from '../models/denoising-unet.ts';
import { buildPoseGuider } from '../models/pose-guider.ts';
import { buildReferenceUnet } from '../models/reference-unet.ts';
import {
  denoiserOptions,
  NETWORK_MAKERS,
  type NetworkMaker,
  type NetworkName,
} from '../networks/bundle-graphs.ts';
import { GraphThread } from '../networks/graph-thread.ts';
import { PUBLISHED_UNET } from './published-forms.ts';

/** Networks of both guidance branches at once. */
export type PublishedNetworkName =
  | 'published-reference-unet'
  | 'published-pose-guider'
  | 'published-denoising-unet';

/** How their graphs are made. */
export const PUBLISHED_MAKERS: Readonly<Record<PublishedNetworkName, NetworkMaker>> = {
  'published-reference-unet': {
    build: ({ description, weights, latents, form }) =>
      buildReferenceUnet(description.denoisingUnet, weights('referenceUnet'), { ...latents, ...form }),
  },
  'published-pose-guider': {
    float32: true,
    build: ({ description, weights, picture, form, windowFrames }) =>
      buildPoseGuider(description.poseGuider, weights('poseGuider'), {
        ...picture,
        ...form,
        frames: windowFrames,
        batch: 2,
      }),
  },
  'published-denoising-unet': {
    build: (parts) =>
      buildDenoisingUnet(parts.description.denoisingUnet, parts.denoiserWeights(), {
        ...denoiserOptions(parts),
        ...PUBLISHED_UNET,
      }),
  },
};

/** A network that a comparison measures. */
export type MeasuredNetworkName = NetworkName | PublishedNetworkName;

/** How the graphs of these networks and of a clip's own are made. */
export const MEASURED_MAKERS: Readonly<Record<MeasuredNetworkName, NetworkMaker>> = {
  ...NETWORK_MAKERS,
  ...PUBLISHED_MAKERS,
};

/** A thread that makes these graphs. */
export function openGraphThread(cacheFolder: string): GraphThread<MeasuredNetworkName> {
  return new GraphThread(cacheFolder, ownUrl('./graph-worker.ts', import.meta.url));
}
