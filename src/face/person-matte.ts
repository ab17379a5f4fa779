/**
 * Tells a person from what is behind: how much of each pixel of a picture the person covers. The network sees the whole
 * picture, and the head once more by itself; what it sees is drawn to the picture's own edges, so that hair keeps its shape.
 *
 * Source: MediaPipe, selfie_segmentation (graph selfie_segmentation_cpu); its input is the picture in 0 … 1, stretched to
 * a square.
 */
import { readFile } from 'node:fs/promises';
import { ownFile, ownUrl } from '../files/own-file.ts';
import { guidedFilter } from '../image/guided-filter.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import type { Square } from './crop.ts';
import type { FaceNetwork, FaceNetworkLoader } from './face-finder.ts';
import { smoothstep } from './smoothstep.ts';

/** Side of the network's picture. */
const SIZE = 256;
const ASSET = ownUrl('../../assets/matting/person-matte.onnx', import.meta.url);
/** The head's square, with its hair: its side and how far its middle lies above the face's, in heights of the face. */
const HEAD_SIDE = 2.6;
const HEAD_ABOVE = 0.1;
/** Share of the head's square over which it goes over into the whole picture's matte. */
const HEAD_FADE = 0.12;
/** Radius of the edges' search, in the network's pixels, and the least contrast that counts as an edge, of 1. */
const EDGE_RADIUS = 3;
const EDGE_CONTRAST = 0.06;
/** What is covered less than the first is not, more than the second wholly: the network is seldom quite sure. */
const CERTAIN = [0.1, 0.9] as const;

/** A face's box in pixels. */
interface FaceBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Holds the network. */
export class PersonMatter {
  readonly #network: FaceNetwork;

  private constructor(network: FaceNetwork) {
    this.#network = network;
  }

  /** Loads the network through `load`. */
  static async open(load: FaceNetworkLoader): Promise<PersonMatter> {
    return new PersonMatter(await load('person-matte', await readFile(ownFile(ASSET))));
  }

  /**
   * @param face - box of the person's landmarks.
   * @returns [width · height], 0 (behind) to 1 (the person).
   */
  async matte(image: RgbImage, face: FaceBox): Promise<Float32Array> {
    const { width, height } = image;
    const whole = await this.#matteOf(image, { x: 0, y: 0, width, height });
    const head = headSquare(face);
    const area = { x: head.x, y: head.y, width: head.side, height: head.side };
    const near = await this.#matteOf(image, area);
    const matte = new Float32Array(width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const all = sampleSquare(whole, ((x + 0.5) / width) * SIZE, ((y + 0.5) / height) * SIZE);
        const [u, v] = [(x + 0.5 - head.x) / head.side, (y + 0.5 - head.y) / head.side];
        const inside = smoothstep(0, HEAD_FADE, Math.min(u, v, 1 - u, 1 - v));
        matte[y * width + x] =
          inside === 0 ? all : all + inside * (sampleSquare(near, u * SIZE, v * SIZE) - all);
      }
    }
    const cell = Math.min(Math.max(width, height), head.side) / SIZE;
    const options = {
      width,
      height,
      epsilon: EDGE_CONTRAST ** 2,
      radius: Math.max(2, Math.round(EDGE_RADIUS * cell)),
    };
    return guidedFilter(matte, brightness(image), options).map((value) => smoothstep(...CERTAIN, value));
  }

  /** [256 · 256] of an area of the picture, stretched to a square; beyond the picture its edge goes on. */
  async #matteOf(image: RgbImage, area: FaceBox): Promise<Float32Array> {
    const part = cropArea(image, area);
    const { data } = resizeImage(part, SIZE, SIZE, 'area');
    const input = Float32Array.from(data, (byte) => byte / 255);
    const { matte } = await this.#network.run({ image: { data: input, dims: [1, SIZE, SIZE, 3] } });
    return matte!.data;
  }
}

function headSquare({ x, y, width, height }: FaceBox): Square {
  const side = Math.round(HEAD_SIDE * Math.max(width, height));
  return {
    x: Math.round(x + width / 2 - side / 2),
    y: Math.round(y + height / 2 - HEAD_ABOVE * height - side / 2),
    side,
  };
}

function cropArea(image: RgbImage, { x, y, width, height }: FaceBox): RgbImage {
  const data = new Uint8Array(width * height * 3);
  const clamp = (value: number, size: number): number => Math.min(size - 1, Math.max(0, value));
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = (clamp(y + row, image.height) * image.width + clamp(x + column, image.width)) * 3;
      const to = (row * width + column) * 3;
      for (let c = 0; c < 3; c++) data[to + c] = image.data[from + c]!;
    }
  }
  return { data, width, height };
}

/** Bilinear, at a place in pixels of the network's picture. */
function sampleSquare(plane: Float32Array, x: number, y: number): number {
  const px = Math.min(SIZE - 1, Math.max(0, x - 0.5));
  const py = Math.min(SIZE - 1, Math.max(0, y - 0.5));
  const [left, top] = [Math.floor(px), Math.floor(py)];
  const right = Math.min(SIZE - 1, left + 1);
  const bottom = Math.min(SIZE - 1, top + 1);
  const at = (row: number, column: number): number => plane[row * SIZE + column]!;
  const upper = at(top, left) + (at(top, right) - at(top, left)) * (px - left);
  const lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (px - left);
  return upper + (lower - upper) * (py - top);
}

/** 0 to 1. */
function brightness({ data, width, height }: RgbImage): Float32Array {
  return Float32Array.from(
    { length: width * height },
    (_, i) => (0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!) / 255,
  );
}
