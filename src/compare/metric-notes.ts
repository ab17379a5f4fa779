/** What each figure of a report means, and when not to trust it. */
import { INSTALL_EMBEDDING } from '../face/face-embedding.ts';

/** A figure's meaning. */
interface MetricNote {
  readonly name: string;
  readonly meaning: string;
  readonly caution: string;
}

/** In the order of the page. */
export const METRIC_NOTES: readonly MetricNote[] = [
  {
    name: 'Times',
    meaning:
      'Seconds on the monotonic clock for the whole clip. Networks are loaded and run once before anything is measured; ' +
      'then the variants take turns, a window’s worth of denoising each, so that whatever slows the machine hits all of ' +
      'them. Stages run one after another here. The middle of the repeats is shown, with their range.',
    caution:
      'Rendering a clip overlaps decoding and encoding with denoising, so a whole job takes less than the sum; the whole ' +
      'job is measured by itself if asked for. Preparing and loading come once and weigh more in short clips. A ratio of ' +
      'this machine is not one of another: where the denoiser is cheap, the rest of the job counts more.',
  },
  {
    name: 'Evaluations and FLOPs',
    meaning:
      'Evaluations of the denoiser, guidance branches counted singly. FLOPs are multiplications and additions of ' +
      'convolutions, matrix products and attentions, counted from the graphs. The limit is the fastest of several ' +
      'products of square matrices on the same engine, a minute earlier.',
    caution:
      'Norms, activations and moving data are not counted, and they are what small networks spend much of their time on: a ' +
      'low share of the limit is not waste by itself. FLOP/s of denoising are those inside its runs. The limit is that of ' +
      'floating-point products: a variant in 8-bit integers may pass it.',
  },
  {
    name: 'PSNR',
    meaning:
      'Mean squared error of R, G and B against the other variant’s frame, in dB; 40 dB and more is hard to see, below 30 ' +
      'dB is easy to see. Frames are taken before any encoder.',
    caution:
      'The frame around the face is the same photo in all variants and lifts the number of the whole frame: read the ' +
      'face’s. The other variant is no truth: a sharper or better synchronised picture also differs.',
  },
  {
    name: 'SSIM, MS-SSIM',
    meaning:
      'Structural similarity of BT.601 luma, 1 for equal pictures: Gaussian window of 11×11, σ 1.5 (Wang et al. 2004), and ' +
      'the same over five scales with the published weights (Wang et al. 2003).',
    caution:
      'Blind to colour. Smooth regions count as much as eyes and lips, so a wrong mouth costs little. MS-SSIM needs sides of ' +
      '176 pixels; smaller faces have none.',
  },
  {
    name: 'Flicker',
    meaning:
      'Mean absolute second difference in time, |previous − 2 · frame + next|, of 255 levels, in the box of the face and ' +
      'outside of it. The ratio is against the other variant: above 1, it flickers more.',
    caution:
      'A mouth that moves faster also counts, and a blurred one counts less: read it with the amplitude of the mouth. ' +
      'Outside of the face both are near zero, and their ratio says little.',
  },
  {
    name: 'Mouth: correlation, lag, amplitude',
    meaning:
      'The opening between the inner lips that the attention mesh finds in the frames, against that of the motion which drives ' +
      'them: Pearson’s correlation, the shift in frames with the best correlation (above 0, the picture comes later), and ' +
      'the standard deviation found over the driving one.',
    caution:
      'It is about following the motion, not about the motion fitting the speech. The attention mesh, which looks at the lips a ' +
      'second time, fails on mouths it has not seen; clips of a second or two have too few openings for a firm number.',
  },
  {
    name: 'Landmark distance',
    meaning:
      'Mean distance of 468 landmarks between the two variants’ frames, in units of the distance of the outer eye corners.',
    caution:
      'The landmarker’s own jitter is in it, some 0.5 %. All variants share the warp that moves the face, so this sees ' +
      'gross failures only.',
  },
  {
    name: 'Identity',
    meaning:
      'Cosine of face embeddings of the portrait and of sample frames (faceres), 1 for the same picture; only where that ' +
      `optional network is installed: ${INSTALL_EMBEDDING}.`,
    caution:
      'Trained on photographs: blur and open mouths lower it without the person having changed. Different people still have ' +
      '0.4 to 0.6 (the sample portraits among each other): below that it is about someone else.',
  },
];
