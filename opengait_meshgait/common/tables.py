"""Tables for people: rows of cells, the first row the header."""

from collections.abc import Sequence


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """``rows`` as a Markdown table; all columns but the first are aligned to the right."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)
