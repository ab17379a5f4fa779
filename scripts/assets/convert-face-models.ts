/**
 * Writes assets/face from MediaPipe's own files: the face detector and the 468-point landmark networks as ONNX, the
 * canonical mesh as JSON; and, with a second file, assets/matting: the network that tells people from what is behind them.
 *
 *   npm pack @mediapipe/face_mesh@0.4.1657299874 && tar xzf mediapipe-face_mesh-*.tgz
 *   node --import=tsx scripts/assets/convert-face-models.ts package/face_mesh_solution_packed_assets.data
 *   npm pack @mediapipe/selfie_segmentation@0.1.1675465747 && tar xzf mediapipe-selfie_segmentation-*.tgz
 *   node --import=tsx scripts/assets/convert-face-models.ts --matting package/selfie_segmentation.tflite
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { LANDMARK_COUNT } from '../../src/face/face-finder.ts';
import { GraphBuilder, type Value } from '../../src/onnx/graph.ts';
import { readFaceGeometryMetadata } from './face-geometry-metadata.ts';
import { readTflite } from './tflite.ts';
import { addTfliteGraph, addTfliteOperators } from './tflite-to-onnx.ts';

/** Byte ranges of the files inside the pack, from face_mesh_solution_packed_assets_loader.js of version 0.4.1657299874. */
const RANGES = {
  attention: [0, 2495952],
  landmarks: [2495952, 3737848],
  geometry: [3737848, 3757224],
  detector: [3757224, 3986256],
} as const;
const PACK_SIZE = 3986256;
const ASSETS = new URL('../../assets/face/', import.meta.url);

if (process.argv[2] === '--matting') {
  const graph = new GraphBuilder('person-matte');
  const model = readTflite(new Uint8Array(readFileSync(process.argv[3]!)));
  addTfliteGraph(graph, model, { inputs: ['image'], outputs: ['matte'] });
  writeFileSync(new URL('../../assets/matting/person-matte.onnx', import.meta.url), graph.toBytes());
  process.exit(0);
}
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

/** The crops of the attention mesh's second look, by the tensors with the landmarks seen in them, and with their maps. */
const SECOND_LOOKS = [
  ['transform_landmarks_v2', 'landmarks_to_transform_matrix_v2'],
  ['transform_landmarks_v2_1', 'landmarks_to_transform_matrix_v2_1'],
  ['transform_landmarks_v2_3', 'landmarks_to_transform_matrix_v2_2'],
] as const;

/**
 * The attention mesh with the outputs of the plain one: what its second look sees of lips and eyes replaces x and y of the
 * mesh, as MediaPipe's graph face_landmarks_from_tensors does. Its irises are left out.
 */
function convertAttention(): void {
  const model = readTflite(part(RANGES.attention));
  const tensor = (name: string): number => model.tensors.findIndex((one) => one.name === name);
  const graph = new GraphBuilder('face-attention');
  const [mesh, presence] = [tensor('output_mesh'), tensor('conv_faceflag')];
  const refined = SECOND_LOOKS.map(([landmarks]) => tensor(landmarks));
  // Films are followed by it, picture by picture: this form takes a fifth less time.
  const outputAt = addTfliteOperators(graph, model, ['image'], [mesh, presence, ...refined], {
    blocked: true,
  });
  // A crop is made of the landmarks that are then seen in it, in the same order.
  const indices = SECOND_LOOKS.flatMap(([, map]) => {
    const maker = model.operators.find(({ outputs }) => outputs.includes(tensor(map)));
    const landmarks = maker?.custom?.options().get('subset_idxs') as readonly number[];
    return landmarks.flatMap((landmark) => [3 * landmark, 3 * landmark + 1]);
  });
  const flat = (value: Value): Value => graph.op('Reshape', [value, graph.int64([-1])]);
  const seen = graph.op(
    'Concat',
    refined.map((one) => flat(outputAt(one))),
    { axis: 0 },
  );
  const landmarks = graph.op('ScatterElements', [flat(outputAt(mesh)), graph.int64(indices), seen], {
    axis: 0,
  });
  graph.output('landmarks', landmarks, [LANDMARK_COUNT * 3]);
  graph.output('presence', outputAt(presence), [1, 1, 1, 1]);
  writeFileSync(new URL('face-attention.onnx', ASSETS), graph.toBytes());
}

convertAttention();
convert('face-detector', RANGES.detector, ['boxes', 'scores']);
convert('face-landmarks', RANGES.landmarks, ['landmarks', 'presence']);
writeFileSync(
  new URL('face-mesh.json', ASSETS),
  `${JSON.stringify(readFaceGeometryMetadata(part(RANGES.geometry)))}\n`,
);
