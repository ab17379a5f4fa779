/** Whether LoRAs fit the denoising UNet of a bundle; checked before heavy work. */
import type { Bundle } from '../models/bundle.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import { checkLora } from './lora-part.ts';

/** What a clip asks for, as far as LoRAs are concerned. */
interface LoraChoice {
  /** Those that the caller adds to the preset's. */
  readonly loras?: readonly { readonly path: string }[] | undefined;
  readonly precision: PrecisionChoice;
}

/**
 * Compares the modules of LoRAs with the names and shapes of the bundle's weights; no weight is read.
 *
 * @param notice - receives what the user should know of them.
 * @throws {@link ModelError} naming file and module if one does not fit, or if the bundle's file is damaged.
 */
export function checkLoras(
  bundle: Bundle,
  { loras = [], precision }: LoraChoice,
  notice: (message: string) => void,
): void {
  if (loras.length === 0) return;
  const network = openSafetensors(bundle.pathOf('denoisingUnet'));
  try {
    const weights = Array.from(network.keys(), (key) => ({ key, dims: network.info(key).dims }));
    for (const { path: file } of loras) {
      for (const message of checkLora(file, weights).noticesFor(bundle.description)) notice(message);
    }
  } finally {
    network.dispose();
  }
  if (precision === 'int8') {
    notice(
      'the ranges for int8 were measured without these LoRAs: activations that go beyond them are clipped; compare the picture with precision float32',
    );
  }
}
