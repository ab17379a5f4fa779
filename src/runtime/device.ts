/** The devices that networks can run on, and the order in which `auto` tries them. */

/** Every device by name, in the order of documentation. */
export const DEVICES = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const;
/** A device that ONNX Runtime can be asked for; each is the name of an execution provider. */
export type Device = (typeof DEVICES)[number];

/** What a user may ask for: the first device that works, or one by name. */
export const DEVICE_CHOICES = ['auto', ...DEVICES] as const;
/** One of {@link DEVICE_CHOICES}. */
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

/**
 * The devices that `auto` tries on an operating system, best first; `cpu` is always the last. WebGPU is left out on
 * Linux: a machine without a GPU may still have a software Vulkan driver, which is a hundred times slower than `cpu`.
 *
 * @param platform - as in `process.platform`.
 */
export function automaticDevices(platform: NodeJS.Platform): readonly Device[] {
  if (platform === 'darwin') return ['webgpu', 'coreml', 'cpu'];
  if (platform === 'win32') return ['dml', 'webgpu', 'cpu'];
  return ['cuda', 'cpu'];
}

/** Devices whose tensors a JavaScript program can hold; with CUDA, it cannot. */
export const HOLDING_DEVICES: ReadonlySet<Device> = new Set(['webgpu']);

/** Devices that every run of a network copies all of its inputs to. */
export const COPYING_DEVICES: ReadonlySet<Device> = new Set(['cuda', 'dml']);

/** Devices that are faster in half precision, where they have it; networks for the others compute in float32. */
export const HALF_PRECISION_DEVICES: readonly Device[] = ['cuda', 'webgpu'];
