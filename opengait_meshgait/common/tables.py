"""Tables, rows of cells whose first row is the header: as Markdown and back, and as LaTeX."""

import itertools
from collections.abc import Iterator, Sequence

Rows = Sequence[Sequence[str]]

# What LaTeX reads as commands, and what fonts of pdfLaTeX lack.
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\rightarrow$", "°": r"$^\circ$"}
    | {"–": "--", "−": "$-$", "…": r"\ldots{}", "<": "$<$", ">": "$>$"}
)


def markdown(rows: Rows) -> str:
    """A table in Markdown; all columns but the first are aligned to the right."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)


def latex(rows: Rows) -> str:
    """A ``tabular`` with the lines of the package booktabs; all columns but the first are aligned to the right."""
    head, *body = (" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in rows)
    begin = rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}"
    return "\n".join([begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"])


def read_markdown(text: str) -> Iterator[str | list[list[str]]]:
    """The tables that :func:`markdown` wrote into a text, as rows, and each line between them."""
    for is_table, lines in itertools.groupby(text.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
            yield [row for row in rows if not all({*cell} <= {*":-"} and cell for cell in row)]
        else:
            yield from (line for line in lines if line.strip())
