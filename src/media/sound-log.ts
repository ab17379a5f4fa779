/** What ffmpeg says on stderr about a file whose sound it decodes. */
import { CONFINED_ADVICE, isConfined, parseComplaint } from './ffmpeg-command.ts';
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
  /** Whether the decoder's format has changed just before: the filters were configured again. */
  readonly begins: boolean;
  /** Whether it is the first of its file, or of a recording that was joined to others. */
  readonly beginsFile: boolean;
  /** The frame of the codec that it was made of. */
  readonly source: CodedFrame | undefined;
}

/** A frame as it comes out of the codec. */
interface CodedFrame {
  /** ffmpeg's name. */
  readonly codec: string;
  /** Hz. */
  readonly rate: number;
  readonly samples: number;
}

/** Demuxers whose time stamps are those of the file; what others give is counted or estimated from a bit rate. */
const WITH_TIMES = /^(mov,|matroska|mpegts|mpeg$|flv|live_flv|asf|avi|nut|mxf|rm$|wtv|hls|dash)/;

/** Reads the lines of one run. */
export class SoundLog {
  /** Which of the file's sound tracks is decoded, from 0. */
  readonly track: number;
  hasInput = false;
  /** Sound tracks in the file's order. */
  readonly tracks: SoundTrackInfo[] = [];
  /** Whether the file's time stamps tell when a sample is heard. */
  hasTimes = false;
  complaint = '';
  /** Frames that were listed and not yet taken. */
  readonly frames: FrameLine[] = [];
  /** Whether the file says what comes before its sound: ffmpeg leaves it out then. */
  statesRunIn = false;
  #source: CodedFrame | undefined;
  #duration = Number.NaN;
  /** Seconds of the recordings before, see {@link SoundLog.nextPart}. */
  #before = 0;
  #isEstimate = false;
  #otherStreams = 0;
  #hasFrames = false;
  #listsInput = true;

  constructor(track: number) {
    this.track = track;
  }

  /** Seconds that the file states for its sound; NaN where it states none, or estimates, or means its picture. */
  get duration(): number {
    return this.#isEstimate || this.#otherStreams > 0 || this.tracks.length > 1
      ? Number.NaN
      : this.#before + this.#duration;
  }

  /** The complaint as what was got. */
  get refusal(): string | undefined {
    if (!this.complaint) return undefined;
    const advice = isConfined(this.complaint) ? `. ${CONFINED_ADVICE}` : '';
    return `a file that it refuses (${this.complaint})${advice}`;
  }

  /** The next of several recordings in one file is read: all lengths add up, the rest is its own. */
  nextPart(): void {
    this.#before += this.#isEstimate ? Number.NaN : this.#duration;
    this.#duration = Number.NaN;
    this.#isEstimate = false;
    this.#listsInput = true;
    this.#source = undefined;
    this.#hasFrames = false;
    this.tracks.length = 0;
    this.statesRunIn = false;
  }

  add(line: string): void {
    const frame =
      /ashowinfo_(\d+) @.*\] n: *(\d+) pts: *(-?\d+|NOPTS) .*rate: *(\d+) nb_samples: *(\d+)/.exec(line);
    if (frame) {
      const [, filter, number, pts, rate, samples] = frame;
      // The first filter lists what goes in, the last what comes out.
      if (filter === '0') {
        const codec = this.tracks[this.track]?.description.split(/[ ,]/, 1)[0] ?? '';
        this.#source = { codec, rate: Number(rate), samples: Number(samples) };
      } else {
        const start = Number(pts);
        const begins = number === '0';
        const line = {
          start,
          samples: Number(samples),
          begins,
          beginsFile: !this.#hasFrames,
          source: this.#source,
        };
        this.#hasFrames = true;
        this.frames.push(line);
      }
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
    if (/\[info\] +Duration: .*, start: 0\.0*[1-9]/.test(line)) this.statesRunIn = true;
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
