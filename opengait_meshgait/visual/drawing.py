"""Pictures of one frame: its silhouette, heatmaps, markers and mesh, all to the same scale.

Pictures are uint8 RGB ``[HEIGHT, WIDTH, 3]``. They show crop space, x = 0 in the middle and the whole height of the
silhouette between two margins. Charts are Matplotlib figures; both are written here.
"""

import base64
import functools
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from opengait_meshgait.common.files import atomic_path

HEIGHT, WIDTH = 256, 192
"""Of a picture, px."""
LINE, LEFT = 44, 170
"""Height of two lines of text and width of a column of text, px."""
TRUE, ESTIMATED = (154, 160, 166), (91, 142, 201)
"""Colours of a true and of an estimated mesh, RGB."""
Picture = np.ndarray | Figure
"""uint8 RGB ``[h, w, 3]``, or a Matplotlib figure."""

_SCALE, _MARGIN = 240, 8  # px a crop height, px above and below the body
_PAPER = (246, 247, 249)
_TRUE_MARKER, _MARKER = (60, 190, 90), (235, 75, 60)
_FINER = 2  # meshes and markers are drawn so much larger and shrunk, which smooths their edges
_LIGHT = np.array([-0.4, -0.6, -0.7]) / np.linalg.norm([0.4, 0.6, 0.7])


