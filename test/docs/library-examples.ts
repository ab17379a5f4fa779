/** The examples of README.md and docs/library.md, for the compiler; the test next to this file holds them equal. */
import { animate, FaceError, InvalidOptionsError, planAnimation, runBatch } from '../../src/index.ts';

export async function readme(): Promise<void> {
  const result = await animate({
    portrait: 'face.jpg',
    audio: 'speech.wav',
    output: 'talk.mp4',
    signal: AbortSignal.timeout(600_000),
    onProgress: (event) => {
      if (event.type === 'frames') console.log(`${event.framesDone}/${event.framesTotal}`);
    },
  });
  console.log(result.frames, result.times.denoise);
}

export async function rendering(): Promise<void> {
  const controller = new AbortController();
  const result = await animate({
    portrait: 'face.jpg',
    audio: 'speech.wav',
    output: 'talk.mp4',
    signal: controller.signal,
    onProgress: (event) => {
      if (event.type === 'frames') console.log(`${event.framesDone}/${event.framesTotal}`);
    },
  });
  console.log(result.frames, result.times.denoise);
}

export async function planning(): Promise<void> {
  const plan = await planAnimation({ portrait: 'face.jpg', audio: 'speech.wav', output: 'talk.mp4' });
  console.log(plan.frames, plan.estimatedSeconds, plan.estimatedMemoryBytes, plan.faces, plan.notices);
}

export async function batches(): Promise<void> {
  const batch = runBatch('jobs.yaml', { failFast: true });
  for await (const event of batch) {
    if (event.type === 'progress') console.log(event.job, event.batchFraction, event.batchRemaining);
    if (event.type === 'job' && event.job.state === 'failed') console.log(event.job.name, event.job.failures);
  }
  const { counts, jobs } = await batch.report;
  console.log(counts.done, counts.failed, jobs.length);
}

export async function errors(): Promise<void> {
  try {
    await animate({ portrait: 'face.jpg', audio: 'speech.wav', output: 'talk.mp4', steps: 4 });
  } catch (error) {
    if (error instanceof InvalidOptionsError) {
      for (const { option, value } of error.errors) console.log(option, value);
    } else if (error instanceof FaceError) console.log(error.problem, error.path);
    else throw error;
  }
}
