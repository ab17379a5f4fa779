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

/** A table; cells are markup already. Each says the name of its column, for pages that are too narrow for a header. */
export function tableMarkup(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const labels = header.map((cell) => escapeHtml(cell.replace(/<[^>]*>/g, '')));
  const row = (cells: readonly string[]): string =>
    `<tr>${cells
      .map((cell, i) => {
        const [tag, scope] = i === 0 ? ['th', ' scope="row"'] : ['td', ''];
        return `<${tag}${scope} data-label="${labels[i] ?? ''}">${cell}</${tag}>`;
      })
      .join('')}</tr>`;
  const head = `<tr>${header.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr>`;
  return `<div class="scroll"><table class="figures"><thead>${head}</thead><tbody>${rows.map(row).join('')}</tbody></table></div>`;
}

/** A data URL, which keeps a page in one file. */
export function dataUrl(type: string, bytes: Uint8Array): string {
  return `data:${type};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}`;
}
