"""Charts of trainings and tests, each narrow enough for a telephone: side by side where a page has the room."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_COLOURS = ("#c2703d", "#2f6db5", "#4c9a5a", "#8a5aa8", "#3aa5a5", "#b5566b", "#8c8c2f", "#5b6470")
_SIZE = 3.6, 3.4  # inches
_NAMED = [number for number in range(20) if number not in (14, 15)]  # colours of tab20 but for grey, for groups


def curves_figure(title: str, curves: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Figure:
    """A quantity over a training, one line a run: ``curves[run] = (iterations, values)``.

    A run that has none keeps its colour for itself, so that the charts of a page agree.
    """
    figure, ax = _chart(title, (3.6, 2.7))
    for number, (run, (iterations, values)) in enumerate(curves.items()):
        if values:
            ax.plot(iterations, values, linewidth=1.2, label=run, **_line_style(number))
    ax.set_xlabel("iteration", fontsize=8)
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.25)
    _legend(figure)
    return figure


def cmc_figure(title: str, curves: Mapping[str, np.ndarray]) -> Figure:
    """Cumulative match characteristics, one line a network: ``curves[name]`` is Rank-1, Rank-2, … in percent."""
    figure, ax = _chart(title, _SIZE)
    for number, (name, curve) in enumerate(curves.items()):
        ax.plot(range(1, len(curve) + 1), curve, linewidth=1.4, label=name, **_line_style(number))
    ax.set_xlabel("rank", fontsize=8)
    ax.set_ylabel("recognised at this rank or before (%)", fontsize=8)
    ax.set_xlim(1, max(2, *map(len, curves.values())))
    ax.set_ylim(top=101)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.25)
    _legend(figure)
    return figure


def views_figure(title: str, matrix: np.ndarray, views: Sequence[str]) -> Figure:
    """Rank-1 in percent by probe view (rows) and gallery view (columns), ``[v, v]``, without identical views."""
    figure, ax = _chart(title, _SIZE)
    shown = np.where(np.eye(len(views), dtype=bool), np.nan, matrix)
    ax.imshow(shown, cmap="viridis", vmin=0, vmax=100)
    size = 7.5 if len(views) < 12 else 6
    for (row, column), value in np.ndenumerate(shown):
        if np.isfinite(value):
            colour = "w" if value < 60 else "k"
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=size, color=colour)
    angles = all(view.isdigit() for view in views)
    names, unit = ([str(int(view)) for view in views], " (°)") if angles else (views, "")
    ax.set_xticks(range(len(views)), names, rotation=0 if angles else 90)
    ax.set_yticks(range(len(views)), names)
    ax.set_xlabel(f"gallery view{unit}", fontsize=8)
    ax.set_ylabel(f"probe view{unit}", fontsize=8)
    return figure


def groups_figure(title: str, points: np.ndarray, groups: np.ndarray) -> Figure:
    """Points ``[n, 2]`` in the colours of their groups, str ``[n]``; those of groups behind the first 18 are grey."""
    figure, ax = _chart(title, (3.6, 4.2))
    names, codes = np.unique(groups, return_inverse=True)
    # The first ones of tab20 are pairs of like colours: few groups take one of each.
    colours = _NAMED[::2] if len(names) <= len(_NAMED) / 2 else _NAMED
    others = codes >= len(colours)
    if others.any():
        ax.scatter(points[others, 0], points[others, 1], s=5, color="0.85", label=f"{len(names) - len(colours)} others")
    for number, (name, colour) in enumerate(zip(names, colours)):
        x, y = points[codes == number].T
        ax.scatter(x, y, s=9, color=matplotlib.colormaps["tab20"](colour), label=name)
    ax.set(xticks=[], yticks=[], aspect="equal")
    _legend(figure, columns=5)
    return figure


def _line_style(number: int) -> dict[str, Any]:
    """Of a chart's line of that number: each colour whole first, then dashed, then dotted."""
    row, column = divmod(number, len(_COLOURS))
    return {"color": _COLOURS[column], "linestyle": ("-", "--", ":")[row % 3]}


def _chart(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    ax = figure.subplots()
    ax.set_title(title, fontsize=9, wrap=True)
    ax.tick_params(labelsize=7.5)
    return figure, ax


def _legend(figure: Figure, columns: int = 2) -> None:
    """Below the chart; names that are too long for columns stand one below the other."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    most = max(map(len, labels), default=0)
    columns = max(1, min(columns, len(labels), 50 // (most + 4)))
    spacing = {"handletextpad": 0.3, "columnspacing": 1.0, "frameon": False}
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=7.5, **spacing)
