/** The frame that the program's pages share: one file that needs nothing else, light or dark as the reader's system is. */
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
}

/** A page as HTML. */
export function renderPage({ title, style, body, script }: PageContent): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${BASE_STYLE}${style}</style>
</head>
<body>
<main>
${body}
</main>
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`;
}
