"""Pictures of one frame: its silhouette, heatmaps, markers and mesh, all to the same scale.

Pictures are uint8 RGB ``[HEIGHT, WIDTH, 3]``. They show crop space, x = 0 in the middle and the whole height of the
silhouette between two margins.
"""

import cv2
import numpy as np

from opengait_meshgait.visual.shading import shade

HEIGHT, WIDTH = 256, 192
"""Of a picture, px."""
TRUE, ESTIMATED = (154, 160, 166), (91, 142, 201)
"""Colours of a true and of an estimated mesh, RGB."""

_SCALE, _MARGIN = 240, 8  # px a crop height, px above and below the body
_PAPER = (246, 247, 249)
_TRUE_MARKER, _MARKER = (60, 190, 90), (235, 75, 60)
_FINER = 2  # meshes and markers are drawn so much larger and shrunk, which smooths their edges


def draw_silhouette(silhouette: np.ndarray) -> np.ndarray:
    """A normalised silhouette, uint8 ``[h, w]``."""
    h, w = silhouette.shape
    # Crop space has x = 0 at the centre of the column w // 2, see body/crop.py; cv2 counts from pixels' centres.
    grey = _place(silhouette, (h, w // 2), (h, -0.5), cv2.INTER_NEAREST)
    return np.repeat(grey[..., None], 3, axis=2)


def draw_heatmaps(volumes: np.ndarray, half_width: float, silhouette: np.ndarray) -> np.ndarray:
    """The maximum over all markers' heatmaps, each seen through its depth and brought to the same peak.

    Args:
        volumes: ``[K, D, h, w]``, each summing to 1.
        half_width: crop heights from the middle to the outermost cells' centres.
        silhouette: uint8 ``[h', w']``, drawn faintly behind.
    """
    planes = volumes.sum(1)
    image = (planes / planes.max((1, 2), keepdims=True)).max(0)
    rows, columns = image.shape
    # The outermost cells' centres lie on the ends of the volume.
    across, down = ((columns - 1) / 2 / half_width, (columns - 1) / 2), (rows - 1, 0)
    levels = _place(np.rint(image * 255).astype(np.uint8), across, down, cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.maximum(colours, draw_silhouette(silhouette) // 4)


def draw_markers(silhouette: np.ndarray, markers: np.ndarray, true_markers: np.ndarray | None) -> np.ndarray:
    """Markers ``[K, 3]`` on their silhouette, red, and the true ones behind them, green."""
    picture = _enlarged(draw_silhouette(silhouette) // 3)
    for points, colour in ((true_markers, _TRUE_MARKER), (markers, _MARKER)):
        for centre in [] if points is None else np.rint(_pixels(points)).astype(int).tolist():
            cv2.circle(picture, centre, 2 * _FINER, colour, -1, cv2.LINE_AA)
    return _shrunk(picture)


def draw_mesh(vertices: np.ndarray, faces: np.ndarray, colour: tuple[int, int, int], degrees: float) -> np.ndarray:
    """A shaded mesh, its farthest triangles first.

    Args:
        vertices: crop heights, ``[V, 3]``.
        faces: ``[F, 3]``.
        colour: RGB of a surface that faces the light.
        degrees: how far the viewer has walked around the person: 0 is the camera's place, 90 to the camera's right.
    """
    picture = _enlarged(np.full((HEIGHT, WIDTH, 3), _PAPER, np.uint8))
    vertices = turned(vertices, degrees)
    corners = vertices[faces]
    front, brightness = shade(corners)
    colours = np.rint(brightness[:, None] * np.array(colour)).tolist()
    bits = 4  # of a fraction of a pixel
    pixels = np.rint(_pixels(vertices) * 2**bits).astype(np.int32)
    for triangle, shaded in zip(pixels[faces[front]], colours):
        cv2.fillConvexPoly(picture, triangle, shaded, shift=bits)
    return _shrunk(picture)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points ``[..., 3]`` as a viewer has them who walked around the person, see :func:`draw_mesh`."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def _pixels(points: np.ndarray) -> np.ndarray:
    """Where points ``[P, 3]`` lie in an enlarged picture, as cv2 counts, ``[P, 2]``."""
    return (points[:, :2] * _SCALE + (WIDTH / 2, _MARGIN)) * _FINER - 0.5


def _place(image: np.ndarray, across: tuple[float, float], down: tuple[float, float], interpolation: int) -> np.ndarray:
    """``image`` where crop space has it; its column at x is ``across[0] * x + across[1]``, its row so by ``down``."""
    (a, b), (c, d) = across, down
    # From the picture's pixels, whose centres are half a pixel on, to crop space and on to the image's.
    matrix = np.array(
        [
            [a / _SCALE, 0, a * (0.5 - WIDTH / 2) / _SCALE + b],
            [0, c / _SCALE, c * (0.5 - _MARGIN) / _SCALE + d],
        ]
    )
    return cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), flags=interpolation | cv2.WARP_INVERSE_MAP)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture.repeat(_FINER, 0).repeat(_FINER, 1))


def _shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
