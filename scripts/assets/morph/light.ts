/** Light of a morph: display bytes to linear light and back, and colours without their brightness. */
import { type Planes, planes } from '../planes.ts';

export const LINEAR_OF_BYTE = Float32Array.from({ length: 256 }, (_, i) => toLinear(i / 255));
const DISPLAY_OF_STEP = Float32Array.from({ length: 4097 }, (_, i) => exactDisplay((i / 4096) ** 2));

export function toLinear(v: number): number {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}
function exactDisplay(v: number): number {
  return v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
}
export const toDisplay = (v: number): number =>
  DISPLAY_OF_STEP[Math.round(4096 * Math.sqrt(Math.max(0, Math.min(1, v))))]!;
export const smoothstep = (a: number, b: number, v: number): number => {
  const t = Math.max(0, Math.min(1, (v - a) / (b - a)));
  return t * t * (3 - 2 * t);
};

/** Each of r, g, b as a share of their sum. */
export const chroma = (colour: readonly number[]): readonly number[] => {
  const total = colour[0]! + colour[1]! + colour[2]! + 1e-4;
  return colour.map((v) => v / total);
};

/** Display values of linear light. */
export function display(picture: Planes): Planes {
  return planes(picture.size, picture.channels, picture.data.map(toDisplay));
}
