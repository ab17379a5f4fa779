/**
 * Morphs portraits of several people into one of a person who does not exist: faces are warped to the group's mean
 * mesh, hair and shoulders of a few of them are registered to each other, then all is fused band by band.
 */
import type { Triangles } from '../../src/face/mesh-triangles.ts';
import { fuse, greyHalf, weightedMean } from './morph/fusion.ts';
import { clothesColour, makeLayer, type Scene, skinColour } from './morph/layers.ts';
import { display, smoothstep, toLinear } from './morph/light.ts';
import { alignOutlines, keepToFirstOutline } from './morph/outlines.ts';
import { faceMask, type Member, type MeshPlace, meanMesh, placeMember, SIZE } from './morph/placement.ts';
import { blur, type Planes, planes, remap, resizePlanes } from './planes.ts';
import { registerPictures } from './registration.ts';

/** Options of {@link morphPortraits}. */
export interface MorphOptions extends MeshPlace {
  /** Display colour of the wall behind, 0 to 255. */
  readonly wall: readonly [number, number, number];
  /** Whether clothes get the first member's colour. */
  readonly recolour: boolean;
  /** Shows a picture on the way; for choosing members. */
  readonly onPicture?: (name: string, picture: Planes) => void;
}

const REGISTRATION_ROUNDS = 1;

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
  // Nothing but wall next to the first member's outline: no rims, no borders of source pictures.
  const fusedLight = fuse(layers);
  const reach = blur(layers[0]!.coverage!, 1.5).data.map((v) => smoothstep(0.1, 0.55, v));
  for (let k = 0; k < wall.data.length; k++) {
    fusedLight.data[k] = wall.data[k]! + (fusedLight.data[k]! - wall.data[k]!) * reach[(k / 3) | 0]!;
  }
  const fused = display(fusedLight);
  show('fused', fused);
  return fused;
}