def draw_silhouette(silhouette: np.ndarray) -> np.ndarray:
    """A normalised silhouette, uint8 ``[h, w]``."""
    h, w = silhouette.shape
    # Crop space has x = 0 at the centre of the column w // 2, see body/crop.py; cv2 counts from pixels' centres.
    grey = _place(silhouette, (h, w // 2), (h, -0.5), cv2.INTER_NEAREST)
    return np.repeat(grey[..., None], 3, axis=2)


def draw_heatmaps(volumes: np.ndarray, half_width: float, silhouette: np.ndarray | None = None) -> np.ndarray:
    """The maximum over all markers' heatmaps, each summed over depth and scaled to the same peak.

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
    return colours if silhouette is None else np.maximum(colours, draw_silhouette(silhouette) // 4)


def draw_markers(
    silhouette: np.ndarray, markers: np.ndarray | None, true_markers: np.ndarray | None = None
) -> np.ndarray:
    """Markers ``[K, 3]`` on their silhouette, red, and the true ones behind them, green."""
    picture = np.ascontiguousarray((draw_silhouette(silhouette) // 3).repeat(_FINER, 0).repeat(_FINER, 1))
    for points, colour in ((true_markers, _TRUE_MARKER), (markers, _MARKER)):
        if points is None:
            continue
        pixels = (points[:, :2] * _SCALE + (WIDTH / 2, _MARGIN)) * _FINER - 0.5
        for centre in np.rint(pixels).astype(int).tolist():
            cv2.circle(picture, centre, 2 * _FINER, colour, -1, cv2.LINE_AA)
    return _shrunk(picture)


def draw_mesh(vertices: np.ndarray, faces: np.ndarray, colour: tuple[int, int, int], degrees: float) -> np.ndarray:
    """A shaded mesh.

    Args:
        vertices: crop heights, ``[V, 3]``.
        faces: ``[F, 3]``.
        colour: RGB of a surface that faces the light.
        degrees: how far the viewer has walked around the person: 0 is the camera's place, 90 to the camera's right.
    """
    pixels = turned(vertices, degrees) * _SCALE + (WIDTH / 2, _MARGIN, 0)
    return render_mesh(pixels, faces, colour, (HEIGHT, WIDTH), _PAPER)


def render_mesh(
    pixels: np.ndarray,
    faces: np.ndarray,
    colour: tuple[int, int, int],
    size: tuple[int, int],
    paper: tuple[int, int, int] = (255, 255, 255),
) -> np.ndarray:
    """A shaded mesh, its farthest triangles first.

    Args:
        pixels: vertices in px from the upper left corner, x right, y down, z away from the viewer, ``[V, 3]``.
        faces: ``[F, 3]``.
        colour: RGB of a surface that faces the light.
        size: height and width of the picture, px.
        paper: RGB of the background.
    """
    picture = np.full((size[0] * _FINER, size[1] * _FINER, 3), paper, np.uint8)
    front, brightness = shade(pixels[faces])
    colours = np.rint(brightness[:, None] * np.array(colour)).tolist()
    bits = 4  # of a fraction of a pixel
    places = np.rint((pixels[:, :2] * _FINER - 0.5) * 2**bits).astype(np.int32)
    for triangle, shaded in zip(places[faces[front]], colours):
        cv2.fillConvexPoly(picture, triangle, shaded, shift=bits)
    return _shrunk(picture)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points ``[..., 3]`` as a viewer has them who walked around the person, see :func:`draw_mesh`."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def shade(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The half of a closed surface that faces the viewer, its farthest triangles first.

    Args:
        corners: of the triangles, x right, y down, z away from the viewer, ``[F, 3, 3]``.

    Returns:
        Indices of the triangles to draw in this order, ``[f]``, and how much of their colour each shows, 0.35…1,
        ``[f]``: the light is behind the viewer's left shoulder.
    """
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    # The surface's winding says which sign of the normals faces the viewer.
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    normals *= np.sign(volume) or 1.0
    front = np.flatnonzero(normals[:, 2] < 0)
    front = front[np.argsort(-corners[front, :, 2].mean(1))]
    return front, 0.35 + 0.65 * np.clip(normals[front] @ _LIGHT, 0, 1)


@functools.lru_cache(maxsize=256)
def draw_text(text: str, width: int = WIDTH, height: int = LINE) -> np.ndarray:
    """Text in the middle of a white picture, uint8 ``[height, width, 3]``."""
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, color="#333", linespacing=1.2)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def draw_grid(
    pictures: Sequence[Sequence[np.ndarray]], rows: Sequence[str], columns: Sequence[str], corner: str = ""
) -> np.ndarray:
    """Pictures side by side, uint8 ``[h, w, 3]``, with texts before the rows and above the columns."""
    lines = [np.hstack([draw_text(corner, LEFT), *map(draw_text, columns)])]
    lines += [np.hstack([draw_text(text, LEFT, len(row[0])), *row]) for text, row in zip(rows, pictures)]
    return np.vstack(lines)


def encode(picture: Picture, ending: str = ".png") -> bytes:
    """A picture as the content of a ``.png``, or of a ``.jpg``, which smooth heatmaps need a tenth of the space in."""
    if isinstance(picture, Figure):
        buffer = io.BytesIO()
        picture.savefig(buffer, format=ending[1:], dpi=150)
        return buffer.getvalue()
    options = [cv2.IMWRITE_JPEG_QUALITY, 88] if ending == ".jpg" else []
    done, data = cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done
    return data.tobytes()


def data_uri(picture: Picture, ending: str = ".png") -> str:
    """A picture as the address of an image in an HTML page."""
    kind = {".png": "png", ".jpg": "jpeg"}[ending]
    return f"data:image/{kind};base64,{base64.b64encode(encode(picture, ending)).decode()}"


def write_png(path: str | Path, picture: Picture) -> None:
    """Write a picture, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode(picture))


def _place(image: np.ndarray, across: tuple[float, float], down: tuple[float, float], interpolation: int) -> np.ndarray:
    """``image`` where crop space has it; its column at x is ``across[0] * x + across[1]``, its row so by ``down``."""
    (a, b), (c, d) = across, down
    # From the picture's pixels, whose centres are half a pixel on, to crop space and from there to the image's.
    matrix = np.array(
        [
            [a / _SCALE, 0, a * (0.5 - WIDTH / 2) / _SCALE + b],
            [0, c / _SCALE, c * (0.5 - _MARGIN) / _SCALE + d],
        ]
    )
    return cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), flags=interpolation | cv2.WARP_INVERSE_MAP)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, None, fx=1 / _FINER, fy=1 / _FINER, interpolation=cv2.INTER_AREA)
