/** The main job: a portrait and a speech recording become a talking video. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import PQueue from 'p-queue';
import { FaceFinder } from '../face/face-finder.ts';
import { choosePortraitFace } from '../face/portrait-face.ts';
import { loadImage } from '../image/load-image.ts';
import { resizeImage } from '../image/resize.ts';
import type { RgbImage } from '../image/rgb-image.ts';
import { type FfmpegInfo, locateFfmpeg } from '../media/ffmpeg-path.ts';
import { prepareOutput } from '../media/prepare-output.ts';
import { type AudioClip, readAudio } from '../media/read-audio.ts';
import { frameCount, VideoWriter } from '../media/video-writer.ts';
import { type Bundle, type BundlePreset, openBundle } from '../models/bundle.ts';
import { loadExpressionBasis } from '../motion/expression-basis.ts';
import { parseMotionConfig } from '../motion/motion-config.ts';
import { Engine } from '../runtime/engine.ts';
import { createScheduler } from '../schedulers/create-scheduler.ts';
import { createNoiseSchedule } from '../schedulers/noise-schedule.ts';
import type { Scheduler } from '../schedulers/scheduler.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type {
  AnimateOptions,
  AnimateResult,
  AnimationPlan,
  ProgressEvent,
  SamplerName,
} from './animate-options.ts';
import { ClipMotion } from './clip-motion.ts';
import { ClipNetworks, DECODE_FRAMES } from './clip-networks.ts';
import { FrameComposer } from './compose-frame.ts';
import { type ContextWindow, planContextWindows } from './context-windows.ts';
import { type DenoisedFrame, denoiseClip } from './denoise-clip.ts';
import { estimateJob } from './estimate-job.ts';
import { GraphThread } from './graph-thread.ts';
import { AnimatedPortrait, type FrameConditions } from './portrait.ts';
import { RenderProgress } from './render-progress.ts';
import { type ResolvedOptions, resolveOptions } from './resolve-options.ts';
import { Stopwatch } from './stopwatch.ts';

/** Larger pictures are made smaller first: players and encoders are made for up to Full HD. */
const MAX_VIDEO_SIDE = 1920;
/** Decoded batches that may wait for the encoder before denoising pauses. */
const MAX_WAITING_BATCHES = 2;

/** Sampler settings after the preset and the caller's choices. */
interface Sampling {
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidance: number;
  readonly loras: BundlePreset['loras'];
  readonly scheduler: Scheduler;
}

/** All that is known before anything is rendered. */
interface Job {
  readonly options: ResolvedOptions;
  readonly output: string;
  readonly ffmpeg: FfmpegInfo;
  readonly bundle: Bundle;
  readonly sampling: Sampling;
  readonly audio: AudioClip;
  readonly image: RgbImage;
  readonly fps: number;
  readonly frames: number;
  readonly windows: readonly ContextWindow[];
}

function chooseSampling(bundle: Bundle, options: ResolvedOptions): Sampling {
  const { presets, schedule } = bundle.description;
  const preset = presets[options.preset];
  const sampler = options.sampler ?? preset.sampler;
  const steps = options.steps ?? preset.steps;
  const guidance = options.guidance ?? preset.guidance;
  const scheduler = createScheduler({
    sampler,
    numInferenceSteps: steps,
    noiseSchedule: createNoiseSchedule(schedule),
    predictionType: schedule.predictionType,
    timestepSpacing: schedule.timestepSpacing,
  });
  return { sampler, steps, guidance, loras: preset.loras, scheduler };
}

/** Makes a picture fit for video: at most Full HD, and not one pixel wide. */
function fitForVideo(image: RgbImage, notice: (message: string) => void): RgbImage {
  const longest = Math.max(image.width, image.height);
  if (longest <= MAX_VIDEO_SIDE) return image;
  const scale = MAX_VIDEO_SIDE / longest;
  const width = Math.max(2, Math.round(image.width * scale));
  const height = Math.max(2, Math.round(image.height * scale));
  notice(`the portrait has ${image.width}×${image.height} pixels: the video will have ${width}×${height}`);
  return resizeImage(image, width, height, 'area');
}

