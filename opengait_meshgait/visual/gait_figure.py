"""Joint angles of many people over the stride."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

_COLUMNS = 3
_SHOWN = 12  # curves of single people


def angles_figure(people: Mapping[str, np.ndarray], mean: Mapping[str, np.ndarray], title: str) -> Figure:
    """A panel for each angle: some people's curves, over the mean and one standard deviation of all of them.

    Args:
        people: for each angle those of all people, degrees, ``[N, T]`` from one heel strike to the next.
        mean: for each angle the mean person's, ``[1, T]``.
        title: of the picture.
    """
    rows = -(-len(people) // _COLUMNS)
    figure = Figure(figsize=(3.6 * _COLUMNS, 2.6 * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    for ax, (name, curves) in zip(figure.subplots(rows, _COLUMNS, squeeze=False).flat, people.items()):
        percent = np.linspace(0, 100, curves.shape[1])
        spread = curves.std(0)
        ax.fill_between(percent, mean[name][0] - spread, mean[name][0] + spread, color="0.85")
        ax.plot(percent, curves[:_SHOWN].T, linewidth=0.8)
        ax.plot(percent, mean[name][0], color="black", linewidth=1.8)
        ax.set(xlim=(0, 100), xlabel="% of the stride", ylabel="degrees")
        ax.set_title(name, fontsize=10)
    return figure
