"""The style sheet and the script of HTML pages."""

STYLE = """
:root { color-scheme: light; --line: #d9d9d6; --soft: #6b6b67; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d1d1b; margin: 2em auto;
  max-width: 78em; padding: 0 1.5em; }
h1 { font-size: 1.6em; margin: 0 0 0.2em; }
h2 { font-size: 1.15em; margin: 2.2em 0 0.5em; }
p { margin: 0.3em 0; max-width: 60em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1em 1em;
  margin: 0.5em 0 1.2em; color: var(--soft); font-size: 0.87em; }
dd { margin: 0; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
.box { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
.lead { background: #eef5ee; border: 1px solid #bcd6bc; border-radius: 6px;
  padding: 0.7em 1em; margin: 1em 0; max-width: none; }
.wrong { background: #fdf0ee; border-color: #e5bdb5; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  width: 100%; font-size: 0.93em; }
td, th { padding: 0.35em 0.7em; text-align: right; white-space: nowrap; }
th { vertical-align: bottom; font-weight: 600; background: #f6f6f4;
  white-space: normal; min-width: 4.5em; }
td { border-top: 1px solid var(--line); }
td:first-child, th:first-child { text-align: left; position: sticky; left: 0;
  background: #fff; }
th:first-child { background: #f6f6f4; }
td.text { text-align: left; white-space: normal; }
tr.marked td { background: #eef5ee; }
th button { all: unset; cursor: pointer; }
th button:hover { text-decoration: underline; }
th button:focus-visible { outline: 2px solid #2166ac; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.interval { display: block; font-size: 0.75em; color: var(--soft); }
.row { display: flex; flex-wrap: wrap; gap: 0.6em 1.5em; }
.row figure { margin: 0; }
.strips { display: flex; gap: 12px; margin: 0.2em 0 0.7em; }
figure { display: inline-block; margin: 0.5em 1em 0.5em 0; vertical-align: top;
  max-width: 100%; }
figure img { max-width: 100%; }
figcaption { font-size: 0.9em; }
small, .soft { color: var(--soft); font-size: 0.87em; }
.chip { display: inline-block; width: 0.75em; height: 0.75em; margin-right:
  0.45em; border-radius: 50%; }
img.exact { image-rendering: pixelated; }
"""

SCRIPT = """
for (const button of document.querySelectorAll("th button"))
  button.onclick = () => {
    const head = button.parentNode, body = head.closest("table").tBodies[0];
    const down = head.ariaSort ? head.ariaSort == "ascending"
      : head.dataset.first == "descending";
    for (const other of head.parentNode.cells) other.ariaSort = null;
    head.ariaSort = down ? "descending" : "ascending";
    const key = row => row.cells[head.cellIndex].dataset.value;
    const order = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
    const known = [...body.rows].filter(row => key(row) !== "");
    const rest = [...body.rows].filter(row => key(row) === "");
    known.sort((a, b) => (down ? -1 : 1) * order(key(a), key(b)));
    body.append(...known, ...rest);
  };
"""
