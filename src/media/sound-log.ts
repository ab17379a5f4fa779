/** What ffmpeg says on stderr about a file whose sound it decodes. */
import { parseComplaint } from './ffmpeg-command.ts';
import { parseTimestamp } from './probe.ts';

/** A sound track of a file. */
export interface SoundTrackInfo {
  /** ffmpeg's words: codec, sample rate, layout. */
  readonly description: string;
  /** Whether the file names it as the one to be heard. */
  readonly isDefault: boolean;
}

/** Frames of decoded sound as `ashowinfo` lists them, before their samples are written. */
export interface FrameLine {
  /** Samples from time 0 of the file, at the output's rate. */
  readonly start: number;
  /** Samples of each channel. */
  readonly samples: number;
  /** Whether the decoder's format has changed just before: the filters were set up anew. */
  readonly begins: boolean;
}

/** Demuxers whose time stamps are those of the file; what others give is counted or estimated from a bit rate. */
const WITH_TIMES = /^(mov,|matroska|mpegts|mpeg$|flv|live_flv|asf|avi|nut|mxf|rm$|wtv|hls|dash)/;

/** Reads the lines of one run. */
export class SoundLog {
  hasInput = false;
  /** Sound tracks in the file's order. */
  readonly tracks: SoundTrackInfo[] = [];
  /** Whether the file's time stamps tell when a sample is heard. */
  hasTimes = false;
  complaint = '';
  /** Frames that were listed and not yet taken. */
  readonly frames: FrameLine[] = [];
  #duration = Number.NaN;
  #isEstimate = false;
  #otherStreams = 0;
  #listsInput = true;

  /** Seconds that the file states for its sound; NaN where it states none, or estimates, or means its picture. */
  get duration(): number {
    return this.#isEstimate || this.#otherStreams > 0 || this.tracks.length > 1 ? Number.NaN : this.#duration;
  }

  /** The complaint as what was got. */
  get refusal(): string | undefined {
    return this.complaint ? `a file that it refuses (${this.complaint})` : undefined;
  }

  add(line: string): void {
    const frame = /ashowinfo.*\] n: *(\d+) pts: *(-?\d+|NOPTS) .*nb_samples: *(\d+)/.exec(line);
    if (frame) {
      const [, number, pts, samples] = frame;
      this.frames.push({ start: Number(pts), samples: Number(samples), begins: number === '0' });
      return;
    }
    if (this.#listsInput) this.#addToInput(line);
    if (/\] \[warning\] Estimating duration from bitrate/.test(line)) this.#isEstimate = true;
    // The muxer of plain samples has no time stamps to be wrong about.
    if (!/^\[f32le @|\[out#/.test(line)) this.complaint = parseComplaint(line) ?? this.complaint;
  }

  #addToInput(line: string): void {
    const format = /\[info\] Input #0, (.+?), from /.exec(line)?.[1];
    if (format !== undefined) {
      this.hasInput = true;
      this.hasTimes = WITH_TIMES.test(format);
    }
    if (/\[info\] (Stream mapping:|Output #0)/.test(line)) this.#listsInput = false;
    const stated = /\[info\] +Duration: (\S+),/.exec(line)?.[1];
    if (stated !== undefined && Number.isNaN(this.#duration)) this.#duration = parseTimestamp(stated);
    const stream = /\[info\] +Stream #0:\d+.*?: (\w+): (.*)$/.exec(line);
    if (!stream) return;
    const [, kind, rest = ''] = stream;
    if (kind === 'Audio') {
      const description = rest.split(', ').slice(0, 3).join(', ');
      this.tracks.push({ description, isDefault: /\(default\)/.test(rest) });
    } else if (!/\(attached pic\)/.test(rest)) this.#otherStreams++;
  }
}
