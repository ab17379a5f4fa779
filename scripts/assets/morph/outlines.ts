/** Brings the outlines of the members' heads together. */
import { FACE_OVAL } from '../../../src/face/face-rings.ts';
import { blur, type Planes, planes, remap } from '../planes.ts';
import type { Layer, Scene } from './layers.ts';
import { smoothstep } from './light.ts';
import { type Member, SIZE } from './placement.ts';

/** Blur, in pixels, of the first member's coverage; others may reach out of it by about one and a half times as much. */
const ANCHOR_REACH = 10;
const RAYS = 180;
/** Rays that point further down than this, as the sine, meet shoulders and are left alone. */
const LOWEST_RAY = 0.3;

/** Rays over which stretching sets in next to a head that the picture's edge cuts off. */
const CUT_REACH = 10;

/** A head's outline as seen from a point between the eyes. */
interface Outline {
  /** Distance in each direction. */
  readonly radii: Float32Array;
  /** Whether the picture ends before the head does. */
  readonly cut: readonly boolean[];
}

function outline(coverage: Planes, inner: Float32Array, centreX: number, centreY: number): Outline {
  const cut = new Array<boolean>(RAYS).fill(false);
  const radii = Float32Array.from({ length: RAYS }, (_, ray) => {
    const angle = (ray / RAYS) * 2 * Math.PI;
    let empty = 0;
    for (let r = inner[ray]!; r < SIZE * 0.5; r++) {
      const x = Math.round(centreX + r * Math.cos(angle));
      const y = Math.round(centreY + r * Math.sin(angle));
      const inPicture = x >= 0 && y >= 0 && x < SIZE && y < SIZE;
      const inside = inPicture && coverage.data[y * SIZE + x]! > 0.5;
      if (!inPicture && empty === 0) cut[ray] = true;
      empty = inside ? 0 : empty + 1;
      if (empty === 6) return r - 6;
    }
    return SIZE * 0.5;
  });
  const smooth = radii.map((_, ray) => {
    const near = [-2, -1, 0, 1, 2].map((k) => radii[(ray + k + RAYS) % RAYS]!).sort((p, q) => p - q);
    return (near[1]! + near[2]! + near[3]!) / 3;
  });
  return { radii: smooth, cut };
}

/** How freely each ray may be stretched: not at all where a head is cut off, as nobody knows where it ends. */
function freedom(outlines: readonly Outline[]): Float32Array {
  return Float32Array.from({ length: RAYS }, (_, ray) => {
    let distance = Number.POSITIVE_INFINITY;
    for (let k = -CUT_REACH; k <= CUT_REACH; k++) {
      const near = (ray + k + RAYS) % RAYS;
      if (outlines.some(({ cut }) => cut[near])) distance = Math.min(distance, Math.abs(k));
    }
    return smoothstep(0, CUT_REACH, distance);
  });
}

/** Stretches hair and ears outside the face along rays, so that the heads' outlines coincide. */
export function alignOutlines(layers: readonly Layer[], members: readonly Member[], { mesh }: Scene): void {
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
      ? [{ layer, hair: members[i]!.hair, ...outline(layer.coverage, still, centreX, centreY) }]
      : [],
  );
  const total = used.reduce((sum, { hair }) => sum + hair, 0);
  const mean = Float32Array.from({ length: RAYS }, (_, ray) =>
    used.reduce((sum, { hair, radii }) => sum + (hair * radii[ray]!) / total, 0),
  );
  const free = freedom(used);
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
      const scale = (r + share * at(free) * (moved - r)) / r;
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
 * Gives all the first member's outline: what others show next to it turns to wall, and where they show wall inside of
 * it they do not count.
 */
export function keepToFirstOutline(layers: readonly Layer[], wall: Planes): void {
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
