/** Text in HTML and SVG. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text that is safe between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A table; cells are markup already. */
export function tableMarkup(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((cell, i) => `<${i === 0 ? 'th' : tag}${i === 0 ? ' scope="row"' : ''}>${cell}</${i === 0 ? 'th' : tag}>`).join('')}</tr>`;
  const head = `<tr>${header.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${head}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('')}</tbody></table></div>`;
}

/** A data URL, which keeps a page in one file. */
export function dataUrl(type: string, bytes: Uint8Array): string {
  return `data:${type};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}`;
}
