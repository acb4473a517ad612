"""The picture of ``meshgait bench accuracy``."""

import statistics
from collections.abc import Sequence
from functools import partial

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from opengait_meshgait.benchmark.accuracy_tables import Contestant, figures, rank1_in, view_columns


def accuracy_figure(contestants: Sequence[Contestant]) -> Figure:
    """Rank-1 by condition, by difference of views and by cost; bars and lines are means, dots are single runs."""
    entered = [one for one in contestants if one.runs]
    palette = matplotlib.colormaps["tab10" if len(contestants) <= 10 else "tab20"]
    colours = {one.name: palette(number % palette.N) for number, one in enumerate(contestants)}
    run = next(iter(entered[0].runs.values()))
    what, columns = view_columns(run)
    panels = 3 if columns else 2
    figure = Figure(figsize=(4.2 * panels, 3.6), layout="constrained")
    axes = figure.subplots(1, panels)
    _bars(axes[0], entered, colours)
    _costs(axes[1], entered, colours)
    if columns:
        _views(axes[2], entered, colours, what)
    for ax in axes:
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.25)
        ax.set_axisbelow(True)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=8)
    return figure


def _bars(ax: Axes, entered: Sequence[Contestant], colours: dict) -> None:
    columns = figures(next(iter(entered[0].runs.values())))
    width = 0.8 / len(entered)
    for number, one in enumerate(entered):
        places = [place + (number - (len(entered) - 1) / 2) * width for place in range(len(columns))]
        values = [one.values(get) for get in columns.values()]
        means = [statistics.mean(each) for each in values]
        ax.bar(places, means, 0.92 * width, color=colours[one.name], alpha=0.75, label=one.name)
        for place, each in zip(places, values):
            ax.plot([place] * len(each), each, "k.", markersize=3)
    ax.set(ylim=(0, 100), ylabel="%")
    ax.set_xticks(range(len(columns)), [name.removeprefix("Rank-1 ") for name in columns])
    ax.set_title("recognition", fontsize=10)


def _costs(ax: Axes, entered: Sequence[Contestant], colours: dict) -> None:
    for one in entered:
        values = one.values(lambda run: run["rank1"])
        ax.plot([one.gflops] * len(values), values, ".", color=colours[one.name], markersize=4)
        ax.plot(one.gflops, statistics.mean(values), "o", color=colours[one.name], markersize=8, alpha=0.75)
    costs = [one.gflops for one in entered]
    ax.set(xscale="log", xlim=(min(costs) / 1.5, max(costs) * 1.5))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("GFLOPs of a sequence", fontsize=8)
    ax.set_ylabel("Rank-1 (%)", fontsize=8)
    ax.set_title("recognition by cost", fontsize=10)


def _views(ax: Axes, entered: Sequence[Contestant], colours: dict, what: str) -> None:
    for one in entered:
        run = next(iter(one.runs.values()))
        _, columns = view_columns(run)
        means = {}
        for name, mask in columns.items():
            values = [one.values(partial(rank1_in, condition=c, mask=mask)) for c in run["probes"]]
            values = [value for condition in values for value in condition]
            if values:
                means[name] = statistics.mean(values)
        ax.plot([*means], [*means.values()], "o-", color=colours[one.name], markersize=3, linewidth=1.2)
    ax.set_ylim(0, 100)
    ax.set_title(f"Rank-1 (%) by {what}, all conditions", fontsize=10)
    ax.tick_params(axis="x", rotation=45)
