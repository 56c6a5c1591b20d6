"""Style and script of the report page, inline so that the page needs nothing else."""

CSS = """
:root { color-scheme: light dark; --ground: #f4f5f7; --card: #fff; --ink: #1c2430;
  --soft: #667080; --line: #dde1e7; --accent: #d9730d; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --card: #1d222a;
  --ink: #e6e9ee; --soft: #98a2b0; --line: #313843; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem; max-width: 1280px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; }
h2 { margin: 0 0 1rem; font-size: 1.15rem; overflow-wrap: anywhere; }
h3 { margin: 1.25rem 0 .5rem; font-size: .8rem; font-weight: 600; color: var(--soft);
  text-transform: uppercase; letter-spacing: .06em; }
p { margin: .25rem 0; color: var(--soft); }
section { margin-top: 1.5rem; padding: 1.25rem 1.5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: .75rem; }
figure { margin: 0; }
figure img { display: block; width: 100%; border-radius: 6px; cursor: zoom-in; }
figcaption { padding-top: .3rem; font-size: .85rem; color: var(--soft); }
figure.fused figcaption { color: var(--accent); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-size: .8rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
svg text { fill: var(--soft); font-size: 11px; }
svg .axis { stroke: var(--line); }
svg .curve { fill: none; stroke-width: 2; }
.chip { display: inline-block; margin: .3rem .3rem 0 0; padding: .1rem .6rem; font-size: .8rem;
  border: 1px solid var(--line); border-radius: 1rem; color: var(--soft); }
dialog { padding: 0; border: 0; background: none; max-width: 98vw; max-height: 98vh; }
dialog::backdrop { background: rgba(0, 0, 0, .85); }
dialog img { max-width: 98vw; max-height: 96vh; min-height: 60vh; cursor: zoom-out; }
"""

# A click on a picture shows it large; the arrow keys then go through the pictures, which all lie
# at the same place, so that differences between sources and fusion show.
SCRIPT = """
const pictures = [...document.querySelectorAll('figure img')];
const dialog = document.querySelector('dialog');
const large = dialog.querySelector('img');
let shown = 0;
const show = i => { shown = (i + pictures.length) % pictures.length;
  large.src = pictures[shown].src; large.alt = pictures[shown].alt; };
pictures.forEach((picture, i) => picture.addEventListener('click', () => {
  show(i); dialog.showModal(); }));
dialog.addEventListener('click', () => dialog.close());
dialog.addEventListener('keydown', event => {
  if (event.key === 'ArrowRight') show(shown + 1);
  if (event.key === 'ArrowLeft') show(shown - 1); });
"""
