"""Tables and notes of ``meshgait bench accuracy``: means over seeds, and which differences are more than chance."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from opengait_meshgait.evaluation.bodies import LOW_IOU
from opengait_meshgait.evaluation.comparison import MEAN, Difference, compare_conditions
from opengait_meshgait.evaluation.results import read_hits

MEASURES = ("Rank-1", "mAP")
"""What configs are compared by."""
_OVER_VIEWS = ("mAP", "mINP")
_WILD = ("Rank-1", "Rank-5", "mAP", "mINP")
_ALIKE = 1.1  # costs that differ by less are called equal
_BODIES = {
    "MPJPE": ("mpjpe_root_mm", " mm", 0),
    "MPVPE": ("mpvpe_root_mm", " mm", 0),
    "PA-MPJPE": ("mpjpe_pa_mm", " mm", 0),
    "PA-MPVPE": ("mpvpe_pa_mm", " mm", 0),
    "swaps": ("legs_swapped_percent", " %", 1),
}
_BRIEF = ("MPJPE", "MPVPE")
_OVERLAPS = (("IoU", "iou", "", 2), (f"IoU < {LOW_IOU:.2f}", "iou_low_percent", " %", 1))


@dataclass
class Contestant:
    """A config and what its runs reached.

    Attributes:
        name: of its row.
        parameters: weights used at inference, without the class head; None where that is not known.
        gflops: GFLOPs of one inference, a multiply-add counts as two; None where they are not known.
        runs: what the engine's test returned, by seed, and besides ``seconds_per_iteration``, ``iterations``,
            ``sequences_per_iteration`` and ``commit``.
        baseline: name of the contestant that it is compared with, such as the same network without the heatmap branch;
            None: the first.
    """

    name: str
    parameters: int | None
    gflops: float | None
    runs: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    baseline: str | None = None

    def values(self, get: Callable[[Mapping[str, Any]], float | None]) -> list[float]:
        """One number a run, of those that have it."""
        found = [get(run) for run in self.runs.values()]
        return [value for value in found if value is not None]

    def cell(self, get: Callable[[Mapping[str, Any]], float | None], unit: str = "", digits: int = 1) -> str:
        """Mean ± standard deviation over seeds; a dash where no run has such a number."""
        values = self.values(get)
        if not values:
            return "–"
        spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{spread}{unit}"


Numbers = Mapping[str, Callable[[Mapping[str, Any]], float | None]]


def figures(run: Mapping[str, Any]) -> Numbers:
    """The columns of recognition: how to read each from a run. They depend on the protocol only."""
    across = any(name.endswith("@R1") for name in run["metrics"])
    rank1 = "@R1" if across else "@Rank-1"
    conditions = [name.removesuffix(rank1) for name in run["metrics"] if name.endswith(rank1)]
    columns: dict = {f"Rank-1 {c}": lambda run, c=c: run["metrics"][f"{c}{rank1}"] for c in conditions}
    if len(conditions) > 1:
        columns[MEAN] = lambda run: run["rank1"]
    columns |= {
        f"{name} {c}": lambda run, key=f"{c}@{name}": run["metrics"].get(key)
        for name in _OVER_VIEWS
        for c in conditions
        if f"{c}@{name}" in run["metrics"]
    }
    return columns | {name: lambda run, name=name: run["metrics"][name] for name in _WILD if name in run["metrics"]}


def row_name(name: str, matched: str) -> str:
    """What a row is called whose network is ``name`` and whose ``embeddings`` or ``lda`` features were matched."""
    return f"{name} + LDA head" if matched == "lda" else name


def accuracy_table(contestants: Sequence[Contestant], brief: bool = False) -> list[list[str]]:
    """Rows of cells, the first row the header: one row a config that has a finished run.

    Args:
        contestants: the rows.
        brief: without mAP, mINP, errors after Procrustes alignment, swaps of the legs and IoUs.
    """
    entered = _entered(contestants)
    columns = {
        name: get for name, get in figures(_any_run(entered)).items() if not (brief and name.startswith(_OVER_VIEWS))
    }
    errors = {
        title: (lambda run, key=key: (run["bodies"] or {}).get(key), unit, digits)
        for title, (key, unit, digits) in _BODIES.items()
        if (title in _BRIEF or not brief)
        and any((run["bodies"] or {}).get(key) is not None for one in entered for run in one.runs.values())
    }
    overlaps = {
        title: (lambda run, key=key: run.get(key), unit, digits)
        for title, key, unit, digits in _OVERLAPS
        if not brief and any(run.get(key) is not None for one in entered for run in one.runs.values())
    }
    known = all(one.gflops is not None for one in entered)
    rows = [["", *columns, *errors, *overlaps, *(("parameters", "GFLOPs", "s / iteration") if known else ())]]
    for one in entered:
        row = [
            one.name,
            *(one.cell(get, " %") for get in columns.values()),
            *(one.cell(*cell) for cell in (errors | overlaps).values()),
        ]
        if known:
            seconds = one.cell(lambda run: run["seconds_per_iteration"], digits=2)
            row += [f"{one.parameters / 1e6:.2f} M", f"{one.gflops:.2f}", seconds]
        rows.append(row)
    return rows


def view_columns(run: Mapping[str, Any]) -> tuple[str, dict[str, np.ndarray]]:
    """Which cells of a table ``[probe view, gallery view]`` belong together.

    Returns:
        What the columns stand for, and their names with masks of cells: views a certain angle apart or, where views are
        no angles, each probe view. Identical views are in none. No column where views do not count.
    """
    views = run["views"]
    if all(view.isdigit() for view in views):
        angles = np.array([int(view) for view in views], dtype=int)
        apart = np.abs(angles[:, None] - angles) % 360
        apart = np.minimum(apart, 360 - apart)
        return "difference of views", {f"{angle}°": apart == angle for angle in np.unique(apart) if angle}
    others = ~np.eye(len(views), dtype=bool)
    return "probe view", {view: others & (np.arange(len(views)) == row)[:, None] for row, view in enumerate(views)}


def rank1_in(run: Mapping[str, Any], condition: str, mask: np.ndarray) -> float | None:
    """Mean Rank-1 in percent over some cells of a condition's table; None where none was compared."""
    cells = np.array(run["tables"][f"{condition}@R1"], dtype=float)[mask]
    return None if np.isnan(cells).all() else float(np.nanmean(cells))


