"""Pictures of many frames; and the virtual markers on the body that they belong to."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from opengait_meshgait.networks.meshgait import MeshGaitOutput
from opengait_meshgait.visual.drawing import (
    draw_grid,
    draw_heatmaps,
    draw_markers,
    draw_silhouette,
    draw_text,
    render_mesh,
)
from opengait_meshgait.visual.frames import BodyFrame, BodyFrames, draw_frame

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
    if shown.mean_iou:
        rows["IoU"] = [draw_text(shown.iou(place)) for place in range(len(shown))]
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


def _first(values: Tensor) -> np.ndarray:
    """The first frames of the first sequence."""
    return values[0, :_TRAINING_FRAMES].float().cpu().numpy()


# Rows (right, down, forward) of the viewer's axes in the body's: x to its left, y up, z to its front; metres.
BODY_SIDES = {
    "front": np.diag([1.0, -1, -1]),
    "left side": np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]]),
    "back": np.diag([-1.0, -1, 1]),
}
SIDE_COLOURS = {"left": "#1f5fbf", "right": "#c8452b", "midline": "#1f8a4c"}
_BODY = (232, 220, 203)  # RGB
_DEPTH = 0.005  # m, by which a surface must lie nearer to hide a marker
_MARGIN = 0.06  # m
_INCHES, _PIXELS = 4.3, 645  # a metre in the figure, and in the picture of the body


def markers_figure(
    vertices: np.ndarray, faces: np.ndarray, vertex_ids: np.ndarray, flip: np.ndarray, title: str
) -> Figure:
    """The body from the front, from its left and from the back with its markers, numbered from 0.

    Left ones, right ones and those on the midline have a colour each. A marker that the body hides is a pale ring; it
    has a number only if no view shows it.

    Args:
        vertices: of the body at rest, m, y up, ``[V, 3]``.
        faces: ``[F, 3]``.
        vertex_ids: the markers' vertices, ``[K]``.
        flip: for each marker the one on the other side, ``[K]``.
        title: of the picture.
    """
    places = vertices[vertex_ids]
    sides = marker_sides(places, flip)
    seen = {name: visible(vertices @ view.T, faces, vertex_ids) for name, view in BODY_SIDES.items()}
    nowhere = ~np.any(list(seen.values()), axis=0)
    low, high = vertices.min(0) - _MARGIN, vertices.max(0) + _MARGIN
    widths = [(high - low)[np.abs(view[0]).argmax()] for view in BODY_SIDES.values()]
    figure = Figure(figsize=(_INCHES * sum(widths), _INCHES * (high - low)[1] + 0.7), layout="constrained")
    figure.suptitle(title, fontsize=11)
    for ax, (name, view) in zip(figure.subplots(1, 3, width_ratios=widths), BODY_SIDES.items()):
        left, right = sorted((low @ view[0], high @ view[0]))
        size = round((high - low)[1] * _PIXELS), round((right - left) * _PIXELS)
        pixels = (vertices @ view.T - (left, -high[1], 0)) * _PIXELS
        ax.imshow(render_mesh(pixels, faces, _BODY, size), extent=(left, right, -low[1], -high[1]))
        numbered = seen[name] | (nowhere if name == "front" else False)
        _draw(ax, places @ view.T, sides, seen[name], numbered)
        ax.set(xlim=(left, right), ylim=(-low[1], -high[1]), aspect="equal")
        ax.set_axis_off()
        ax.set_title(name, fontsize=10)
    for side, colour in SIDE_COLOURS.items():
        ax.scatter([], [], color=colour, s=25, label=f"{side} ({sides.count(side)})")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure


def marker_sides(places: np.ndarray, flip: np.ndarray) -> list[str]:
    """``left``, ``right`` or ``midline`` for each of the markers at ``places`` ``[K, 3]`` (x to the body's left)."""
    alone = flip == np.arange(len(flip))
    left = places[:, 0] > places[flip, 0]
    return np.where(alone, "midline", np.where(left, "left", "right")).tolist()


def visible(vertices: np.ndarray, faces: np.ndarray, vertex_ids: np.ndarray) -> np.ndarray:
    """Which vertices no triangle hides from a viewer at infinity who looks along z.

    Args:
        vertices: m, x right, y down, z away, ``[V, 3]``.
        faces: ``[F, 3]``.
        vertex_ids: of the vertices in question, ``[K]``.

    Returns:
        bool ``[K]``.
    """
    a, b, c = vertices[faces].transpose(1, 0, 2)
    doubled_area = _cross(b - a, c - a)
    doubled_area[doubled_area == 0] = np.inf  # seen edge-on, it hides nothing
    shown = np.empty(len(vertex_ids), bool)
    for k, vertex in enumerate(vertex_ids):
        point = vertices[vertex]
        of_b, of_c = _cross(point - a, c - a) / doubled_area, _cross(b - a, point - a) / doubled_area
        depth = a[:, 2] + of_b * (b - a)[:, 2] + of_c * (c - a)[:, 2]
        covers = (of_b >= 0) & (of_c >= 0) & (of_b + of_c <= 1) & np.isfinite(doubled_area)
        shown[k] = not (covers & (depth < point[2] - _DEPTH)).any()
    return shown


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """z of the cross product."""
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _draw(ax: Axes, places: np.ndarray, sides: Sequence[str], seen: np.ndarray, numbered: np.ndarray) -> None:
    """Markers at ``places`` ``[K, 3]`` as the viewer has them."""
    for k, ((x, y, _), side) in enumerate(zip(places, sides)):
        colour = SIDE_COLOURS[side]
        if seen[k]:
            ax.scatter(x, y, s=22, color=colour, edgecolors="white", linewidths=0.5, zorder=3)
        else:
            ax.scatter(x, y, s=16, facecolors="none", edgecolors=colour, linewidths=0.6, alpha=0.35, zorder=2)
        if numbered[k]:
            text = ax.annotate(
                str(k), (x, y), (3, 2.5), textcoords="offset points", fontsize=7, color=colour, zorder=4,
                alpha=1 if seen[k] else 0.6,
            )  # fmt: skip
            text.set_path_effects([withStroke(linewidth=1.6, foreground="white")])
