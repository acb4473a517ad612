"""Runs of several folds as one: each person's probes are compared with the gallery of their fold."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from opengait_meshgait.benchmark.accuracy_tables import Contestant, Numbers, figures
from opengait_meshgait.evaluation.results import read_hits

_BY_VIEW = (("MPJPE", "bodies_by_view", "mpjpe_root_mm", " mm", 0), ("IoU", "iou_by_view", "iou", "", 2))
_WEIGHED = ("bodies", "bodies_by_view", "iou", "iou_low_percent", "iou_by_view", "seconds_per_iteration")


def pool_runs(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What one config reached with one seed in all folds, in the form of a single run.

    Rank-1, mAP, mINP and CMC are computed anew from single probes: the mean over the probes of a view, whichever fold
    they are in, then over views. Probes are called ``id/fold/type/view``. Errors of bodies, IoUs and times are means
    over folds, weighed by their sequences.

    Args:
        runs: of the folds, by a cross-view protocol with the same views and conditions.

    Raises:
        ValueError: views or conditions differ.
    """
    first, *others = runs
    if not others:
        return first
    for run in others:
        if run["views"] != first["views"] or run["probes"].keys() != first["probes"].keys():
            raise ValueError("expected the same views and conditions in all folds")
    metrics, tables, probes, precisions = {}, {}, {}, {}
    for condition in first["probes"]:
        probes[condition] = {
            place.replace("/", f"/{fold}/", 1): text
            for fold, run in enumerate(runs, start=1)
            for place, text in run["probes"][condition].items()
        }
        precisions[condition] = {
            name: [value for run in runs for value in run["precisions"][condition][name]] for name in ("ap", "inp")
        }
        views = np.array([place.rsplit("/", 1)[1] for place in probes[condition]])
        by_view = _means(read_hits(probes[condition].values()), views, first["views"])
        rows = _means(by_view.T, np.zeros(by_view.shape[1]), [0])[0]
        metrics[f"{condition}@R1"] = 100 * float(np.nanmean(rows))
        tables[f"{condition}@R1"] = np.where(np.isnan(by_view), None, 100 * by_view).tolist()
        for name, figure in (("ap", "mAP"), ("inp", "mINP")):
            values = np.array(precisions[condition][name], dtype=float)[:, None]
            metrics[f"{condition}@{figure}"] = 100 * float(np.nanmean(_means(values, views, first["views"])))
    weights = [run["sequences"] for run in runs]
    return {
        **{key: first[key] for key in ("seed", "matched", "views", "iterations", "sequences_per_iteration")},
        **{key: _weighed([run.get(key) for run in runs], weights) for key in _WEIGHED},
        "metrics": metrics,
        "tables": tables,
        "rank1": float(np.mean([value for name, value in metrics.items() if name.endswith("@R1")])),
        "probes": probes,
        "precisions": precisions,
        "cmc": {c: _pool_curves(runs, c) for c in probes} if all(run.get("cmc") for run in runs) else None,
        "sequences": sum(weights),
        "notes": [*dict.fromkeys(note for run in runs for note in run["notes"])],
        "commit": " ".join(sorted({run["commit"] or "unknown" for run in runs})),
    }


def fold_table(folds: Mapping[str, Sequence[Contestant]]) -> list[list[str]]:
    """Rows of cells, the first row the header: recognition and MPJPE of each config in each fold.

    Args:
        folds: the same contestants in each, with the runs that are finished.
    """
    columns = [*folds.values()]
    run = next((run for column in columns for one in column for run in one.runs.values()), None)
    if run is None:
        return []
    found: Numbers = {name: get for name, get in figures(run).items() if not name.startswith("mINP")}
    rows = [["by fold", *folds]]
    for place, one in enumerate(columns[0]):
        cells: list[tuple[str, Callable, str, int]] = [(name, get, " %", 1) for name, get in found.items()]
        cells.append(("MPJPE", lambda run: (run["bodies"] or {}).get("mpjpe_root_mm"), " mm", 0))
        for name, get, unit, digits in cells:
            values = [column[place].cell(get, unit, digits) for column in columns]
            if {*values} != {"–"}:
                rows.append([f"{one.name}, {name}", *values])
    return rows


def body_view_table(contestants: Sequence[Contestant]) -> list[list[str]]:
    """Rows of cells, the first row the header: MPJPE and IoU of each config by view; empty without bodies."""
    views = [*dict.fromkeys(view for one in contestants for run in one.runs.values() for view in run["views"])]
    rows = [["bodies by view", *(f"{view}°" if view.isdigit() else view for view in views)]]
    for one in contestants:
        for title, kind, key, unit, digits in _BY_VIEW:
            cells = [one.cell(partial(_of_view, kind=kind, view=view, key=key), unit, digits) for view in views]
            if {*cells} != {"–"}:
                rows.append([f"{one.name}, {title}", *cells])
    return rows if len(rows) > 1 else []


def _of_view(run: Mapping[str, Any], kind: str, view: str, key: str) -> float | None:
    return ((run[kind] or {}).get(view) or {}).get(key)


def _means(values: np.ndarray, groups: np.ndarray, names: Sequence) -> np.ndarray:
    """Of ``values [q, g]``, the means over the rows of each group that are not NaN, ``[len(names), g]``; NaN where all
    are."""
    found = np.full((len(names), values.shape[1]), np.nan)
    for row, name in enumerate(names):
        chosen = values[groups == name]
        known = ~np.isnan(chosen)
        count = known.sum(0)
        found[row, count > 0] = np.where(known, chosen, 0).sum(0)[count > 0] / count[count > 0]
    return found


def _pool_curves(runs: Sequence[Mapping[str, Any]], condition: str) -> list[list[float] | None]:
    """The cumulative match characteristics by probe view, weighed by a fold's probes of that view."""
    length = max(len(row) for run in runs for row in run["cmc"][condition] if row)
    pooled = []
    for place, view in enumerate(runs[0]["views"]):
        rows = [run["cmc"][condition][place] for run in runs]
        probes = [
            sum(name.endswith(f"/{view}") and bool(text.strip("-")) for name, text in run["probes"][condition].items())
            for run in runs
        ]
        # Beyond the size of a fold's gallery nobody more is found.
        known = [(row + row[-1:] * (length - len(row)), count) for row, count in zip(rows, probes) if row]
        curves, weights = zip(*known) if known else ([], [])
        pooled.append(np.average(curves, axis=0, weights=weights).tolist() if known else None)
    return pooled


def _weighed(values: Sequence[Any], weights: Sequence[int]) -> Any:
    """The mean of numbers, or key by key of mappings; None where a fold has none."""
    if any(value is None for value in values):
        return None
    if isinstance(values[0], Mapping):
        return {key: _weighed([value.get(key) for value in values], weights) for key in values[0]}
    return float(np.average(values, weights=weights))
