/** Kinds of files that are given as pictures and are none that can be read: by their first bytes, whatever their names end in. */

/** Brands of HEIF files that hold HEVC, for which there is no free decoder. */
const HEIC_BRANDS = /^(heic|heix|heim|heis|hevc|hevx)$/;

const SIGNATURES: readonly (readonly [name: string, at: number, bytes: string])[] = [
  ['BMP', 0, 'BM'],
  ['a Photoshop file', 0, '8BPS'],
  ['JPEG XL', 0, '\xff\x0a'],
  ['JPEG XL', 4, 'JXL \r\n\x87\n'],
  ['JPEG 2000', 4, 'jP  \r\n\x87\n'],
  ['an icon', 0, '\0\0\x01\0'],
  ['a PDF', 0, '%PDF-'],
  ['a PBM, PGM or PPM picture', 0, 'P4\n'],
  ['a PBM, PGM or PPM picture', 0, 'P5\n'],
  ['a PBM, PGM or PPM picture', 0, 'P6\n'],
  ['a Canon raw photo', 8, 'CR\x02'],
  ['a Fujifilm raw photo', 0, 'FUJIFILM'],
  ['OpenEXR', 0, 'v/1\x01'],
  ['Radiance HDR', 0, '#?RADIANCE'],
  ['DirectDraw', 0, 'DDS '],
  ['a GIMP file', 0, 'gimp xcf'],
  ['a Matroska or WebM video', 0, '\x1aE\xdf\xa3'],
  ['an AVI video', 8, 'AVI '],
  ['a WAV recording', 8, 'WAVE'],
  ['an MP3 recording', 0, 'ID3'],
  ['an Ogg recording', 0, 'OggS'],
  ['a FLAC recording', 0, 'fLaC'],
  ['a ZIP archive', 0, 'PK\x03\x04'],
];

/**
 * What a file is that no picture decoder reads; undefined for pictures and for what is not known.
 *
 * @returns words that follow "got".
 */
export function nameFileKind(bytes: Buffer): string | undefined {
  const text = (from: number, length: number) => bytes.toString('latin1', from, from + length);
  if (text(4, 4) === 'ftyp' && bytes.length >= 12) {
    const end = Math.min(bytes.readUInt32BE(0), 128, bytes.length);
    const brands = text(8, Math.max(0, end - 8)).match(/.{4}/gs) ?? [];
    if (brands.some((brand) => HEIC_BRANDS.test(brand))) return 'HEIC';
    if (brands[0] === 'crx ') return 'a Canon raw photo';
    return brands.some((brand) => /^(avif|avis|mif1|msf1)$/.test(brand))
      ? undefined
      : 'an MP4 or QuickTime video';
  }
  const head = text(0, 512).trimStart().toLowerCase();
  if (head.startsWith('<!doctype html') || head.startsWith('<html'))
    return 'a web page, not the picture on it';
  return SIGNATURES.find(([, at, signature]) => text(at, signature.length) === signature)?.[0];
}
