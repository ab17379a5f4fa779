/** The looks that the program's pages share. */

/** Colours by their use, and text, tables and links in them. */
export const BASE_STYLE = `
:root { color-scheme: light dark;
  --back: #fbfaf8; --card: #fff; --text: #1d1d1f; --faint: #6b6b70; --line: #dedcd7; --accent: #b4451f;
  --good: #2f7d4f; --bad: #b3352b; --warning: #8f590c; }
@media (prefers-color-scheme: dark) { :root {
  --back: #151517; --card: #1f1f23; --text: #ececee; --faint: #9a9aa2; --line: #36363c; --accent: #ef8354;
  --good: #6cc08b; --bad: #ef7a70; --warning: #e3b05c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); overflow-wrap: break-word; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.55rem; line-height: 1.35; font-weight: 650; margin: 0 0 .5rem; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem; }
p { margin: .5rem 0; } .faint, p.faint { color: var(--faint); } a { color: var(--accent); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
`;
