import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FaceFinder } from '../../src/face/face-finder.ts';
import { lowerFaceMask } from '../../src/face/lower-face-mask.ts';
import { locateFfmpeg } from '../../src/media/ffmpeg-path.ts';
import { readFrames } from '../../src/media/read-frames.ts';
import type { MotionSource } from '../../src/motion/motion-source.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { type FilmPortrait, openFilm } from '../../src/scene/open-film.ts';
import { makeMedia, temporaryDirectory } from '../helpers/media.ts';

const FPS = 12;
const RESOLUTION = 64;
const NO_CHANGE = () => new Float32Array(3 * RESOLUTION * RESOLUTION);
const ADA = fileURLToPath(new URL('../../assets/portraits/ada.jpg', import.meta.url));

const ffmpeg = await locateFfmpeg({ env: process.env });
/** One second of a camera that moves over a sample portrait, with a dark half second in which there is no face. */
const film = makeMedia(
  ffmpeg,
  `${temporaryDirectory()}/film.mkv`,
  ...['-loop', '1', '-framerate', String(FPS), '-i', ADA, '-t', '1.5'],
  ...[
    '-vf',
    `scale=400:400,crop=361:361:x='8+2*n':y='16-n/2',drawbox=c=black:t=fill:enable='gte(n,9)*lt(n,12)'`,
  ],
  ...['-c:v', 'ffv1'],
);
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
after(() => engine.dispose());
const originals: Uint8Array[] = [];
for await (const { data } of readFrames(film, { ffmpeg, fps: FPS })) originals.push(data);

/** Opens the mouth by a centimetre in every frame. */
const speech: MotionSource = {
  at: async () => {
    const offsets = new Float32Array(468 * 3);
    for (const vertex of [14, 17, 87, 317, 152]) offsets[3 * vertex + 1] = -1;
    return { offsets, pose: new Float32Array(6) };
  },
};

async function withFilm(use: (portrait: FilmPortrait) => Promise<void>): Promise<void> {
  const view = { type: 'warp' } as const;
  const portrait = await openFilm({
    ...{ path: film, ffmpeg, finder, fps: FPS, resolution: RESOLUTION, view },
    onNotice: () => {},
  });
  try {
    await use(portrait);
  } finally {
    await portrait.dispose();
  }
}

test('a film with another voice keeps every pixel but those around its mouth', { timeout: 600_000 }, () =>
  withFilm(async (portrait) => {
    const scene = portrait.withMotion(speech);
    assert.deepEqual([scene.width, scene.height], [360, 360]);
    for (const frame of [0, 5, 16]) {
      const { data } = await scene.compose(frame, NO_CHANGE());
      const { landmarks } = await scene.drivenFace(frame);
      const mask = lowerFaceMask([landmarks], { width: 360, height: 360 });
      const [left, right] = [mask.left - 4, mask.left + mask.width + 4];
      let [inside, outside] = [0, 0];
      for (let y = 0; y < 360; y++) {
        for (let x = 0; x < 360; x++) {
          const change = Math.abs(data[(y * 360 + x) * 3]! - originals[frame]![(y * 361 + x) * 3]!);
          const near = x >= left && x < right && y >= mask.top - 4;
          if (near) inside += change;
          else outside += change;
        }
      }
      assert.equal(outside, 0, `frame ${frame}`);
      assert(inside > 2000, `frame ${frame}: a mouth that opens changes ${inside}`);
    }
  }),
);

test('frames without a face are shown as they are', { timeout: 600_000 }, () =>
  withFilm(async (portrait) => {
    assert.equal(portrait.track.seen[10], 0);
    const { data } = await portrait.withMotion(speech).compose(10, NO_CHANGE());
    for (let y = 0; y < 360; y++) {
      const row = originals[10]!.subarray(y * 361 * 3, (y * 361 + 360) * 3);
      assert(Buffer.from(data.subarray(y * 360 * 3, (y + 1) * 360 * 3)).equals(row), `row ${y}`);
    }
  }),
);
