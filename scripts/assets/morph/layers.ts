/** Portraits on the mean mesh, each in the morph's light and before its wall. */
import { separateBackdrop } from '../backdrop.ts';
import { type Planes, planes } from '../planes.ts';
import { chroma, LINEAR_OF_BYTE, smoothstep, toLinear } from './light.ts';
import { type Placed, SIZE } from './placement.ts';

/** Landmarks of bare skin: cheeks, forehead, nose. */
const SKIN = [50, 280, 205, 425, 151, 9, 101, 330, 4];

/** Where clothes are: middle and reach of two patches, as shares of the picture. */
const CLOTHES = [
  [0.16, 0.95],
  [0.84, 0.95],
] as const;
const CLOTHES_REACH = 0.04;
/** Difference of colour, each of r, g, b as a share of their sum, at which a pixel is no cloth any more. */
const CLOTHES_DIFFERENCE = 0.2;

/** Mean linear colour of the skin landmarks' surroundings. */
export function skinColour(bytes: Uint8Array, mesh: Float64Array): readonly number[] {
  const sum = [0, 0, 0];
  const radius = Math.round(SIZE / 60);
  let count = 0;
  for (const index of SKIN) {
    const cx = Math.round(mesh[2 * index]!);
    const cy = Math.round(mesh[2 * index + 1]!);
    for (let y = cy - radius; y <= cy + radius; y++) {
      for (let x = cx - radius; x <= cx + radius; x++, count++) {
        for (let c = 0; c < 3; c++) sum[c]! += LINEAR_OF_BYTE[bytes[(y * SIZE + x) * 3 + c]!]!;
      }
    }
  }
  return sum.map((v) => v / count);
}

/** Mean linear colour of the clothes. */
export function clothesColour(bytes: Uint8Array): readonly number[] {
  const sum = [0, 0, 0];
  let count = 0;
  const reach = Math.round(SIZE * CLOTHES_REACH);
  for (const [shareX, shareY] of CLOTHES) {
    for (let y = Math.round(SIZE * shareY) - reach; y < Math.min(SIZE, SIZE * shareY + reach); y++) {
      for (let x = Math.round(SIZE * shareX) - reach; x < SIZE * shareX + reach; x++, count++) {
        for (let c = 0; c < 3; c++) sum[c]! += LINEAR_OF_BYTE[bytes[(y * SIZE + x) * 3 + c]!]!;
      }
    }
  }
  return sum.map((v) => v / count);
}

/** A member on its way into the morph. */
export interface Layer {
  /** Linear light, 0 to 1. */
  picture: Planes;
  /** Where the person is, one channel; undefined where only the face is used. */
  coverage: Planes | undefined;
  /** One channel. */
  readonly weight: Planes;
}

/** What all members are put into. */
export interface Scene {
  readonly mesh: Float64Array;
  /** Mask of the face, see {@link faceMask}. */
  readonly face: Planes;
  /** In linear light. */
  readonly wall: Planes;
  /** Linear skin colour of the morph. */
  readonly skin: readonly number[];
  /** Linear colour of its clothes, the first member's. */
  readonly clothes: readonly number[];
  readonly recolour: boolean;
}

/** The member in the morph's light and before its wall. */
export function makeLayer(
  { member, bytes, inset }: Placed,
  { mesh, face, wall, skin, clothes, recolour }: Scene,
): Layer {
  const own = skinColour(bytes, mesh);
  const gains = skin.map((v, c) => v / own[c]!);
  const ownClothes = clothesColour(bytes);
  const clothesGains = clothes.map((v, c) => v / ownClothes[c]!);
  const clothesChroma = chroma(ownClothes);
  const picture = planes(SIZE, 3);
  const weight = planes(SIZE, 1);
  const isSurrounding = member.hair > 0 || member.body > 0;
  const backdrop = isSurrounding
    ? separateBackdrop(
        planes(
          SIZE,
          3,
          Float32Array.from(bytes, (v) => v / 255),
        ),
        member.wallTolerance,
      )
    : undefined;
  const chin = mesh[152 * 2 + 1]!;
  for (let y = 0, i = 0; y < SIZE; y++) {
    const lower = smoothstep(chin - SIZE * 0.12, chin, y);
    const outside = member.hair + (member.body - member.hair) * lower;
    const tint = [0, 0, 0];
    const mayBeCloth = isSurrounding && recolour ? smoothstep(chin, chin + SIZE * 0.06, y) : 0;
    for (let x = 0; x < SIZE; x++, i++) {
      const covered = backdrop === undefined ? 1 : backdrop.coverage.data[i]!;
      let cloth = mayBeCloth;
      if (cloth > 0) {
        const own = chroma([0, 1, 2].map((c) => LINEAR_OF_BYTE[bytes[i * 3 + c]!]!));
        const difference = Math.max(...own.map((v, c) => Math.abs(v - clothesChroma[c]!)));
        cloth *= 1 - smoothstep(CLOTHES_DIFFERENCE * 0.6, CLOTHES_DIFFERENCE, difference);
      }
      for (let c = 0; c < 3; c++) tint[c] = gains[c]! + (clothesGains[c]! - gains[c]!) * cloth;
      for (let c = 0; c < 3; c++) {
        const k = i * 3 + c;
        let light = LINEAR_OF_BYTE[bytes[k]!]!;
        // A mixed pixel of an outline keeps its share of person and gets the new wall for the rest.
        if (covered < 1)
          light = Math.max(0, light - (1 - covered) * toLinear(Math.max(0, backdrop!.wall.data[k]!)));
        picture.data[k] = light * tint[c]! * (covered < 0.02 ? 0 : 1) + (1 - covered) * wall.data[k]!;
      }
      const inFace = face.data[i]!;
      weight.data[i] = 1e-6 + smoothstep(3, 25, inset[i]!) * (inFace * member.face + (1 - inFace) * outside);
    }
  }
  return { picture, coverage: backdrop?.coverage, weight };
}
