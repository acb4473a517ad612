"""Crop space: where a body stands in its own normalised silhouette.

x points right, y down, z away from the camera; the unit is the height of the silhouette. The origin is at the top, at
the silhouette's median column, at the depth of the pelvis. Normalising a silhouette takes away the weak-perspective
camera's scale and translation, so a body posed in camera orientation gets here by its own outline alone.

Crop space and pixels. ``normalize_silhouette`` scales the person to the picture's ``h`` rows and puts the column that
*contains* the median at index ``w // 2`` (column 32 of 64; column 22 of 44 once 10 columns are cut from either side)::

    u = m + h x,   m = w // 2 + 0.5        u, v in pixels from the picture's top-left corner,
    v = h y                                so that pixel (r, c) has its centre at (c + 0.5, r + 0.5)

The median may lie anywhere in its column, so the column's centre is right on average and wrong by up to half a pixel
(a quarter on average). Where a picture is at hand, :func:`median_column` measures ``m`` in it. Mirroring a picture
about x = 0 takes column c to column ``2 * (w // 2) - c``.
"""

from dataclasses import dataclass

import torch

from opengait_meshgait.body.raster import rasterize

# Resolution of the outline from which the median is taken. It is stretched over the body's bounding box, so columns
# are about 1/100 of a crop height wide even for spread arms.
_ROWS, _COLUMNS = 64, 64


@dataclass
class CropFrame:
    """Where crop space lies in camera orientation.

    Attributes:
        origin: the crop's origin, m, [..., 3].
        height: one crop height, m, [...].
    """

    origin: torch.Tensor
    height: torch.Tensor


@torch.no_grad()
def crop_frame(vertices: torch.Tensor, faces: torch.Tensor, pelvis: torch.Tensor) -> CropFrame:
    """The crop frame of posed bodies seen by a weak-perspective camera.

    Args:
        vertices: the body in camera orientation (x right, y down, z away), m, [n, V, 3].
        faces: triangles, [F, 3].
        pelvis: the pelvis joint, m, [n, 3].

    Returns:
        The frames; no gradient flows into them.
    """
    xy = vertices[..., :2].float()
    low, high = xy.amin(1), xy.amax(1)
    extent = (high - low).clamp_min(1e-6)
    size = torch.tensor([_COLUMNS, _ROWS], dtype=xy.dtype, device=xy.device)
    outline = rasterize((xy - low[:, None]) * (size / extent)[:, None], faces, _ROWS, _COLUMNS)
    median = low[:, 0] + median_column(outline) * extent[:, 0] / _COLUMNS
    return CropFrame(torch.stack([median, low[:, 1], pelvis[:, 2].float()], -1), extent[:, 1])


def median_column(silhouettes: torch.Tensor) -> torch.Tensor:
    """Where a silhouette has half of its mass on either side, as a real number.

    Args:
        silhouettes: of any type, none of them empty, [..., h, w].

    Returns:
        px from the left edge, [...], float32.
    """
    mass = silhouettes.float().sum(-2)
    before = mass.cumsum(-1) - mass
    half = mass.sum(-1, keepdim=True) / 2
    column = (before < half).sum(-1, keepdim=True).sub(1).clamp_min(0)
    inside = (half - before.gather(-1, column)) / mass.gather(-1, column)
    return (column + inside)[..., 0]


def to_crop(points: torch.Tensor, frame: CropFrame) -> torch.Tensor:
    """Points in camera orientation, m, [..., P, 3] -> crop space, crop heights."""
    return (points - frame.origin[..., None, :]) / frame.height[..., None, None]


def flip_crop(points: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """The body's mirror image: x changes its sign and left changes places with right.

    Args:
        points: crop space, [..., P, 3].
        flip: for each point the index of its counterpart on the other side, [P].
    """
    return points[..., flip, :] * points.new_tensor([-1, 1, 1])


def to_pixels(points: torch.Tensor, height: int = 64, width: int = 44) -> torch.Tensor:
    """Points in crop space [..., 2 or 3] -> (u, v) px [..., 2] in a normalised silhouette of ``height`` x ``width``."""
    return points[..., :2] * height + points.new_tensor([width // 2 + 0.5, 0])


def render_crop(
    vertices: torch.Tensor,
    faces: torch.Tensor,
    height: int = 64,
    width: int = 44,
    median: torch.Tensor | None = None,
) -> torch.Tensor:
    """Silhouettes of bodies in crop space, to be laid over normalised ones.

    Args:
        vertices: crop heights, [n, V, 3].
        faces: triangles, [F, 3].
        height: of the pictures, px.
        width: of the pictures, px.
        median: the :func:`median_column` of the pictures to be laid over, px, [n]; None for the centre of the median
            column.

    Returns:
        bool [n, height, width].
    """
    pixels = to_pixels(vertices, height, width)
    if median is not None:
        pixels[..., 0] += (median - (width // 2 + 0.5))[:, None]
    return rasterize(pixels, faces, height, width)