def view_table(contestants: Sequence[Contestant]) -> list[list[str]]:
    """Rank-1 by difference of views, one row for each config and condition; empty where views do not count."""
    entered = _entered(contestants)
    run = _any_run(entered)
    what, columns = view_columns(run)
    if not columns:
        return []
    rows = [[f"Rank-1 (%) by {what}", *columns]]
    for condition in run["probes"]:
        for one in entered:
            cells = (one.cell(partial(rank1_in, condition=condition, mask=mask)) for mask in columns.values())
            rows.append([f"{one.name}, {condition}", *cells])
    return rows


def pairs(contestants: Sequence[Contestant]) -> list[tuple[Contestant, Contestant]]:
    """Who is compared with whom: each with its silhouette-only baseline where there is one, else with the first."""
    by_name = {one.name: one for one in contestants}
    found: list[tuple[Contestant, Contestant]] = []
    for one in contestants:
        reference = by_name.get(one.baseline, contestants[0])
        if one is not reference and (reference, one) not in found:
            found.append((one, reference))
    return found


def differences(
    contestants: Sequence[Contestant], measure: str = MEASURES[0]
) -> dict[tuple[str, str], dict[str, Difference]]:
    """The differences of :func:`pairs`, by condition and for their mean, over the seeds that both have.

    Args:
        contestants: with their runs.
        measure: one of :data:`MEASURES`.

    Returns:
        By the names of a config and of its reference. Runs of an earlier version, which kept no average precisions,
        have no differences of mAP.

    Raises:
        ValueError: two runs were tested on different probes.
    """
    found = {}
    for other, reference in pairs(contestants):
        seeds = [seed for seed in reference.runs if seed in other.runs]
        if measure == "mAP":
            seeds = [seed for seed in seeds if all("precisions" in one.runs[seed] for one in (reference, other))]
        if not seeds:
            continue
        places = _places(reference.runs[seeds[0]])
        scores = {}
        for one in (reference, other):
            runs = [one.runs[seed] for seed in seeds]
            if any(_places(run) != places for run in runs):
                raise ValueError(f"expected the same probes in all runs, got others for {one.name}")
            scores[one.name] = {c: np.stack([_scores(run, c, measure) for run in runs]) for c in places}
        parts = {c: [place.split("/") for place in names] for c, names in places.items()}
        ids = {c: [label for label, *_ in names] for c, names in parts.items()}
        # In the wild, what is called a view is the name of a sequence.
        in_views = bool(reference.runs[seeds[0]]["views"])
        views = {c: [view if in_views else "" for *_, view in names] for c, names in parts.items()}
        found[other.name, reference.name] = compare_conditions(scores[reference.name], scores[other.name], ids, views)
    return found


