"""How well bodies cover the silhouettes that they are seen in: the intersection over union (IoU) of the two."""

import torch

from opengait_meshgait.body.crop import to_pixels
from opengait_meshgait.body.raster import rasterize


def mask_iou(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """IoU of masks, bool [..., h, w] both -> float32 [...]; 0 where both are empty."""
    both, either = ((first & second).flatten(-2), (first | second).flatten(-2))
    # Not in int64, which takes PyTorch twice the time.
    return both.sum(-1, dtype=torch.int32) / either.sum(-1, dtype=torch.int32).clamp_min(1)


@torch.no_grad()
def mesh_iou(vertices: torch.Tensor, faces: torch.Tensor, silhouettes: torch.Tensor) -> torch.Tensor:
    """IoU of meshes in crop space with silhouettes, at the silhouettes' resolution.

    Args:
        vertices: crop heights, [m, V, 3].
        faces: triangles, int [F, 3].
        silhouettes: normalised, 0…1, [m, h, w]; more than one half is the person.

    Returns:
        float32 [m]; 0 for a mesh that is not finite.
    """
    return mask_iou(draw_meshes(vertices, faces, *silhouettes.shape[1:]), silhouettes > 0.5)


@torch.no_grad()
def draw_meshes(vertices: torch.Tensor, faces: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Which pixels of a normalised silhouette meshes cover.

    Args:
        vertices: crop heights, [m, V, 3].
        faces: triangles, int [F, 3].
        height, width: of the picture, px.

    Returns:
        bool [m, height, width]; none of a mesh that is not finite.
    """
    finite = vertices.isfinite().flatten(1).all(1)[:, None, None]
    xy = to_pixels(torch.where(finite, vertices.float(), 0.0), height, width)
    return rasterize(xy, faces, height, width) & finite
