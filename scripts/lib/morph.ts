/**
 * Morphs portraits of several people into one of a person who does not exist: faces are warped to the group's mean
 * mesh, hair and shoulders of a few of them are registered to each other, then all is fused band by band.
 */
import { FACE_OVAL, PortraitWarp, type Triangles } from '../../src/face/warp.ts';
import type { RgbImage } from '../../src/image/rgb-image.ts';
import { separateBackdrop } from './backdrop.ts';
import {
  blur,
  fromLaplacianPyramid,
  halve,
  laplacianPyramid,
  type Planes,
  planes,
  remap,
  resizePlanes,
} from './planes.ts';
import { registerPictures } from './registration.ts';

/** One portrait of a group. */
export interface Member {
  readonly image: RgbImage;
  /** `[468, 2]` in pixels. */
  readonly points: Float64Array;
  /** Weight in the face. */
  readonly face: number;
  /** Weight above the chin and outside the face; needs a plain wall behind the person. */
  readonly hair: number;
  /** Weight below the chin. */
  readonly body: number;
  /** Largest distance of wall pixels from the wall's colour, 0 to 1. */
  readonly wallTolerance: number;
}

export interface MorphOptions {
  /** Height of the mean mesh, forehead to chin, as a share of the picture. */
  readonly faceHeight: number;
  /** Middle of the mean mesh from the top, as a share of the picture. */
  readonly faceMiddle: number;
  /** Display colour of the wall behind, 0 to 255. */
  readonly wall: readonly [number, number, number];
  /** Whether clothes get the first member's colour. */
  readonly recolour: boolean;
  /** Shows a picture on the way; for choosing members. */
  readonly onPicture?: (name: string, picture: Planes) => void;
}

/** Pixels of the working picture and of the result. */
const SIZE = 512;
const LEVELS = 5;
const REGISTRATION_ROUNDS = 1;
/** How strongly fine bands follow the members with the most detail there, finest band first; 0 is a plain mean. */
const DETAIL_PREFERENCE = [0.9, 0.7, 0.3];
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

const LINEAR_OF_BYTE = Float32Array.from({ length: 256 }, (_, i) => toLinear(i / 255));
const DISPLAY_OF_STEP = Float32Array.from({ length: 4097 }, (_, i) => exactDisplay((i / 4096) ** 2));

function toLinear(v: number): number {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}
function exactDisplay(v: number): number {
  return v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
}
const toDisplay = (v: number): number =>
  DISPLAY_OF_STEP[Math.round(4096 * Math.sqrt(Math.max(0, Math.min(1, v))))]!;
const smoothstep = (a: number, b: number, v: number): number => {
  const t = Math.max(0, Math.min(1, (v - a) / (b - a)));
  return t * t * (3 - 2 * t);
};

/** Similarity that maps `from` to `to` with least squares: x' = a·x − b·y + c, y' = b·x + a·y + d. */
function fitSimilarity(from: ArrayLike<number>, to: ArrayLike<number>): [number, number, number, number] {
  const n = from.length / 2;
  let [fx, fy, tx, ty] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    fx += from[2 * i]! / n;
    fy += from[2 * i + 1]! / n;
    tx += to[2 * i]! / n;
    ty += to[2 * i + 1]! / n;
  }
  let [dot, cross, norm] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const x = from[2 * i]! - fx;
    const y = from[2 * i + 1]! - fy;
    dot += x * (to[2 * i]! - tx) + y * (to[2 * i + 1]! - ty);
    cross += x * (to[2 * i + 1]! - ty) - y * (to[2 * i]! - tx);
    norm += x * x + y * y;
  }
  const a = dot / norm;
  const b = cross / norm;
  return [a, b, tx - a * fx + b * fy, ty - b * fx - a * fy];
}

function applySimilarity([a, b, c, d]: readonly number[], points: ArrayLike<number>): Float64Array {
  const moved = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    moved[i] = a! * points[i]! - b! * points[i + 1]! + c!;
    moved[i + 1] = b! * points[i]! + a! * points[i + 1]! + d!;
  }
  return moved;
}

