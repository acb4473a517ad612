"""Files of results that commands wrote, read for ``meshgait report``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from opengait_meshgait.benchmark.accuracy_tables import (
    MEASURES,
    Contestant,
    accuracy_table,
    difference_table,
    differences,
    row_name,
    view_table,
)
from opengait_meshgait.benchmark.pooled import pool_runs
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json
from opengait_meshgait.common.tables import Rows, read_markdown
from opengait_meshgait.common.validation import Section, Share, mistake, validate

_Number = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[_Number, Field(ge=0, le=100)]
Blocks = Sequence[str | Rows]
"""Paragraphs, headings (with # before them) and tables, in their order."""


@dataclass(frozen=True)
class Results:
    """What one file holds, or several tests of the same probes.

    Attributes:
        title: what it is called.
        blocks: its tables and what is written about them.
        compared: networks with their runs, by what they were tested on (empty: one thing alone); of results without
            recognition nothing.
    """

    title: str
    blocks: Blocks
    compared: Mapping[str, Sequence[Contestant]]


class _Run(Section):
    """What a report reads of a test; earlier versions wrote less."""

    model_config = ConfigDict(extra="ignore")

    matched: Literal["embeddings", "lda"]
    metrics: dict[str, Percent]
    rank1: Percent | None = None
    views: list[str]
    tables: dict[str, list[list[Percent | None]]]
    probes: dict[str, dict[str, Annotated[str, Field(pattern="^[01-]*$")]]]
    precisions: dict[str, dict[str, list[Share | None]]] = {}
    cmc: dict[str, list[list[Percent] | None]] | None = None
    bodies: dict[str, _Number | None] | None
    iou: Share | None = None
    notes: list[str]
    sequences: Annotated[int, Field(ge=0)]
    seconds_per_iteration: _Number | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> "_Run":
        views = len(self.views)
        if without := [name for name in self.metrics if name.endswith("@R1") and name not in self.tables]:
            raise mistake(f"there is no table {without[0]}.")
        for name, table in self.tables.items():
            if [len(row) for row in table] != views * [views]:
                raise mistake(f"the table {name} is not {views} × {views}, as there are {views} views.")
        for condition, found in self.precisions.items():
            probes = len(self.probes.get(condition, ()))
            if any(len(values) != probes for values in found.values()):
                raise mistake(f"the precisions of {condition} are not as many as its {probes} probes.")
        for condition, rows in (self.cmc or {}).items():
            lengths = {len(row) for row in rows if row is not None}
            if len(rows) != max(views, 1) or len(lengths) != 1:
                raise mistake(f"the curves of {condition} are not {max(views, 1)} of one length, one for each view.")
        return self


def read_results(paths: Sequence[Path]) -> list[Results]:
    """Read files of results: of a test, or a benchmark's JSON.

    Tests of the same probes become one comparison.

    Raises:
        UserError: a file is missing, is no file of results, or has lost its tables.
    """
    tests: dict[str, list[tuple[Path, Mapping[str, Any]]]] = {}
    found = []
    for path in paths:
        content = _read(path)
        if "probes" in content and "metrics" in content:
            validate(_Run, content, _damaged(path))
            places = {condition: [*probes] for condition, probes in content["probes"].items()}
            key = json.dumps([places, content["views"], [*content["metrics"]]])
            tests.setdefault(key, []).append((path, content))
        else:
            found.append(Results(_title(path), _blocks(path, content), _compared(path, content)))
    return [*map(_of_tests, tests.values()), *found]


def _read(path: Path) -> Mapping[str, Any]:
    kinds = (
        "`meshgait report` reads results-….json of meshgait test, the JSON files of meshgait demo and bench, and files "
        "of meshgait embed (.npz)."
    )
    if path.suffix != ".json":
        raise UserError(f"{path} does not end in .json or .npz. {kinds}")
    content = read_json(path)
    if not isinstance(content, dict) or not (content.keys() >= {"probes", "metrics"} or "versions" in content):
        raise UserError(f"{path} holds no results. {kinds}")
    return content


def _damaged(path: Path) -> str:
    return f"{path} is not as its command wrote it (write it anew) and"


def _title(path: Path) -> str:
    return f"{path.resolve().parent.name}/{path.stem}"


def _blocks(path: Path, content: Mapping[str, Any]) -> Blocks:
    """The text that a benchmark wrote into its file, or beside it."""
    beside = path.with_suffix(".md")
    if "markdown" in content:
        text = "\n".join(content["markdown"])
    elif beside.is_file():
        text = beside.read_text(encoding="utf-8")
    else:
        raise UserError(f"{path} has no tables in it, and {beside.name} is not beside it. Run its command again.")
    return [*read_markdown(text)]


def _compared(path: Path, content: Mapping[str, Any]) -> dict[str, list[Contestant]]:
    """The networks of a benchmark that have runs."""
    compared: dict[str, list[Contestant]] = {}
    try:
        for entry in content.get("configs", content.get("runs", [])):
            if "gflops" not in entry:  # bench memory's have no weights
                continue
            for copy, runs in _runs(entry, path):
                one = Contestant(entry["name"], entry["parameters"], entry["gflops"], runs)
                if runs:
                    compared.setdefault(copy, []).append(one)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(
            f"{_damaged(path)} cannot be used: its networks or their runs are not there ({error})."
        ) from error
    return compared


def _runs(entry: Mapping[str, Any], path: Path) -> Iterator[tuple[str, dict[int, Mapping[str, Any]]]]:
    """The runs of a network by seed, and what they were tested on."""
    runs = entry.get("runs", [entry])  # the demo has one run a network
    if isinstance(runs, Mapping):
        for copy, folds in runs.items():
            by_seed = [{run["seed"]: _checked(run, path) for run in fold} for fold in folds.values()]
            seeds = [seed for seed in by_seed[0] if all(seed in fold for fold in by_seed)]
            yield copy, {seed: pool_runs([fold[seed] for fold in by_seed]) for seed in seeds}
    else:
        yield "", {run.get("seed", 0): _checked(run, path) for run in runs}


def _checked(run: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    validate(_Run, run, _damaged(path))
    return run


def _of_tests(tests: Sequence[tuple[Path, Mapping[str, Any]]]) -> Results:
    names = [row_name(path.resolve().parent.name, run["matched"]) for path, run in tests]
    if len(set(names)) < len(names):
        names = [row_name(_title(path), run["matched"]) for path, run in tests]
    first: dict[str, str] = {}  # by the features that were matched: only these are compared
    contestants = [
        Contestant(name, None, None, {0: run}, first.setdefault(run["matched"], name))
        for name, (_, run) in zip(names, tests)
    ]
    tables = [accuracy_table(contestants), view_table(contestants)]
    for measure in MEASURES:
        if measured := differences(contestants, measure):
            tables.append(difference_table(measured, measure))
    about = [f"{name}: {path}, {run['sequences']} sequences." for name, (path, run) in zip(names, tests)]
    notes = dict.fromkeys(note for _, run in tests for note in run["notes"])
    return Results("Tests", [*(table for table in tables if table), *about, *notes], {"": contestants})
