/** What a clip is written as, and how a browser shows it. */
import { $, make } from './dom.js';

const NAMES = {
  mp4: 'MP4, plays everywhere',
  mov: 'QuickTime',
  webm: 'WebM',
  gif: 'GIF, without sound',
  webp: 'animated WebP, without sound',
};
const TRANSPARENT = {
  mov: 'QuickTime ProRes 4444',
  webm: 'WebM',
  webp: 'animated WebP, without sound',
};
const SEE_THROUGH = ':transparent';

/**
 * Fills the choice of formats.
 *
 * @param formats - as the server lists them.
 */
export function formatChoice(formats, onChange) {
  const select = $('format');
  const group = (label, names, list, ending) =>
    make('optgroup', { label }, ...list.map(({ name, label: words }) => make('option', { value: `${name}${ending}` }, names[name] ?? words)));
  select.append(
    group('With background', NAMES, formats, ''),
    group('Transparent background', TRANSPARENT, formats.filter(({ transparent }) => transparent), SEE_THROUGH),
  );
  select.addEventListener('change', onChange);
  return {
    /** What is to be said in an order: nothing for the usual one. */
    values: () => {
      const [format, isTransparent] = select.value.split(':');
      return { ...(format !== 'mp4' && { format }), ...(isTransparent && { background: 'transparent' }) };
    },
    fill: ({ format = 'mp4', options }) => {
      select.value = `${format}${options.background === 'transparent' ? SEE_THROUGH : ''}`;
    },
  };
}

/** How a result is shown: `video`, `picture` for what moves as one, or `still` where browsers play nothing. */
export function shownAs(format) {
  if (format === 'gif' || format === 'webp') return 'picture';
  return format === 'mov' ? 'still' : 'video';
}