/** Mean mesh of the members after similarity alignment, placed in the working picture. */
function meanMesh(members: readonly Member[], { faceHeight, faceMiddle }: MorphOptions): Float64Array {
  let mean: Float64Array = Float64Array.from(members[0]!.points);
  for (let round = 0; round < 4; round++) {
    const next = new Float64Array(mean.length);
    let total = 0;
    for (const { points, face } of members) {
      const aligned = applySimilarity(fitSimilarity(points, mean), points);
      for (let i = 0; i < next.length; i++) next[i]! += aligned[i]! * face;
      total += face;
    }
    // Upright, and of the wished size and place.
    const at = (index: number): readonly [number, number] => [
      next[2 * index]! / total,
      next[2 * index + 1]! / total,
    ];
    const [topX, topY] = at(10);
    const [chinX, chinY] = at(152);
    const target = [
      [SIZE / 2, SIZE * (faceMiddle - faceHeight / 2)],
      [SIZE / 2, SIZE * (faceMiddle + faceHeight / 2)],
    ].flat();
    const place = fitSimilarity([topX, topY, chinX, chinY], target);
    mean = applySimilarity(
      place,
      next.map((v) => v / total),
    );
  }
  return mean;
}

/** 1 inside the face, falling to 0 at its outline. */
function faceMask(mesh: Float64Array): Planes {
  const mask = planes(SIZE, 1);
  const oval = FACE_OVAL.map((i) => [mesh[2 * i]!, mesh[2 * i + 1]!] as const);
  for (let y = 0, i = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++, i++) {
      let inside = false;
      let nearest = Number.POSITIVE_INFINITY;
      for (let k = 0; k < oval.length; k++) {
        const [ax, ay] = oval[k]!;
        const [bx, by] = oval[(k + 1) % oval.length]!;
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
        const t = Math.max(
          0,
          Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)),
        );
        nearest = Math.min(nearest, Math.hypot(ax + t * (bx - ax) - x, ay + t * (by - ay) - y));
      }
      mask.data[i] = inside ? smoothstep(4, SIZE * 0.06, nearest) : 0;
    }
  }
  return mask;
}

