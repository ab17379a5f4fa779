/** Makes one picture of several layers. */
import { blur, fromLaplacianPyramid, halve, laplacianPyramid, type Planes, planes } from '../planes.ts';
import type { Layer } from './layers.ts';
import { toDisplay } from './light.ts';
import { SIZE } from './placement.ts';

const LEVELS = 5;
/** How strongly fine bands follow the members with the most detail there, finest band first; 0 is a plain mean. */
const DETAIL_PREFERENCE = [0.9, 0.7, 0.3];

/** The layers' mean by weight. */
export function weightedMean(layers: readonly Layer[]): Planes {
  const mean = planes(SIZE, 3);
  for (let i = 0; i < SIZE * SIZE; i++) {
    let total = 0;
    for (const { weight } of layers) total += weight.data[i]!;
    for (const { picture, weight } of layers) {
      for (let c = 0; c < 3; c++)
        mean.data[i * 3 + c]! += (picture.data[i * 3 + c]! * weight.data[i]!) / total;
    }
  }
  return mean;
}

/** Display brightness at half the size, for registration. */
export function greyHalf(picture: Planes): Planes {
  const grey = planes(SIZE, 1);
  for (let i = 0; i < SIZE * SIZE; i++) {
    const [r, g, b] = [picture.data[i * 3]!, picture.data[i * 3 + 1]!, picture.data[i * 3 + 2]!];
    grey.data[i] = toDisplay(0.2126 * r + 0.7152 * g + 0.0722 * b);
  }
  return halve(grey);
}

/** Fuses the layers: coarse bands by weight alone, fine ones with a preference for detail. */
export function fuse(layers: readonly Layer[]): Planes {
  const pyramids = layers.map(({ picture }) => laplacianPyramid(picture, LEVELS));
  const weights = layers.map(({ weight }) => {
    const levels = [weight];
    for (let level = 0; level < LEVELS; level++) levels.push(halve(blur(levels[level]!, 1)));
    return levels;
  });
  const fused = pyramids[0]!.map((band, level) => {
    const preference = DETAIL_PREFERENCE[level] ?? 0;
    const energies = pyramids.map((pyramid) => {
      const energy = planes(band.size, 1);
      const { data } = pyramid[level]!;
      for (let i = 0; i < energy.data.length; i++) {
        energy.data[i] = data[i * 3]! ** 2 + data[i * 3 + 1]! ** 2 + data[i * 3 + 2]! ** 2;
      }
      return preference > 0 ? blur(energy, 3) : energy;
    });
    const sum = planes(band.size, 3);
    const shares = new Float64Array(pyramids.length);
    for (let i = 0; i < band.size * band.size; i++) {
      let total = 0;
      for (let m = 0; m < shares.length; m++) {
        const detail = preference > 0 ? (energies[m]!.data[i]! + 1e-7) ** (preference / 2) : 1;
        shares[m] = weights[m]![level]!.data[i]! * detail;
        total += shares[m]!;
      }
      for (let m = 0; m < shares.length; m++) {
        const share = shares[m]! / total;
        const { data } = pyramids[m]![level]!;
        for (let c = 0; c < 3; c++) sum.data[i * 3 + c]! += data[i * 3 + c]! * share;
      }
    }
    return sum;
  });
  return fromLaplacianPyramid(fused);
}
