/** The faces of the portrait: boxes over it, of which one is chosen by a click or by the keyboard. */
import { $, announce, make } from './dom.js';

/** Why a face cannot be taken, in the page's words. */
const WHY = {
  'too-small': 'too small',
  'turned-away': 'turned away too far',
};

/** Hides the boxes. */
export function hideFaces() {
  $('faces').replaceChildren();
  $('faces').hidden = true;
  $('faces-help').hidden = true;
}

/** Resolves when the picture has its size, or cannot be shown: an answer of the server may be here before it. */
export async function pictureIsThere() {
  const picture = $('portrait-shown');
  if (picture.hidden || picture.complete) return;
  await new Promise((resolve) => {
    for (const end of ['load', 'error']) picture.addEventListener(end, resolve, { once: true });
  });
}

/**
 * Draws the boxes.
 *
 * @param faces - as a plan lists them, in pixels of the picture.
 * @param chosen - the option `face` as it stands: a number, a place in the picture, or nothing.
 * @param onChoose - called with the number of a face.
 */
export function showFaces(faces, chosen, onChoose) {
  const focused = document.activeElement?.dataset?.face;
  hideFaces();
  const picture = $('portrait-shown');
  const { naturalWidth, naturalHeight } = picture;
  if (picture.hidden || naturalWidth === 0 || faces.length === 0) return;
  const percent = (pixels, whole) => `${((pixels / whole) * 100).toFixed(2)}%`;
  const taken = takenFace(faces, chosen);
  const boxes = faces.map((face) => {
    const { number, box, problem } = face;
    const isTaken = face === taken;
    const why = problem && (WHY[problem] ?? 'cannot be animated');
    const element =
      faces.length === 1
        ? make('div', { className: isTaken ? 'face taken' : 'face' })
        : make(
            'button',
            {
              ...{ type: 'button', className: 'face', disabled: why !== undefined, title: why ?? `Animate face ${number}` },
              'data-face': String(number),
              'aria-pressed': String(isTaken),
              'aria-label': `Face ${number} of ${faces.length}${why ? `, ${why}` : ''}`,
            },
            make('span', { 'aria-hidden': 'true' }, String(number)),
          );
    const { style } = element;
    style.left = percent(box.x, naturalWidth);
    style.top = percent(box.y, naturalHeight);
    style.width = percent(box.width, naturalWidth);
    style.height = percent(box.height, naturalHeight);
    if (faces.length > 1) {
      element.addEventListener('click', () => {
        for (const each of $('faces').children) each.setAttribute('aria-pressed', String(each === element));
        announce(`Face ${number} selected`);
        onChoose(number);
      });
    }
    return element;
  });
  $('faces').replaceChildren(...boxes);
  $('faces').hidden = false;
  if (faces.length > 1) {
    $('faces-help').textContent = `${faces.length} faces found; face ${taken?.number ?? '?'} will speak. Click on another one to select it.`;
    $('faces-help').hidden = false;
  }
  // The keyboard’s focus stays where it was.
  if (focused !== undefined) $('faces').querySelector(`[data-face="${focused}"]`)?.focus();
}

/** The face that is animated: the one that was chosen, or the largest that can be. */
function takenFace(faces, chosen) {
  const text = String(chosen ?? '').trim();
  if (/^\d+$/.test(text)) return faces.find(({ number }) => number === Number(text));
  const place = /^([\d.]+)\s*,\s*([\d.]+)$/.exec(text);
  if (place) {
    const [x, y] = [Number(place[1]), Number(place[2])];
    return faces.find(({ box }) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height);
  }
  const [largest] = faces.filter(({ problem }) => problem === undefined).sort((a, b) => b.size - a.size);
  return largest;
}