/** Opens and checks every input; nothing heavy happens before all of this is right. */
async function openJob(options: AnimateOptions, notice: (message: string) => void): Promise<Job> {
  const resolved = resolveOptions(options);
  const { portrait, audio, signal } = resolved;
  const output = await prepareOutput(resolved.output, {
    force: resolved.overwrite,
    inputs: [portrait, audio],
  });
  const bundle = await openBundle(resolved.bundle);
  const sampling = chooseSampling(bundle, resolved);
  const env = { ...process.env, ...(resolved.ffmpegPath ? { FFMPEG_PATH: resolved.ffmpegPath } : {}) };
  const ffmpeg = await locateFfmpeg({ env });
  signal?.throwIfAborted();
  const image = fitForVideo(await loadImage(portrait, { onNotice: notice }), notice);
  const clip = await readAudio(audio, { ffmpeg, signal, onNotice: notice });
  const fps = resolved.fps ?? bundle.description.fps;
  const frames = frameCount(clip.duration, fps);
  const { contextFrames, contextOverlap } = bundle.description;
  const windows = planContextWindows(frames, { contextFrames, contextOverlap });
  return { options: resolved, output, ffmpeg, bundle, sampling, audio: clip, image, fps, frames, windows };
}

/** Finds the face and prepares its warps. */
async function openPortrait(
  job: Job,
  engine: Engine,
  notice: (message: string) => void,
): Promise<AnimatedPortrait> {
  const { image, options, bundle } = job;
  const finder = await FaceFinder.open((name, graph) => engine.load(name, graph));
  try {
    const faces = await finder.find(image);
    const face = choosePortraitFace(image, faces, { path: options.portrait, onNotice: notice });
    return new AnimatedPortrait({
      image,
      face,
      resolution: bundle.description.resolution,
      framing: options.framing,
    });
  } finally {
    await finder.dispose();
  }
}

/** Evaluations of the denoiser, guidance halves counted singly. */
function countEvaluations({ windows, sampling }: Job): number {
  return windows.length * sampling.scheduler.timesteps.length * (sampling.guidance > 1 ? 2 : 1);
}

/**
 * Renders the conditions of each window when it is first needed, and forgets them when they are not needed any more.
 */
class WindowConditions {
  readonly #portrait: AnimatedPortrait;
  readonly #motion: ClipMotion;
  readonly #networks: ClipNetworks;
  readonly #watch: Stopwatch;
  readonly #frames = new Map<number, FrameConditions>();
  readonly #poses = new Map<number, Promise<Record<string, Tensor>>>();

  constructor(portrait: AnimatedPortrait, motion: ClipMotion, networks: ClipNetworks, watch: Stopwatch) {
    this.#portrait = portrait;
    this.#motion = motion;
    this.#networks = networks;
    this.#watch = watch;
  }

  async #frame(frame: number): Promise<FrameConditions> {
    let conditions = this.#frames.get(frame);
    if (conditions === undefined) {
      conditions = this.#portrait.renderConditions(await this.#motion.at(frame));
      this.#frames.set(frame, conditions);
      // Drawing takes milliseconds: between frames, timers and signals get their turn.
      await nextTurn();
    }
    return conditions;
  }

  async #makePose({ frames }: ContextWindow): Promise<Record<string, Tensor>> {
    return this.#watch.time('pose', async () => {
      const conditions: Float32Array[] = [];
      for (const frame of frames) conditions.push((await this.#frame(frame)).conditions);
      return this.#networks.poseFeatures(conditions);
    });
  }

  /** Pose features of window `index`. */
  pose(index: number, window: ContextWindow): Promise<Record<string, Tensor>> {
    let pose = this.#poses.get(index);
    if (pose === undefined) {
      pose = this.#makePose(window);
      this.#poses.set(index, pose);
    }
    return pose;
  }

  /** To be called when a window has taken its last step. */
  forgetPose(index: number): void {
    this.#poses.delete(index);
  }

  /** The warped portrait of a finished frame; the frame is forgotten. */
  async takeBase(frame: number): Promise<Float32Array> {
    const { base } = await this.#frame(frame);
    this.#frames.delete(frame);
    return base;
  }
}

