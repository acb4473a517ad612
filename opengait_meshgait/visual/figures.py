"""The pictures of a report, each a Matplotlib figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from opengait_meshgait.visual.drawing import draw_heatmap, draw_markers, draw_mesh, draw_silhouette, frame_axes

TRUTH, PREDICTED = "#9aa0a6", "#5b8ec9"
RUN_COLOURS = ("#c2703d", "#2f6db5", "#4c9a5a", "#8a5aa8")


@dataclass(frozen=True)
class BodySample:
    """One frame of a person that was not trained on, in crop space (crop heights).

    Attributes:
        title: who, how and from where.
        silhouette: ``[h, w]``, 0…1.
        truth: ground-truth vertices ``[V, 3]``.
        markers: predicted virtual markers ``[K, 3]``.
        vertices: predicted vertices ``[V, 3]``.
        heatmaps: ``[K, D, h, w]``, each summing to 1.
        error_mm: mean distance between predicted and true vertices.
    """

    title: str
    silhouette: np.ndarray
    truth: np.ndarray
    markers: np.ndarray
    vertices: np.ndarray
    heatmaps: np.ndarray
    error_mm: float


def walkers_figure(silhouettes: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """A sheet of silhouettes ``[rows, columns, h, w]``."""
    h, w = silhouettes.shape[2:]
    figure = Figure(figsize=(0.62 * len(columns) + 0.9, 0.62 * len(rows) * h / w + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for r, name in enumerate(rows):
        for c, column in enumerate(columns):
            ax = grid[r, c]
            ax.imshow(silhouettes[r, c], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            if r == 0:
                ax.set_title(column, fontsize=8)
        grid[r, 0].set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")
    return figure


def bodies_figure(samples: Sequence[BodySample], faces: np.ndarray) -> Figure:
    """Silhouette, ground truth, predicted markers and predicted mesh from two sides; one row a sample."""
    titles = ("silhouette\n(the only input)", "true mesh", "true mesh,\nfrom the side", "predicted\nmarkers")
    titles += ("markers,\nfrom the side", "predicted mesh", "predicted mesh,\nfrom the side")
    figure = Figure(figsize=(8.6, 1.75 * len(samples) + 0.3), layout="constrained")
    grid = figure.subplots(len(samples), len(titles), squeeze=False)
    for ax, title in zip(grid[0], titles):
        ax.set_title(title, fontsize=8, color="#444")
    for row, sample in zip(grid, samples):
        for ax in row:
            frame_axes(ax)
        draw_silhouette(row[0], sample.silhouette)
        row[0].set_ylabel(f"{sample.title}\n{sample.error_mm:.0f} mm", fontsize=8, rotation=0, ha="right", va="center")
        draw_mesh(row[1], sample.truth, faces, "camera", TRUTH)
        draw_mesh(row[2], sample.truth, faces, "side", TRUTH)
        draw_markers(row[3], sample.markers, "camera")
        draw_markers(row[4], sample.markers, "side")
        draw_mesh(row[5], sample.vertices, faces, "camera", PREDICTED)
        draw_mesh(row[6], sample.vertices, faces, "side", PREDICTED)
    return figure


def heatmaps_figure(sample: BodySample, markers: Mapping[str, int], extent: np.ndarray) -> Figure:
    """The heatmaps of a few markers, from the camera (summed over depth) and from the side (over columns).

    Args:
        sample: the frame.
        markers: marker index by the name to print.
        extent: ``[3, 2]`` lower and upper ends of the volume's x, y, z in crop heights.
    """
    (x0, x1), (y0, y1), (z0, z1) = extent
    figure = Figure(figsize=(1.15 * (len(markers) + 1), 4.0), layout="constrained")
    grid = figure.subplots(2, len(markers) + 1)
    columns = {**{name: [index] for name, index in markers.items()}, "all": list(range(len(sample.markers)))}
    for column, (name, indices) in zip(grid.T, columns.items()):
        for ax, axis, ends in zip(column, (1, 3), ((x0, x1), (z0, z1))):
            draw_heatmap(ax, sample.heatmaps[indices], sample.silhouette, axis, (*ends, y1, y0))
            frame_axes(ax)
            ax.set_facecolor("black")
        column[0].set_title(name, fontsize=8, color="#444")
    grid[0, 0].set_ylabel("from the camera", fontsize=8)
    grid[1, 0].set_ylabel("from the side", fontsize=8)
    return figure


def curves_figure(curves: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]]) -> Figure:
    """One panel a quantity, one line a run; ``curves[quantity][run] = (iterations, values)``."""
    figure = Figure(figsize=(2.9 * len(curves), 2.4), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    runs = list(dict.fromkeys(run for lines in curves.values() for run in lines))
    for ax, (quantity, lines) in zip(panels, curves.items()):
        for run, (iterations, values) in lines.items():
            ax.plot(iterations, values, color=RUN_COLOURS[runs.index(run)], linewidth=1.2, label=run)
        ax.set_title(quantity, fontsize=9)
        ax.set_xlabel("iteration", fontsize=8)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.25)
        ax.set_ylim(bottom=0)
    handles = {line.get_label(): line for ax in panels for line in ax.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(runs), fontsize=8)
    return figure


def views_figure(matrices: Mapping[str, np.ndarray], views: Sequence[str]) -> Figure:
    """Rank-1 in percent by probe view (rows) and gallery view (columns), one panel a run."""
    figure = Figure(figsize=(3.6 * len(matrices), 3.5), layout="constrained")
    for ax, (run, matrix) in zip(figure.subplots(1, len(matrices), squeeze=False)[0], matrices.items()):
        shown = np.where(np.eye(len(views), dtype=bool), np.nan, matrix)
        ax.imshow(shown, cmap="viridis", vmin=0, vmax=100)
        for (r, c), value in np.ndenumerate(shown):
            if np.isfinite(value):
                ax.text(c, r, f"{value:.0f}", ha="center", va="center", fontsize=7, color="w" if value < 60 else "k")
        ax.set(xticks=range(len(views)), yticks=range(len(views)), xlabel="gallery view (°)", ylabel="probe view (°)")
        ax.set_xticklabels([str(int(v)) for v in views], fontsize=8)
        ax.set_yticklabels([str(int(v)) for v in views], fontsize=8)
        ax.set_title(run, fontsize=10)
    return figure
