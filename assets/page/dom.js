/** Elements without markup in strings: nothing that a file is called becomes HTML. */

export const $ = (id) => document.getElementById(id);

/** An element with properties, `data-` and `aria-` attributes, and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (/^(aria|data)-|^(for|role)$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Shows a text in an element that is hidden while there is none. */
export function show(element, text) {
  element.textContent = text ?? '';
  element.hidden = !text;
}

/** Tells people who do not see the page. */
export function announce(text) {
  $('status').textContent = text;
}

/** `about 2 min` */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Says that the server cannot be reached, or no more. */
export function showAway(isAway) {
  show($('away'), isAway ? 'The server is not responding. This page keeps trying; running clips continue when it is back.' : undefined);
}
