"""Pictures of many frames, and charts."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from opengait_meshgait.networks.meshgait import MeshGaitOutput
from opengait_meshgait.visual.drawing import draw_grid, draw_heatmaps, draw_markers, draw_silhouette, draw_text
from opengait_meshgait.visual.frames import BodyFrame, BodyFrames, draw_frame

RUN_COLOURS = ("#c2703d", "#2f6db5", "#4c9a5a", "#8a5aa8")
_TRAINING_FRAMES = 6
_SIDES = {"": 0.0, ",\nfrom the right": 90.0}


def walkers_figure(silhouettes: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """A sheet of silhouettes, uint8 ``[rows, columns, h, w]``."""
    return draw_grid([[*map(draw_silhouette, row)] for row in silhouettes], rows, columns)


def bodies_figure(samples: Mapping[str, BodyFrame]) -> np.ndarray:
    """Frames by their titles, one a row: the silhouette, what a network found in it, and the true body."""
    rows = [draw_frame(sample, _SIDES, with_truth=True) for sample in samples.values()]
    return draw_grid([[*row.values()] for row in rows], [*samples], [*rows[0]])


def sequence_figure(shown: BodyFrames) -> np.ndarray:
    """One frame a column: its silhouette and what a network found in it below; bodies from two sides."""
    columns = [draw_frame(frame, _SIDES, shown.has_truth) for frame in shown.frames]
    rows = {label: [column[label] for column in columns] for label in columns[0]}
    if shown.mean_error:
        rows["marker error"] = [draw_text(shown.error(place)) for place in range(len(shown))]
    return draw_grid([*rows.values()], [*rows], [f"frame {number}" for number in shown.numbers], shown.name)


def heatmaps_figure(sample: BodyFrame, markers: Mapping[str, int]) -> np.ndarray:
    """The heatmaps of a few markers and of all, from the camera (summed over depth) and its right (over columns).

    Args:
        sample: the frame.
        markers: marker index by the name to print.
    """
    columns = {**{name: [index] for name, index in markers.items()}, "all": list(range(len(sample.markers)))}
    volumes = [sample.heatmaps[indices] for indices in columns.values()]
    camera = [draw_heatmaps(one, sample.extent.half_width, sample.silhouette) for one in volumes]
    # From the camera's right, what is far away is to the right.
    right = [draw_heatmaps(one.transpose(0, 3, 2, 1), sample.extent.depth_range) for one in volumes]
    return draw_grid([camera, right], ["from the\ncamera", "from the\nright"], [*columns])


@torch.no_grad()
def training_picture(sils: Tensor, output: MeshGaitOutput, true_markers: Tensor | None = None) -> Tensor:
    """For TensorBoard: frames of the batch's first sequence, side by side.

    Upper row: silhouettes with true (green) and estimated (red) markers. With heatmaps, they are in a lower row.

    Args:
        sils: what the network saw, [n, s, h, w], 0…1.
        output: what it found.
        true_markers: crop space, [n, s, K, 3], all 0 in a frame where they are not known, or None.

    Returns:
        [3, h', w'], 0…1, on the CPU.
    """
    silhouettes = np.rint(_first(sils) * 255).astype(np.uint8)
    none = [None] * len(silhouettes)
    found, true = (none if points is None else _first(points) for points in (output.markers, true_markers))
    known = [None if points is None or not points.any() else points for points in true]
    rows = [np.hstack([draw_markers(*frame) for frame in zip(silhouettes, found, known)])]
    if output.heatmaps is not None:
        height, width = silhouettes.shape[1:]
        volumes = zip(_first(output.heatmaps), silhouettes)
        rows.append(np.hstack([draw_heatmaps(each, width / height / 2, sil) for each, sil in volumes]))
    return torch.from_numpy(np.vstack(rows)).permute(2, 0, 1) / 255


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


def _first(values: Tensor) -> np.ndarray:
    """The first frames of the first sequence."""
    return values[0, :_TRAINING_FRAMES].float().cpu().numpy()
