/** What kind of file begins with these bytes. Names and types that clients state are not looked at. */

/** How a file is used. `media` is sound or film, which only a demuxer can tell apart. */
type ContentKind = 'picture' | 'media' | 'motion' | 'weights';

/** A kind of file. */
export interface SniffedContent {
  readonly kind: ContentKind;
  /** With the dot; for the name on the disk. */
  readonly extension: string;
}

/** Bytes that {@link sniffContent} looks at. */
export const SNIFF_BYTES = 512;

type Pattern = readonly [offset: number, bytes: string];

const text = (offset: number, ascii: string): Pattern => [offset, ascii];

const KINDS: readonly (readonly [kind: ContentKind, extension: string, ...patterns: Pattern[]])[] = [
  ['picture', '.jpg', [0, '\xff\xd8\xff']],
  ['picture', '.png', [0, '\x89PNG\r\n\x1a\n']],
  ['picture', '.webp', text(0, 'RIFF'), text(8, 'WEBP')],
  ['picture', '.gif', text(0, 'GIF87a')],
  ['picture', '.gif', text(0, 'GIF89a')],
  ['picture', '.tif', [0, 'II*\0']],
  ['picture', '.tif', [0, 'MM\0*']],
  ['media', '.wav', text(0, 'RIFF'), text(8, 'WAVE')],
  ['media', '.wav', text(0, 'RF64'), text(8, 'WAVE')],
  ['media', '.avi', text(0, 'RIFF'), text(8, 'AVI ')],
  ['media', '.flac', text(0, 'fLaC')],
  ['media', '.ogg', text(0, 'OggS')],
  ['media', '.mp3', text(0, 'ID3')],
  ['media', '.mkv', [0, '\x1aE\xdf\xa3']],
  ['media', '.aiff', text(0, 'FORM'), text(8, 'AIFF')],
  ['media', '.aiff', text(0, 'FORM'), text(8, 'AIFC')],
  ['media', '.caf', text(0, 'caff')],
  ['media', '.amr', text(0, '#!AMR')],
  ['media', '.au', text(0, '.snd')],
  ['media', '.flv', text(0, 'FLV\x01')],
  ['media', '.wma', [0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11']],
  ['media', '.ts', [0, 'G'], [188, 'G']],
  ['motion', '.motion', text(0, 'LCPMOTN\n')],
  // The length of a header that is shorter than 16 MB, and the beginning of its JSON.
  ['weights', '.safetensors', [3, '\0\0\0\0\0{"']],
];

/** Brands of ISO media files that are pictures; all other brands are films or sound. Source: ISO/IEC 23008-12, AV1 Image File Format. */
const PICTURE_BRANDS = new Set([
  'avif',
  'avis',
  'mif1',
  'msf1',
  'heic',
  'heix',
  'heim',
  'heis',
  'hevc',
  'hevx',
]);

/**
 * @param head - at least the first {@link SNIFF_BYTES} bytes, or the whole of a shorter file.
 * @returns undefined for all that is not taken, such as SVG, playlists and archives.
 */
export function sniffContent(head: Uint8Array): SniffedContent | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, SNIFF_BYTES)).toString(
    'latin1',
  );
  const found = KINDS.find(([, , ...patterns]) =>
    patterns.every(([offset, pattern]) => bytes.startsWith(pattern, offset)),
  );
  if (found !== undefined) return { kind: found[0], extension: found[1] };
  if (bytes.startsWith('ftyp', 4)) {
    return PICTURE_BRANDS.has(bytes.slice(8, 12))
      ? { kind: 'picture', extension: '.avif' }
      : { kind: 'media', extension: '.mp4' };
  }
  if (isMpegAudio(head)) return { kind: 'media', extension: '.mp3' };
  return undefined;
}

/** A frame of MPEG audio or AAC without a tag before it. Source: ISO/IEC 11172-3, 2.4.1.3; ISO/IEC 13818-7, 6.2. */
function isMpegAudio([first = 0, second = 0, third = 0]: Uint8Array): boolean {
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return false;
  const layer = (second >> 1) & 3;
  if ((second & 0xf6) === 0xf0) return true; // ADTS
  const version = (second >> 3) & 3;
  return layer !== 0 && version !== 1 && third >> 4 !== 15 && ((third >> 2) & 3) !== 3;
}
