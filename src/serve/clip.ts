/** A clip that was ordered. */
import type { RecordedClip } from '../jobs/job-folder.ts';
import type { RenderingProgress } from '../pipeline/progress-event.ts';
import { type ClipFormat, DEFAULT_FORMAT } from './clip-format.ts';
import { Order, type OrderView } from './order.ts';

/** A video that is there. */
interface ClipResult extends RecordedClip {
  readonly bytes: number;
  readonly sha256: string;
}

/** A clip as clients see it. */
interface ClipView extends OrderView<ClipResult, RenderingProgress> {
  readonly format: ClipFormat;
  /** Frames that came from checkpoints of an earlier start of the server. */
  readonly resumedFrames?: number;
}

/** A clip with all that need not be remembered. */
export class Clip extends Order<ClipResult, RenderingProgress> {
  readonly kind = 'clip';
  resumedFrames = 0;
  attempts = 0;

  get format(): ClipFormat {
    return this.record.request.format ?? DEFAULT_FORMAT;
  }

  protected override links(): Readonly<Record<string, string>> {
    const self = `/v1/clips/${this.id}`;
    return {
      self,
      events: `${self}/events`,
      preview: `${self}/preview.jpg`,
      ...(this.state === 'succeeded'
        ? { video: `${self}/video` }
        : !this.hasEnded && { live: `${self}/live` }),
    };
  }

  override view(): ClipView {
    const { resumedFrames, format } = this;
    return { ...super.view(), format, ...(resumedFrames > 0 && { resumedFrames }) };
  }
}
