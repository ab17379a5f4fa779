/**
 * Inputs that stay on a GPU: uploaded once and read by every later run, instead of being copied to it by each.
 *
 * ONNX Runtime's binding makes a device tensor only as the output of a session, so a graph that hands its input on does it.
 */
import type * as ort from 'onnxruntime-node';
import { type Device, HOLDING_DEVICES } from './device.ts';
import { onnxRuntime } from './onnx-runtime.ts';

/** Where a session leaves its outputs so that they stay on the device. */
export const ON_DEVICE = 'gpu-buffer';

/** `y = Identity(x)`, float32 of any shape; test/runtime/resident-tensors.test.ts builds it again and compares. */
const UPLOAD_MODEL_BASE64 =
  'CAoSDGxjbS1wb3J0cmFpdDpBCiEKAXgSAXkaD25vZGVfSWRlbnRpdHlfMSIISWRlbnRpdHkSBnVwbG9hZFoJCgF4EgQKAggBYgkKAXkS' +
  'BAoCCAFCBAoAEBU=';

/** The graph that uploads. */
export function uploadModel(): Uint8Array {
  return new Uint8Array(Buffer.from(UPLOAD_MODEL_BASE64, 'base64'));
}

/** Makes tensors of a device, and frees them. */
export class ResidentTensors {
  readonly #options: (device: Device) => ort.InferenceSession.SessionOptions;
  #session: Promise<ort.InferenceSession> | undefined;

  /** @param options - of a session on a device. */
  constructor(options: (device: Device) => ort.InferenceSession.SessionOptions) {
    this.#options = options;
  }

  /** `tensor` where runs on `device` read it fastest. */
  async place(tensor: ort.Tensor, device: Device): Promise<ort.Tensor> {
    if (!HOLDING_DEVICES.has(device)) return tensor;
    this.#session ??= onnxRuntime.InferenceSession.create(uploadModel(), {
      ...this.#options(device),
      preferredOutputLocation: ON_DEVICE,
    });
    const { y } = await (await this.#session).run({ x: tensor });
    return y!;
  }

  /** Ends the session that uploads. */
  async dispose(): Promise<void> {
    await (await this.#session?.catch(() => undefined))?.release();
    this.#session = undefined;
  }
}

/** Frees a device tensor; one in ordinary memory is left to the garbage collector. */
export function freeTensor(tensor: ort.Tensor): void {
  if (tensor.location === ON_DEVICE) tensor.dispose();
}
