"""Silhouettes, meshes, markers and heatmaps drawn into Matplotlib axes. Everything 3D is in crop space."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from opengait_meshgait.visual.shading import shade

# Two directions to look from, as (right, down, forward) axes in crop space: the camera's own, and from its right.
VIEWS = {
    "camera": np.eye(3),
    "side": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
}
_MARKER_COLOURS = "turbo"


def frame_axes(ax: Axes) -> None:
    """Crop space in ``ax``: one crop height tall with a margin, y down, no ticks."""
    ax.set(xlim=(-0.36, 0.36), ylim=(1.03, -0.03), aspect="equal", xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_silhouette(ax: Axes, silhouette: np.ndarray, alpha: float = 1.0) -> None:
    """Draw a normalised silhouette ``[h, w]`` where crop space has it."""
    h, w = silhouette.shape
    half = w / h / 2
    ax.imshow(silhouette, cmap="gray", extent=(-half, half, 1, 0), alpha=alpha, interpolation="nearest")


def draw_mesh(ax: Axes, vertices: np.ndarray, faces: np.ndarray, view: str, colour: str = "#5b8ec9") -> None:
    """Draw a shaded mesh, farthest triangles first.

    Args:
        ax: where to draw.
        vertices: ``[V, 3]`` in crop heights.
        faces: ``[F, 3]``.
        view: a key of :data:`VIEWS`.
        colour: of a surface that faces the light.
    """
    corners = (vertices @ VIEWS[view].T)[faces]
    front, brightness = shade(corners)
    red_green_blue = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    colours = brightness[:, None] * red_green_blue
    ax.add_collection(PolyCollection(corners[front][:, :, :2], facecolors=colours, edgecolors=colours, linewidths=0.2))


def draw_markers(ax: Axes, markers: np.ndarray, view: str) -> None:
    """Draw virtual markers ``[K, 3]``, each in a colour of its own, farthest first."""
    points = markers @ VIEWS[view].T
    order = np.argsort(-points[:, 2])
    ax.scatter(*points[order, :2].T, c=order, cmap=_MARKER_COLOURS, s=9, linewidths=0.3, edgecolors="white")


def draw_heatmap(ax: Axes, volumes: np.ndarray, silhouette: np.ndarray, axis: int, extent: tuple) -> None:
    """Draw the heatmaps of some markers, summed over one axis of the volume, over the silhouette.

    Args:
        ax: where to draw.
        volumes: ``[K, D, h, w]``, each summing to 1.
        silhouette: ``[h, w]``.
        axis: 1 sums over depth (the camera's view), 3 sums over columns (the side view, nearer is left).
        extent: ``(left, right, bottom, top)`` of the drawn plane in crop heights.
    """
    plane = volumes.sum(axis)
    plane = plane / plane.max(axis=(1, 2), keepdims=True)
    image = plane.max(0)
    if axis == 3:
        image = image.T
    else:
        draw_silhouette(ax, silhouette, alpha=0.35)
    ax.imshow(image, cmap="inferno", extent=extent, alpha=0.8, vmin=0, vmax=1, interpolation="bilinear")