/** Everything between noise and the encoder's input. */
async function render(
  job: Job,
  portrait: AnimatedPortrait,
  motion: ClipMotion,
  networks: ClipNetworks,
  composer: FrameComposer,
  writer: VideoWriter,
  progress: RenderProgress,
  watch: Stopwatch,
): Promise<void> {
  const { options, bundle, sampling, windows } = job;
  const { signal } = options;
  const conditions = new WindowConditions(portrait, motion, networks, watch);
  const evaluate =
    (half: 'conditional' | 'unconditional') => async (latents: Tensor, timestep: number, index: number) => {
      const pose = await conditions.pose(index, windows[index]!);
      const output = await watch.time('denoise', () => networks.denoise(half, latents, timestep, pose));
      await nextTurn();
      return output;
    };

  const finish = async (batch: readonly DenoisedFrame[]): Promise<void> => {
    signal?.throwIfAborted();
    const bases: Float32Array[] = [];
    for (const { frame } of batch) bases.push(await conditions.takeBase(frame));
    const latents = batch.map((item) => item.latents);
    const differences = await watch.time('decode', () => networks.decode(latents, bases));
    for (const [i, { frame }] of batch.entries()) {
      signal?.throwIfAborted();
      const base = await watch.time('decode', async () => portrait.renderBase(await motion.at(frame)));
      await nextTurn();
      const picture = await watch.time('decode', async () => composer.compose(base, differences[i]!));
      await watch.time('encode', () => writer.write(picture));
      progress.frameDone();
      await nextTurn();
    }
  };

  // One batch after another, while the denoiser goes on; a failure there stops the denoiser here.
  const queue = new PQueue({ concurrency: 1 });
  let failure: { readonly error: unknown } | undefined;
  const hand = async (batch: readonly DenoisedFrame[]): Promise<void> => {
    queue
      .add(() => finish(batch))
      .catch((error: unknown) => {
        failure ??= { error };
      });
    await queue.onSizeLessThan(MAX_WAITING_BATCHES);
    if (failure !== undefined) throw failure.error;
  };

  try {
    let batch: DenoisedFrame[] = [];
    const frames = denoiseClip({
      denoiser: { conditional: evaluate('conditional'), unconditional: evaluate('unconditional') },
      scheduler: sampling.scheduler,
      guidanceScale: sampling.guidance,
      windows,
      frameShape: networks.frameShape,
      seed: options.seed,
      sharedFraction: bundle.description.noise.sharedFraction,
      signal,
      onStep: (index, lastOfWindow) => {
        if (lastOfWindow) conditions.forgetPose(index);
        progress.stepDone();
      },
    });
    for await (const frame of frames) {
      batch.push(frame);
      if (batch.length === DECODE_FRAMES) {
        await hand(batch);
        batch = [];
      }
    }
    if (batch.length > 0) await hand(batch);
    await queue.onIdle();
    if (failure !== undefined) throw failure.error;
  } finally {
    queue.clear();
    await queue.onIdle();
  }
}

/**
 * Renders a talking video. Nothing appears under the output's name until it is complete; on any error, and when
 * `signal` aborts, nothing is left behind and all threads and child processes have ended.
 *
 * @throws {@link InvalidOptionsError} that names all options that are wrong.
 * @throws {@link MediaError} if a file cannot be read or written.
 * @throws {@link FaceError} if the portrait has no face that can be animated.
 * @throws {@link ModelError} if the bundle is incomplete or damaged.
 * @throws {@link EnvironmentError} if there is no ffmpeg, or the named device does not work.
 * @throws {@link SubprocessError} if the encoder fails.
 * @throws {@link NumericalError} if the denoiser's output is not finite.
 * @throws `signal.reason` if it aborts.
 * @example
 * const { output, frames } = await animate({ portrait: 'face.jpg', audio: 'speech.wav', output: 'talk.mp4' });
 */
