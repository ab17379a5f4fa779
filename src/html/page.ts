/** The frame that the program's pages share: light or dark as the reader's system is, complete in one file, or with its parts in files next to it. */
import { escapeHtml } from './markup.ts';
import { BASE_STYLE } from './style.ts';

/** What a page is made of; all but the title is markup already. */
interface PageContent {
  /** Text. */
  readonly title: string;
  /** Rules of this page, after those of all pages. */
  readonly style: string;
  /** What `main` holds. */
  readonly body: string;
  readonly script?: string;
  /** Files that `style` and `script` are in, relative to the page. @defaultValue they are in the page */
  readonly files?: { readonly style: string; readonly script: string } | undefined;
}

/** The whole style of a page. */
export function pageStyle(own: string): string {
  return `${BASE_STYLE}${own}`;
}

/** A page as HTML. */
export function renderPage({ title, style, body, script, files }: PageContent): string {
  const looks =
    files === undefined
      ? `<style>${pageStyle(style)}</style>`
      : `<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n<link rel="stylesheet" href="${escapeHtml(files.style)}">`;
  const acts =
    files === undefined
      ? `<script>${script}</script>`
      : `<script src="${escapeHtml(files.script)}"></script>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
${looks}
</head>
<body>
<main>
${body}
</main>
${script === undefined ? '' : `${acts}\n`}</body>
</html>
`;
}
