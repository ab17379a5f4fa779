/** What a clip is written as. */
import { OUTPUT_FORMATS, type OutputFormat } from '../media/output-formats.ts';

/** Kinds of output that are one file. */
export type ClipFormat = {
  [Name in keyof typeof OUTPUT_FORMATS]: (typeof OUTPUT_FORMATS)[Name]['place'] extends 'file' ? Name : never;
}[keyof typeof OUTPUT_FORMATS];

export const DEFAULT_FORMAT: ClipFormat = 'mp4';

/** Their media types. Source: IANA's list of media types, and Apple's for QuickTime. */
export const MEDIA_TYPES: Readonly<Record<ClipFormat, string>> = {
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
  gif: 'image/gif',
  webp: 'image/webp',
};

/** All of them, in the order of the table of outputs. */
export const CLIP_FORMATS = Object.keys(OUTPUT_FORMATS).filter(
  (name): name is ClipFormat => name in MEDIA_TYPES,
);

export function isClipFormat(text: unknown): text is ClipFormat {
  return (CLIP_FORMATS as readonly unknown[]).includes(text);
}

/** What the table of outputs says of one. */
export function outputOf(format: ClipFormat): OutputFormat {
  return OUTPUT_FORMATS[format];
}
