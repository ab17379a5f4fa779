/** LoRAs as people write them. */
import type { LoraFile } from './lora.ts';

/**
 * A LoRA as the command line and manifests name it: `file[:scale]`, at scale 1 if there is none.
 *
 * @example
 * parseLora('C:\\style.safetensors:0.8'); // { path: 'C:\\style.safetensors', scale: 0.8 }
 */
export function parseLora(text: string): LoraFile {
  const match = /^(.+):([+-]?(?:\d+\.?\d*|\.\d+))$/.exec(text);
  return match === null ? { path: text, scale: 1 } : { path: match[1]!, scale: Number(match[2]) };
}
