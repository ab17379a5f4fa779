/** The page's looks, light and dark, and the script that plays its videos together. */

/** Style sheet, after that of all pages. */
export const STYLE = `
:root {
  --prepare: #a9a6b8; --load: #c9c3b4; --reference: #7c6fb0; --pose: #4f8fba; --denoise: #d9703c; --decode: #5aa469; --encode: #c9a227; --on-bar: #16161a; }
@media (prefers-color-scheme: dark) { :root {
  --prepare: #7d7a90; --load: #8f8a7c; --reference: #9488cc; --pose: #6fb0dc; --denoise: #e88a58; --decode: #78c088; --encode: #e0bd4a; --on-bar: #101012; } }
.note { border-left: 3px solid var(--accent); padding: .1rem 0 .1rem .8rem; margin: .6rem 0; }
.scroll { overflow-x: auto; }
.bars { display: grid; gap: .15rem; } .bar-name { font-size: .85rem; margin-top: .5rem; overflow-wrap: anywhere; }
.bar-line { display: grid; grid-template-columns: 1fr 4.5rem; gap: .5rem; align-items: center; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; } thead th { color: var(--faint); font-weight: 500; } tbody th { font-weight: 600; }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  main { padding: 1.5rem .9rem 3rem; } .card { padding: .8rem; }
  .figures, .figures tbody { display: block; } .figures thead { display: none; }
  .figures tr { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.2rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .figures th { grid-column: 1 / -1; border: 0; padding: .1rem 0; overflow-wrap: anywhere; white-space: normal; }
  .figures th[data-label]:not([data-label=""])::after { content: " " attr(data-label); font-weight: 400; color: var(--faint); }
  .figures td { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .4rem; border: 0; padding: .05rem 0; }
  .figures td::before { content: attr(data-label); color: var(--faint); white-space: normal; text-align: left; }
  svg text { font-size: 18px !important; } svg text[transform] { font-size: 14px !important; } .frames .row { grid-template-columns: 2.6rem repeat(3, 1fr); } }
tbody tr:last-child > * { border-bottom: 0; } td small, th small { color: var(--faint); font-weight: 400; }
svg { width: 100%; height: auto; display: block; } svg text { font: 12px system-ui, sans-serif; fill: var(--text); } 
svg .faint { fill: var(--faint); } svg .grid { stroke: var(--line); } svg .sweep { fill: none; stroke: var(--accent); stroke-width: 2; }
svg.bar { height: 1.5rem; } svg.bar text { font-size: .8rem !important; fill: var(--on-bar); text-anchor: middle; dominant-baseline: central; }
svg .swept { fill: var(--accent); } svg .point { fill: var(--pose); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .85rem; color: var(--faint); } .legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
${['prepare', 'load', 'reference', 'pose', 'denoise', 'decode', 'encode'].map((stage) => `.stage-${stage} { fill: var(--${stage}); background: var(--${stage}); }`).join('\n')}
.videos { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; } figure { margin: 0; } figcaption { font-size: .88rem; margin-top: .35rem; }
video, img { width: 100%; display: block; border-radius: .4rem; background: #000; } .controls { display: flex; gap: .75rem; align-items: center; margin: .75rem 0; }
button { font: inherit; padding: .35rem .9rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--card); color: inherit; cursor: pointer; } input[type=range] { flex: 1; accent-color: var(--accent); }
.frames { display: grid; gap: .35rem; } .frames .row { display: grid; gap: .35rem; grid-template-columns: 4.5rem repeat(3, 1fr); align-items: center; } .frames .head { font-size: .85rem; color: var(--faint); text-align: center; }
dl dt { font-weight: 600; margin-top: .9rem; } dl dd { margin: .15rem 0 0; } details { margin-top: .75rem; }
`;

/** Plays, pauses and seeks all videos of the page as one; only the first is heard. */
export const SCRIPT = `
(() => {
  const videos = [...document.querySelectorAll('video')];
  const button = document.querySelector('#play'), seek = document.querySelector('#seek');
  if (videos.length === 0 || !button || !seek) return;
  const lead = videos[0];
  const show = () => { button.textContent = lead.paused ? 'Play all' : 'Pause'; };
  videos.slice(1).forEach((video) => { video.muted = true; });
  button.addEventListener('click', () => {
    if (!lead.paused) { videos.forEach((video) => video.pause()); return; }
    const from = lead.ended ? 0 : lead.currentTime;
    videos.forEach((video) => { video.currentTime = from; void video.play(); });
  });
  lead.addEventListener('play', show); lead.addEventListener('pause', show);
  lead.addEventListener('timeupdate', () => {
    if (document.activeElement !== seek || !lead.paused) seek.value = String(lead.currentTime / (lead.duration || 1));
    videos.slice(1).forEach((video) => { if (!lead.paused && Math.abs(video.currentTime - lead.currentTime) > 0.12) video.currentTime = lead.currentTime; });
  });
  seek.addEventListener('input', () => { videos.forEach((video) => { video.currentTime = Number(seek.value) * (lead.duration || 0); }); });
})();
`;
