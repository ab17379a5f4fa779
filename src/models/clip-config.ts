/** Architecture of the image encoder as plain JSON. */

/** The vision half of CLIP with its projection (`CLIPVisionModelWithProjection`). */
export interface ClipVisionConfig {
  readonly type: 'clip-vision';
  /** Side of the square picture, in pixels. */
  readonly imageSize: number;
  /** Side of a patch, in pixels. */
  readonly patchSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Width inside the feed-forward networks. */
  readonly intermediateSize: number;
  /** Width of the embedding: `crossAttentionDim` of the UNets. */
  readonly projectionDim: number;
}

/** AniPortrait's image encoder, CLIP ViT-L/14. Source: `image_encoder/config.json` of sd-image-variations-diffusers. */
export const ANIPORTRAIT_CLIP: ClipVisionConfig = {
  type: 'clip-vision',
  imageSize: 224,
  patchSize: 14,
  hiddenSize: 1024,
  numLayers: 24,
  numHeads: 16,
  intermediateSize: 4096,
  projectionDim: 768,
};
