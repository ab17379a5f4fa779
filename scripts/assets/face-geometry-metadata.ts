/**
 * Reads the canonical face mesh and the Procrustes weights from MediaPipe's geometry metadata.
 *
 * Source: geometry_pipeline_metadata.proto and mesh_3d.proto of MediaPipe; Protocol Buffers, "Encoding".
 */

/** The canonical face: `vertices` [468 · 3] in cm, `triangles` [898 · 3] of vertex indices, weights by landmark. */
export interface FaceMeshData {
  readonly vertices: readonly number[];
  readonly triangles: readonly number[];
  readonly procrustes: readonly (readonly [landmark: number, weight: number])[];
}

interface Field {
  readonly field: number;
  readonly value: number | Uint8Array;
}

/** Fields of a message in order: varints as integers, 32-bit fields as floats, the rest as bytes. */
function* readFields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const field = key >>> 3;
    const wire = key & 7;
    if (wire === 0) yield { field, value: varint() };
    else if (wire === 5) {
      yield { field, value: view.getFloat32(at, true) };
      at += 4;
    } else if (wire === 2) {
      const length = varint();
      yield { field, value: bytes.subarray(at, at + length) };
      at += length;
    } else throw new Error(`Cannot read the face geometry: unexpected wire type ${wire}`);
  }
}

/** The shortest decimal that reads back as the same float32. */
function shortestFloat32(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

const VALUES_PER_VERTEX = 5; // x, y, z, u, v

/** Decodes GeometryPipelineMetadata: field 1 the mesh, field 2 (repeated) landmark and weight. */
export function readFaceGeometryMetadata(bytes: Uint8Array): FaceMeshData {
  const buffer: number[] = [];
  const triangles: number[] = [];
  const procrustes: [number, number][] = [];
  for (const { field, value } of readFields(bytes)) {
    if (typeof value === 'number') continue;
    if (field === 1) {
      for (const part of readFields(value)) {
        if (part.field === 3) buffer.push(part.value as number);
        if (part.field === 4) triangles.push(part.value as number);
      }
    } else if (field === 2) {
      const [landmark, weight] = [...readFields(value)].map((part) => part.value as number);
      // proto3 leaves out a landmark of 0; none of the weighted landmarks has that index.
      procrustes.push([landmark!, shortestFloat32(weight!)]);
    }
  }
  const vertices = buffer.filter((_, i) => i % VALUES_PER_VERTEX < 3).map(shortestFloat32);
  return { vertices, triangles, procrustes };
}
