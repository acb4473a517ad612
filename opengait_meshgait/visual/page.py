"""One self-contained HTML page: text, tables and pictures in a single file that can be mailed."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import numpy as np
from matplotlib.figure import Figure

from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.visual.drawing import Picture, data_uri

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  body { font: 16px/1.55 system-ui, sans-serif; color: #1d2733; background: #f5f6f8; margin: 0; }
  main { max-width: 1240px; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
  h1 { font-size: 2rem; margin: 0 0 .3rem; letter-spacing: -.02em; }
  h2 { font-size: 1.15rem; margin: 0 0 .3rem; }
  p { max-width: 66rem; color: #46525f; overflow-wrap: anywhere; }
  .lead { font-size: 1.1rem; margin: 0 0 1.8rem; }
  section { background: #fff; border: 1px solid #e2e6ea; border-radius: 10px; }
  section { padding: 1.3rem 1.5rem; margin: 1.1rem 0; }
  section p { margin: .2rem 0 .9rem; }
  img { display: block; max-width: 100%; margin: .3rem auto; }
  .figures { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: center; align-items: flex-start; }
  .figures img { margin: .3rem 0; }
  table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
  th, td { text-align: right; padding: .45rem .5rem; border-bottom: 1px solid #e8ebee; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
  th { font-size: .8rem; color: #66717d; font-weight: 600; }
  .verdict { border-left: 4px solid #2f6db5; }
  .scroll { overflow-x: auto; }
  pre { background: #f0f2f4; padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; font-size: .82rem; }
  @media (max-width: 700px) {
    main { padding: 1.2rem .5rem 2rem; }
    section { padding: .9rem .7rem; }
    h1 { font-size: 1.5rem; }
    th, td { padding: .35rem .4rem; }
    th:first-child, td:first-child { white-space: normal; min-width: 6rem; box-shadow: 1px 0 #e8ebee; }
    .sheet { max-width: none; width: 60rem; }
  }
</style>
</head>
<body><main>
<h1>$title</h1>
<p class="lead">$lead</p>
$sections
</main></body>
</html>
""")


@dataclass
class PageSection:
    """A block of the page.

    Attributes:
        heading: its title.
        text: one paragraph of plain text.
        table: rows of cells, the first row the header; none when empty.
        figures: pictures below the text.
        code: a block of preformatted text.
        markup: ready HTML.
        verdict: set off by colour.
    """

    heading: str = ""
    text: str = ""
    table: Sequence[Sequence[str]] = ()
    figures: Sequence[Picture] = field(default_factory=list)
    code: str = ""
    markup: str = ""
    verdict: bool = False

    def html(self) -> str:
        """The block as HTML."""
        parts = [f"<h2>{html.escape(self.heading)}</h2>"] if self.heading else []
        if self.text:
            parts.append(f"<p>{html.escape(self.text)}</p>")
        if self.table:
            rows = [_row(self.table[0], "th"), *(_row(row, "td") for row in self.table[1:])]
            parts.append(f'<div class="scroll"><table>{"".join(rows)}</table></div>')
        # Sheets of pictures are too wide for a telephone, and are moved sideways there.
        sheets = [_image(self.heading, each, ' class="sheet"') for each in self.figures if isinstance(each, np.ndarray)]
        charts = [_image(self.heading, each) for each in self.figures if isinstance(each, Figure)]
        parts += [f'<div class="scroll">{sheet}</div>' for sheet in sheets]
        parts += [f'<div class="figures">{"".join(charts)}</div>'] if charts else []
        if self.code:
            parts.append(f"<pre>{html.escape(self.code)}</pre>")
        parts.append(self.markup)
        css = ' class="verdict"' if self.verdict else ""
        return f"<section{css}>{''.join(parts)}</section>"


def _image(text: str, picture: Picture, attributes: str = "") -> str:
    return f'<img alt="{html.escape(text)}"{attributes} src="{data_uri(picture)}">'


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def write_page(path: str | Path, title: str, lead: str, sections: Sequence[PageSection]) -> None:
    """Write the page atomically; nothing outside the file is referred to."""
    page = _PAGE.substitute(
        title=html.escape(title), lead=html.escape(lead), sections="\n".join(s.html() for s in sections)
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
