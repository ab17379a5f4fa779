/**
 * Writes assets/face from MediaPipe's own files: the face detector and the 468-point landmark network as ONNX, the
 * canonical mesh as JSON.
 *
 *   npm pack @mediapipe/face_mesh@0.4.1657299874 && tar xzf mediapipe-face_mesh-*.tgz
 *   node --import=tsx scripts/assets/convert-face-models.ts package/face_mesh_solution_packed_assets.data
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { GraphBuilder } from '../../src/onnx/graph.ts';
import { readFaceGeometryMetadata } from './face-geometry-metadata.ts';
import { readTflite } from './tflite.ts';
import { addTfliteGraph } from './tflite-to-onnx.ts';

/** Byte ranges of the files inside the pack, from face_mesh_solution_packed_assets_loader.js of version 0.4.1657299874. */
const RANGES = {
  landmarks: [2495952, 3737848],
  geometry: [3737848, 3757224],
  detector: [3757224, 3986256],
} as const;
const PACK_SIZE = 3986256;
const ASSETS = new URL('../../assets/face/', import.meta.url);

const packPath = process.argv[2];
if (packPath === undefined) {
  console.error('usage: convert-face-models.ts PATH/face_mesh_solution_packed_assets.data');
  process.exit(2);
}
const pack = new Uint8Array(readFileSync(packPath));
if (pack.length !== PACK_SIZE) {
  throw new Error(
    `Cannot convert ${packPath}: expected ${PACK_SIZE} bytes (version 0.4.1657299874), got ${pack.length}`,
  );
}
// Copies, so that typed arrays over a part start at an aligned offset.
const part = ([start, end]: readonly [number, number]): Uint8Array => pack.slice(start, end);

function convert(name: string, range: readonly [number, number], outputs: readonly string[]): void {
  const graph = new GraphBuilder(name);
  addTfliteGraph(graph, readTflite(part(range)), { inputs: ['image'], outputs });
  writeFileSync(new URL(`${name}.onnx`, ASSETS), graph.toBytes());
}

convert('face-detector', RANGES.detector, ['boxes', 'scores']);
convert('face-landmarks', RANGES.landmarks, ['landmarks', 'presence']);
writeFileSync(
  new URL('face-mesh.json', ASSETS),
  `${JSON.stringify(readFaceGeometryMetadata(part(RANGES.geometry)))}\n`,
);
