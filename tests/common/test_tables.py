"""Tables as Markdown and back, and as LaTeX."""

from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.tables import latex, markdown, read_markdown

CELL = st.text(st.characters(blacklist_characters="|", blacklist_categories=["C", "Z"]), max_size=6)


@given(st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=4)))
def test_markdown_and_back(rows):
    rows = [["head", *rows[0][1:]], *(["name", *row[1:]] for row in rows[1:])]
    text = f"## Before\n\n{markdown(rows)}\n\nA note.\n{markdown(rows)}"
    assert [*read_markdown(text)] == ["## Before", rows, "A note.", rows]


def test_latex():
    rows = [["", "Rank-1 (%)"], ["walkers_small & more", "50.0 ± 1.2 %"], ["a–b", "36° … ≤ −1 → {x}"]]
    assert latex(rows).splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r" & Rank-1 (\%) \\",
        r"\midrule",
        r"walkers\_small \& more & 50.0 $\pm$ 1.2 \% \\",
        r"a--b & 36$^\circ$ \ldots{} $\leq$ $-$1 $\rightarrow$ \{x\} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