/** Mean linear colour of the skin landmarks' surroundings. */
function skinColour(bytes: Uint8Array, mesh: Float64Array): readonly number[] {
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
function clothesColour(bytes: Uint8Array): readonly number[] {
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

const chroma = (colour: readonly number[]): readonly number[] => {
  const total = colour[0]! + colour[1]! + colour[2]! + 1e-4;
  return colour.map((v) => v / total);
};

/** A member on its way into the morph. */
interface Layer {
  /** Linear light, 0 to 1. */
  picture: Planes;
  /** Where the person is, one channel; undefined where only the face is used. */
  coverage: Planes | undefined;
  /** One channel. */
  readonly weight: Planes;
}

interface Placed {
  readonly member: Member;
  /** Display bytes on the mean mesh. */
  readonly bytes: Uint8Array;
  /** How far inside the source picture each pixel's origin lies, in the source's pixels. */
  readonly inset: Float32Array;
}

/** Brings the member to the mean mesh. */
function placeMember(member: Member, mesh: Float64Array, triangles: Triangles): Placed {
  const place = fitSimilarity(member.points, mesh);
  const [a, b, c, d] = place;
  const norm = a * a + b * b;
  const { image } = member;
  const inset = new Float32Array(SIZE * SIZE);
  const aligned = remap(image, SIZE, (x, y) => {
    const u = (a * (x + 0.5 - c) + b * (y + 0.5 - d)) / norm;
    const v = (a * (y + 0.5 - d) - b * (x + 0.5 - c)) / norm;
    inset[y * SIZE + x] = Math.min(u, v, image.width - u, image.height - v);
    return [u - 0.5, v - 0.5];
  });
  const data = Uint8Array.from(aligned.data, (v) => Math.max(0, Math.min(255, Math.round(v))));
  const warp = new PortraitWarp(
    { data, width: SIZE, height: SIZE },
    applySimilarity(place, member.points),
    triangles,
  );
  return { member, bytes: warp.render(mesh, SIZE, SIZE).image.data, inset };
}

interface Scene {
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
function makeLayer(
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

/** Blur, in pixels, of the first member's coverage; others may reach out of it by about one and a half times as much. */
const ANCHOR_REACH = 10;
const RAYS = 180;
/** Rays that point further down than this, as the sine, meet shoulders and are left alone. */
const LOWEST_RAY = 0.3;

/** Distance of the person's outline from a point between the eyes, for each direction. */
function outline(coverage: Planes, inner: Float32Array, centreX: number, centreY: number): Float32Array {
  const radii = Float32Array.from({ length: RAYS }, (_, ray) => {
    const angle = (ray / RAYS) * 2 * Math.PI;
    let empty = 0;
    for (let r = inner[ray]!; r < SIZE * 0.5; r++) {
      const x = Math.round(centreX + r * Math.cos(angle));
      const y = Math.round(centreY + r * Math.sin(angle));
      const inside = x >= 0 && y >= 0 && x < SIZE && y < SIZE && coverage.data[y * SIZE + x]! > 0.5;
      empty = inside ? 0 : empty + 1;
      if (empty === 6) return r - 6;
    }
    return SIZE * 0.5;
  });
  return radii.map((_, ray) => {
    const near = [-2, -1, 0, 1, 2].map((k) => radii[(ray + k + RAYS) % RAYS]!).sort((p, q) => p - q);
    return (near[1]! + near[2]! + near[3]!) / 3;
  });
}

/** Stretches hair and ears outside the face along rays, so that the heads' outlines coincide. */
function alignOutlines(layers: readonly Layer[], members: readonly Member[], { mesh }: Scene): void {
  const centreX = mesh[168 * 2]!;
  const centreY = mesh[168 * 2 + 1]!;
  const still = new Float32Array(RAYS);
  for (const index of FACE_OVAL) {
    const dx = mesh[2 * index]! - centreX;
    const dy = mesh[2 * index + 1]! - centreY;
    const ray = Math.round((Math.atan2(dy, dx) / (2 * Math.PI)) * RAYS + RAYS);
    for (let k = -4; k <= 4; k++) {
      const slot = (ray + k + RAYS) % RAYS;
      still[slot] = Math.max(still[slot]!, Math.hypot(dx, dy));
    }
  }
  // The first member's wall is plain all over: an outline far outside that person's is something else.
  const near = blur(layers[0]!.coverage!, ANCHOR_REACH).data.map((v) => smoothstep(0.02, 0.12, v));
  for (const { coverage } of layers) {
    if (coverage !== undefined) for (let i = 0; i < near.length; i++) coverage.data[i]! *= near[i]!;
  }
  const used = layers.flatMap((layer, i) =>
    layer.coverage !== undefined && members[i]!.hair > 0
      ? [{ layer, hair: members[i]!.hair, radii: outline(layer.coverage, still, centreX, centreY) }]
      : [],
  );
  const total = used.reduce((sum, { hair }) => sum + hair, 0);
  const mean = Float32Array.from({ length: RAYS }, (_, ray) =>
    used.reduce((sum, { hair, radii }) => sum + (hair * radii[ray]!) / total, 0),
  );
  for (const { layer, radii } of used) {
    const { picture } = layer;
    const place = (x: number, y: number): readonly [number, number] => {
      const dx = x - centreX;
      const dy = y - centreY;
      const r = Math.hypot(dx, dy);
      const share = 1 - smoothstep(LOWEST_RAY - 0.25, LOWEST_RAY + 0.15, dy / (r + 1e-6));
      if (share === 0 || r < 20) return [x, y];
      const turn = ((Math.atan2(dy, dx) / (2 * Math.PI) + 1) % 1) * RAYS;
      const ray = Math.floor(turn) % RAYS;
      const next = (ray + 1) % RAYS;
      const between = turn - Math.floor(turn);
      const at = (values: Float32Array): number => values[ray]! + (values[next]! - values[ray]!) * between;
      const [inner, goal, own] = [at(still), at(mean), at(radii)];
      if (r <= inner) return [x, y];
      const moved =
        r < goal
          ? inner + ((r - inner) * Math.max(1, own - inner)) / Math.max(1, goal - inner)
          : r + (own - goal);
      const scale = (r + share * (moved - r)) / r;
      return [centreX + dx * scale, centreY + dy * scale];
    };
    layer.picture = remap({ data: picture.data, width: SIZE, height: SIZE }, SIZE, place);
    const { coverage } = layer;
    const tripled = Float32Array.from(picture.data, (_, k) => coverage!.data[(k / 3) | 0]!);
    const moved = remap({ data: tripled, width: SIZE, height: SIZE }, SIZE, place);
    layer.coverage = planes(
      SIZE,
      1,
      coverage!.data.map((_, i) => Math.max(0, Math.min(1, moved.data[i * 3]!))),
    );
  }
}

/**
 * Gives all the first member's outline: what others show beside it turns to wall, and where they show wall inside of
 * it they do not count.
 */
function keepToFirstOutline(layers: readonly Layer[], wall: Planes): void {
  const first = layers[0]!.coverage!;
  const reach = blur(first, 1.5).data.map((v) => smoothstep(0.25, 0.7, v));
  for (const { coverage, picture, weight } of layers.slice(1)) {
    if (coverage === undefined) continue;
    for (let i = 0; i < reach.length; i++) {
      for (let c = 0; c < 3; c++) {
        const k = i * 3 + c;
        picture.data[k] = wall.data[k]! + (picture.data[k]! - wall.data[k]!) * reach[i]!;
      }
      const inside = first.data[i]!;
      weight.data[i]! *= 1 - inside + inside * coverage.data[i]! ** 2 + 1e-5;
    }
  }
}

function weightedMean(layers: readonly Layer[]): Planes {
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

function greyHalf(picture: Planes): Planes {
  const grey = planes(SIZE, 1);
  for (let i = 0; i < SIZE * SIZE; i++) {
    const [r, g, b] = [picture.data[i * 3]!, picture.data[i * 3 + 1]!, picture.data[i * 3 + 2]!];
    grey.data[i] = toDisplay(0.2126 * r + 0.7152 * g + 0.0722 * b);
  }
  return halve(grey);
}

/** Fuses the layers: coarse bands by weight alone, fine ones with a preference for detail. */
function fuse(layers: readonly Layer[]): Planes {
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

/** A wall that grows darker towards the corners, in linear light. */
function paintWall(colour: readonly [number, number, number]): Planes {
  const wall = planes(SIZE, 3);
  for (let y = 0, i = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const distance = Math.hypot(x / SIZE - 0.42, y / SIZE - 0.4);
      const light = 1.06 - 0.34 * smoothstep(0.1, 0.95, distance);
      for (let c = 0; c < 3; c++, i++) wall.data[i] = toLinear(colour[c]! / 255) * light;
    }
  }
  return wall;
}

/**
 * Morphs the members into one portrait.
 *
 * @returns display values, 0 to 1, 512×512.
 */
export function morphPortraits(
  members: readonly Member[],
  triangles: Triangles,
  options: MorphOptions,
): Planes {
  const show = options.onPicture ?? (() => {});
  const mesh = meanMesh(members, options);
  const face = faceMask(mesh);
  const wall = paintWall(options.wall);
  const placed = members.map((member) => placeMember(member, mesh, triangles));
  // One light for all: the skin's mean colour.
  const colours = placed.map(({ bytes }) => skinColour(bytes, mesh));
  const skin = [0, 1, 2].map((c) => colours.reduce((sum, colour) => sum + colour[c]! / colours.length, 0));
  const scene: Scene = {
    mesh,
    face,
    wall,
    skin,
    clothes: clothesColour(placed[0]!.bytes),
    recolour: options.recolour,
  };
  const layers = placed.map((each) => makeLayer(each, scene));
  alignOutlines(layers, members, scene);
  keepToFirstOutline(layers, wall);
  layers.forEach(({ picture, coverage }, i) => {
    if (coverage !== undefined) show(`member-${i}`, display(picture));
  });
  show('mean-before', display(weightedMean(layers)));

  const originals = layers.map(({ picture }) => picture);
  for (let round = 0; round < REGISTRATION_ROUNDS; round++) {
    const fixed = greyHalf(weightedMean(layers));
    layers.forEach((layer, i) => {
      if (layer.coverage === undefined) return;
      const field = resizePlanes(
        registerPictures(fixed, greyHalf(originals[i]!), {
          steps: [30, 20, 10, 5],
          sigma: 1.6,
        }),
        SIZE,
        2,
      );
      layer.picture = remap({ data: originals[i]!.data, width: SIZE, height: SIZE }, SIZE, (x, y) => {
        const at = (y * SIZE + x) * 2;
        return [x + field.data[at]!, y + field.data[at + 1]!];
      });
    });
    show(`mean-${round}`, display(weightedMean(layers)));
  }
  // Nothing but wall beside the first member's outline: no rims, no borders of source pictures.
  const fusedLight = fuse(layers);
  const reach = blur(layers[0]!.coverage!, 1.5).data.map((v) => smoothstep(0.1, 0.55, v));
  for (let k = 0; k < wall.data.length; k++) {
    fusedLight.data[k] = wall.data[k]! + (fusedLight.data[k]! - wall.data[k]!) * reach[(k / 3) | 0]!;
  }
  const fused = display(fusedLight);
  show('fused', fused);
  return fused;
}

function display(picture: Planes): Planes {
  return planes(picture.size, picture.channels, picture.data.map(toDisplay));
}
