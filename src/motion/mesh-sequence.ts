/** Meshes of many frames in little memory: 2.8 kB each. */
import { MESH_VALUES } from './motion.ts';

/** Centimetres of one unit: a hundredth of what landmarks are exact to; ±32 cm fit. */
export const MESH_STEP = 0.001;
const CHUNK_FRAMES = 256;
const LIMIT = 32767;

/** Face meshes [468, 3] in cm, rounded to {@link MESH_STEP}. Grows at its end. */
export class MeshSequence {
  readonly #chunks: Int16Array[] = [];
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  /** @param mesh - [468, 3] cm, copied; beyond ±32 cm it is held there. */
  append(mesh: ArrayLike<number>): void {
    const row = this.#row();
    for (let i = 0; i < MESH_VALUES; i++) {
      row[i] = Math.max(-LIMIT, Math.min(LIMIT, Math.round(mesh[i]! / MESH_STEP)));
    }
  }

  /** @param units - [468, 3] in units of {@link MESH_STEP}, copied. */
  appendUnits(units: Int16Array): void {
    this.#row().set(units);
  }

  #row(): Int16Array {
    if (this.#frames % CHUNK_FRAMES === 0) this.#chunks.push(new Int16Array(CHUNK_FRAMES * MESH_VALUES));
    this.#frames++;
    return this.units(this.#frames - 1);
  }

  /** A view of one frame, in units of {@link MESH_STEP}. */
  units(frame: number): Int16Array {
    const at = (frame % CHUNK_FRAMES) * MESH_VALUES;
    return this.#chunks[Math.floor(frame / CHUNK_FRAMES)]!.subarray(at, at + MESH_VALUES);
  }

  /** Writes the mesh of one frame, in cm, to `out`. */
  read(frame: number, out: Float32Array): void {
    this.addTo(frame, MESH_STEP, out.fill(0));
  }

  /** Adds `scale` times the units of one frame to `out`. */
  addTo(frame: number, scale: number, out: Float32Array | Float64Array): void {
    const units = this.units(frame);
    for (let i = 0; i < MESH_VALUES; i++) out[i]! += scale * units[i]!;
  }
}
