"""``meshgait report``: tables and pictures of results that other commands wrote."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from opengait_meshgait.benchmark.accuracy_tables import Contestant
from opengait_meshgait.benchmark.results_files import Results, read_results
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, write_csv
from opengait_meshgait.common.provenance import command
from opengait_meshgait.common.tables import latex, markdown
from opengait_meshgait.evaluation.tsne import LEAST, tsne
from opengait_meshgait.inference.embeddings import Embeddings, read_embeddings
from opengait_meshgait.visual.charts import cmc_figure, groups_figure, views_figure
from opengait_meshgait.visual.drawing import write_png
from opengait_meshgait.visual.page import PageSection, write_page

_SHOWN = 1000  # sequences in a picture of features
Pictures = Mapping[str, Figure]
"""By the names of their files, without ending."""


def report_results(paths: Sequence[Path], out: Path) -> list[str]:
    """Write ``report.html`` with tables and pictures, and these by themselves beside it.

    Tables are in ``report.md``, ``tables.tex`` and ``table-<number>.csv``; pictures are ``cmc-….png``,
    ``views-….png`` (Rank-1 by probe and gallery view) and ``features-….png`` (t-SNE, by person and by view).

    Args:
        paths: of results (:func:`~opengait_meshgait.benchmark.results_files.read_results`), and of embeddings
            (``.npz``).
        out: folder of the files.

    Returns:
        What was written, and what could not be drawn; one sentence each.

    Raises:
        UserError: a file is none of these, or ``out`` cannot be written.
    """
    found = read_results([path for path in paths if path.suffix != ".npz"])
    features = [read_embeddings(path) for path in paths if path.suffix == ".npz"]
    sections: list[PageSection] = []
    remarks: list[str] = []
    pictures: dict[str, Figure] = {}
    for number, one in enumerate(found):
        sections += _tables(one)
        for heading, drawn in _drawn(one, f"{number + 1}-" if len(found) > 1 else "", remarks).items():
            sections.append(PageSection(heading, figures=[*drawn.values()]))
            pictures |= drawn
    for each in features:
        drawn, text = _features(each)
        sections.append(PageSection(f"Features: {each.source}", text, figures=[*drawn.values()]))
        pictures |= drawn
    sections.append(PageSection("How this was made", code=command()))
    try:
        _write(out, sections, pictures)
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error.strerror}. Give another folder.") from error
    tables = sum(bool(section.table) for section in sections)
    return [f"{out / 'report.html'}: {tables} tables, {len(pictures)} pictures.", *remarks]


def _tables(results: Results) -> list[PageSection]:
    """A section for each table, with the lines before it; one for what is said behind the last."""
    sections: list[PageSection] = []
    lines: list[str] = []
    heading = results.title
    for block in results.blocks:
        if not isinstance(block, str):
            sections.append(PageSection(heading, " ".join(lines), table=block))
            heading, lines = "", []
        elif block.startswith("#"):
            heading = f"{results.title}: {block.lstrip('# ')}"
        else:
            lines.append(block)
    return [*sections, PageSection("Notes" if sections else heading, " ".join(lines))] if lines else sections


def _drawn(results: Results, prefix: str, remarks: list[str]) -> dict[str, Pictures]:
    """CMC curves by condition, and heat maps by network and condition; ``remarks`` gets what cannot be drawn."""
    found: dict[str, Pictures] = {}
    for copy, contestants in results.compared.items():
        part, behind = (f"{prefix}{copy}-", f" ({copy})") if copy else (prefix, "")
        if without := [one.name for one in contestants if not any(run.get("cmc") for run in one.runs.values())]:
            remarks.append(
                f"{results.title}{behind}: {', '.join(without)} has no CMC, as an earlier version wrote it. Test again."
            )
        curves = _curves(contestants)
        if curves:
            drawn = {f"cmc-{part}{_slug(c)}": cmc_figure(_caption(c), lines) for c, lines in curves.items()}
            found[f"Cumulative match characteristic{behind}"] = drawn
        maps = {
            f"views-{part}{_slug(one.name)}-{_slug(condition)}": views_figure(f"{one.name}, {condition}", matrix, views)
            for one in contestants
            for condition, views, matrix in _matrices(one)
        }
        if maps:
            found[f"Rank-1 (%) by probe view and gallery view{behind}"] = maps
    return found


def _curves(contestants: Sequence[Contestant]) -> dict[str, dict[str, np.ndarray]]:
    """By condition and network, means over probe views and over seeds."""
    curves: dict[str, dict[str, np.ndarray]] = {}
    for one in contestants:
        runs = [run["cmc"] for run in one.runs.values() if run.get("cmc")]
        for condition in runs[0] if runs else ():
            rows = [np.mean([row for row in run[condition] if row is not None], axis=0) for run in runs]
            curves.setdefault(condition, {})[one.name] = np.mean(rows, axis=0)
    return curves


def _matrices(one: Contestant) -> list[tuple[str, Sequence[str], np.ndarray]]:
    """Condition, views and Rank-1 ``[probe view, gallery view]`` in percent, the mean over seeds."""
    runs = [run for run in one.runs.values() if run.get("tables")]
    if not runs:
        return []
    names = [name for name in runs[0]["tables"] if name.endswith("@R1")]
    return [
        (
            name.removesuffix("@R1"),
            runs[0]["views"],
            np.mean([np.array(r["tables"][name], float) for r in runs], axis=0),
        )
        for name in names
    ]


def _features(embeddings: Embeddings) -> tuple[Pictures, str]:
    """Two pictures of the same points, by person and, where there are several, by view; and what they show."""
    if len(embeddings) < LEAST:
        raise UserError(f"{embeddings.source} has {len(embeddings)} sequences: for a picture, embed {LEAST} or more.")
    order = np.sort(np.argsort(embeddings.labels, kind="stable")[:_SHOWN])  # those of the first people
    points = tsne(torch.from_numpy(np.array(embeddings.values[order])), embeddings.metric)
    name = _slug(Path(embeddings.source).stem)
    drawn = {f"features-{name}-person": groups_figure("by person", points, embeddings.labels[order])}
    if len({*embeddings.views[order].tolist()}) > 1:
        drawn[f"features-{name}-view"] = groups_figure("by view", points, embeddings.views[order])
    count = f"all {len(order)}" if len(order) == len(embeddings) else f"the first {len(order)} of {len(embeddings)}"
    text = f"t-SNE of {count} sequences, by the distance that is matched ({embeddings.metric})."
    return drawn, text


def _write(out: Path, sections: Sequence[PageSection], pictures: Pictures) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tables = [section.table for section in sections if section.table]
    for number, table in enumerate(tables, start=1):
        write_csv(out / f"table-{number}.csv", table)
    for name, figure in pictures.items():
        write_png(out / f"{name}.png", figure)
    text = {
        "report.md": "\n\n".join(part for section in sections for part in _markdown(section, pictures)),
        "tables.tex": "\n\n".join(["% needs \\usepackage{booktabs}", *map(latex, tables)]),
    }
    for name, content in text.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(content + "\n", encoding="utf-8")
    write_page(out / "report.html", "Results", f"{len(tables)} tables, {len(pictures)} pictures.", sections)


def _markdown(section: PageSection, pictures: Pictures) -> list[str]:
    parts = [f"## {section.heading}"] if section.heading else []
    parts += [section.text] if section.text else []
    parts += [markdown(section.table)] if section.table else []
    parts += [f"```\n{section.code}\n```"] if section.code else []
    return parts + [f"![{name}]({name}.png)" for name, figure in pictures.items() if figure in section.figures]


def _caption(condition: str) -> str:
    return "all probes" if condition == "all" else condition


def _slug(name: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^\w.]+", "-", name).strip("-")