def difference_table(
    found: Mapping[tuple[str, str], Mapping[str, Difference]], measure: str = MEASURES[0]
) -> list[list[str]]:
    """The rows of :func:`differences`."""
    rows = [[measure, "against", "", "difference", "95 % interval", "verdict"]]
    for (name, reference), by_condition in found.items():
        for condition, each in by_condition.items():
            interval = "–" if each.low is None else f"{each.low:+.1f} … {each.high:+.1f}"
            # Gait3D's protocol has one condition, of all probes.
            rows.append([name, reference, condition, f"{each.difference:+.1f}", interval, each.verdict])
    return rows


def notes(contestants: Sequence[Contestant], frames: int) -> list[str]:
    """One sentence each.

    Args:
        contestants: with their runs, the reference first.
        frames: of the sequence whose GFLOPs were counted.
    """
    entered = [one for one in contestants if one.runs]
    runs = [run for one in entered for run in one.runs.values()]
    seeds = min(len(one.runs) for one in entered)
    lines = [
        f"GFLOPs of one sequence of {frames} frames at inference, parameters without the class head; mean ± standard "
        "deviation over seeds."
    ]
    if any(run.get("matched") == "lda" for run in runs):
        lines.append("Rows with + LDA head match that head's features, all others the network's embeddings.")
    if len(entered) > 1:
        lines.append(
            "Differences are paired over seeds and probes; their 95 % intervals cover other people and "
            + ("other seeds" if seeds > 1 else "no other seed, as there is one only")
            + ", each for itself: of 20 without any true difference one is expected to stand out."
        )
        if seeds == 2:
            lines.append("With two seeds the interval holds the truth in as few as 89 of 100 cases; three are better.")
    lines += _unlike(entered)
    commits = sorted({run["commit"] or "unknown" for run in runs})
    if len(commits) > 1:
        lines.append(f"The runs were made by different commits of this package: {', '.join(commits)}.")
    return lines + [*dict.fromkeys(note for run in runs for note in run["notes"])]


def _unlike(entered: Sequence[Contestant]) -> list[str]:
    """Where a difference may come from more work rather than from a better network."""
    lines = []
    cheapest = min(entered, key=lambda one: one.gflops)
    dearer = [one for one in entered if one.gflops > _ALIKE * cheapest.gflops]
    if dearer:
        ratios = ", ".join(f"{one.name} {one.gflops / cheapest.gflops:.1f}" for one in dearer)
        lines.append(f"Costs differ: times the GFLOPs of {cheapest.name}, {ratios}.")
    budgets = {}
    for one in entered:
        run = next(iter(one.runs.values()))
        budgets[one.name] = f"{run['iterations']} × {run['sequences_per_iteration']}"
    if len(set(budgets.values())) > 1:
        listed = ", ".join(f"{name} {budget}" for name, budget in budgets.items())
        lines.append(f"Training budgets differ (iterations × sequences in each): {listed}.")
    return lines


def _scores(run: Mapping[str, Any], condition: str, measure: str) -> np.ndarray:
    """How well each probe is recognised, 0…1, of probes that are compared at all: the share of gallery views in which
    it is found first, or its average precision."""
    probes = run["probes"][condition]
    if measure == "mAP":
        pairs_of = zip(probes.values(), run["precisions"][condition]["ap"])
        return np.array([ap for text, ap in pairs_of if text.strip("-")])
    return np.nanmean(read_hits(_compared(probes).values()), axis=1)


def _places(run: Mapping[str, Any]) -> dict[str, list[str]]:
    return {condition: [*_compared(probes)] for condition, probes in run["probes"].items() if _compared(probes)}


def _compared(probes: Mapping[str, str]) -> dict[str, str]:
    return {place: text for place, text in probes.items() if text.strip("-")}


def _entered(contestants: Sequence[Contestant]) -> list[Contestant]:
    return [one for one in contestants if one.runs]


def _any_run(entered: Sequence[Contestant]) -> Mapping[str, Any]:
    return next(iter(entered[0].runs.values()))