export async function animate(options: AnimateOptions): Promise<AnimateResult> {
  const watch = new Stopwatch();
  const report = (event: ProgressEvent): void => options.onProgress?.(event);
  const notice = (message: string): void => report({ type: 'notice', message });
  options.signal?.throwIfAborted();

  report({ type: 'stage', stage: 'prepare' });
  const prepareBegin = watch.now();
  const job = await openJob(options, notice);
  const { options: resolved, bundle, sampling, frames, fps, windows } = job;
  const { signal, threads, device } = resolved;
  const engines: Engine[] = [];
  let graphs: GraphThread | undefined;
  let writer: VideoWriter | undefined;
  try {
    const denoisingEngine = await Engine.open({ device, threads, onNotice: notice });
    engines.push(denoisingEngine);
    const sideEngine = await Engine.open({ device: denoisingEngine.device, threads });
    engines.push(sideEngine);
    // The face networks and the motion network are small and made for the CPU.
    const cpuEngine =
      sideEngine.device === 'cpu'
        ? sideEngine
        : await Engine.open({ device: 'cpu', threads, onNotice: notice });
    if (cpuEngine !== sideEngine) engines.push(cpuEngine);
    const portrait = await openPortrait(job, cpuEngine, notice);
    watch.add('prepare', watch.now() - prepareBegin);
    signal?.throwIfAborted();

    report({ type: 'stage', stage: 'motion' });
    const motionBegin = watch.now();
    graphs = new GraphThread(bundle);
    const graphOptions = {
      windowFrames: windows[0]!.frames.length,
      decodeFrames: DECODE_FRAMES,
      loras: sampling.loras,
      device: cpuEngine.device,
    };
    const motionWeights = openSafetensors(bundle.pathOf('motion'));
    const motion = new ClipMotion({
      network: await cpuEngine.load('motion', await graphs.build('motion', graphOptions)),
      config: parseMotionConfig(bundle.description.motion, bundle.folder),
      basis: loadExpressionBasis(motionWeights),
      pcm: job.audio.pcm,
      fps,
      frames,
      mesh: portrait.mesh,
      scales: resolved,
      signal,
    });
    motionWeights.dispose();
    await motion.at(0);
    watch.add('motion', watch.now() - motionBegin);

    report({ type: 'stage', stage: 'load' });
    const networks = await watch.time('load', () =>
      ClipNetworks.load({
        bundle,
        graphs: graphs!,
        denoisingEngine,
        sideEngine,
        windowFrames: graphOptions.windowFrames,
        loras: sampling.loras,
        guided: sampling.guidance > 1,
        signal,
      }),
    );
    await graphs.dispose();
    graphs = undefined;
    await watch.time('reference', () => networks.bindReference(portrait.reference));
    signal?.throwIfAborted();

    report({ type: 'stage', stage: 'render' });
    const composer = new FrameComposer(portrait, resolved.framing === 'paste-back');
    const { width, height } = composer;
    writer = await VideoWriter.open({
      ffmpeg: job.ffmpeg,
      outputPath: job.output,
      width,
      height,
      fps,
      frames,
      audioPath: resolved.audio,
      force: resolved.overwrite,
      metadata: {
        comment: `lcm-portrait, ${sampling.sampler} ${sampling.steps} steps, seed ${resolved.seed}`,
      },
      signal,
    });
    const progress = new RenderProgress(frames, windows.length * sampling.scheduler.timesteps.length, report);
    await render(job, portrait, motion, networks, composer, writer, progress, watch);

    report({ type: 'stage', stage: 'finish' });
    await watch.time('encode', () => writer!.finish());
    return {
      output: job.output,
      frames,
      fps,
      duration: frames / fps,
      width,
      height,
      device: denoisingEngine.device,
      bundle: bundle.description.name,
      sampler: sampling.sampler,
      steps: sampling.steps,
      guidance: sampling.guidance,
      seed: resolved.seed,
      denoiserEvaluations: countEvaluations(job),
      times: watch.report(),
    };
  } finally {
    await writer?.dispose();
    await graphs?.dispose();
    await Promise.all(engines.map((engine) => engine.dispose()));
  }
}

/**
 * Checks all inputs as {@link animate} does, face included, and tells what the job will take. Writes nothing.
 *
 * @throws what {@link animate} throws before it renders.
 */
export async function planAnimation(options: AnimateOptions): Promise<AnimationPlan> {
  const notices: string[] = [];
  const notice = (message: string): void => {
    notices.push(message);
    options.onProgress?.({ type: 'notice', message });
  };
  const job = await openJob(options, notice);
  const { options: resolved, bundle, sampling, frames, fps, windows } = job;
  const engine = await Engine.open({ device: resolved.device, threads: resolved.threads, onNotice: notice });
  try {
    const cpuEngine = engine.device === 'cpu' ? engine : await Engine.open({ device: 'cpu' });
    const portrait = await openPortrait(job, cpuEngine, notice).finally(() =>
      cpuEngine === engine ? undefined : cpuEngine.dispose(),
    );
    const composer = new FrameComposer(portrait, resolved.framing === 'paste-back');
    const { width, height } = composer;
    const evaluations = countEvaluations(job);
    const estimate = await estimateJob({
      bundle,
      engine,
      windowFrames: windows[0]!.frames.length,
      evaluations,
      frames,
      pixels: width * height,
      audioSamples: job.audio.pcm.length,
    });
    return {
      frames,
      fps,
      duration: frames / fps,
      windows: windows.length,
      width,
      height,
      device: engine.device,
      bundle: bundle.description.name,
      sampler: sampling.sampler,
      steps: sampling.steps,
      guidance: sampling.guidance,
      denoiserEvaluations: evaluations,
      estimatedSeconds: estimate.seconds,
      estimatedMemoryBytes: estimate.memoryBytes,
      notices,
    };
  } finally {
    await engine.dispose();
  }
}
