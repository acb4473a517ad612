"""Coordinates read off heatmap volumes (Sun et al., "Integral Human Pose Regression", ECCV 2018)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VolumeExtent:
    """The box of crop space that a heatmap volume spans, in crop heights.

    The outermost cells' centres lie on the box, so that every point of it, its faces too, can be read off:
    x runs over ``[-half_width, half_width]``, y over ``[0, 1]`` and z over ``[-depth_range, depth_range]``.
    """

    half_width: float
    depth_range: float

    @classmethod
    def of_silhouettes(cls, height: int, width: int, depth_range: float) -> "VolumeExtent":
        """The extent over silhouettes of ``height × width`` px, which are one crop height high (0.34375 for 64×44)."""
        return cls(width / 2 / height, depth_range)

    def axes(self, volume: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates of the cells' centres of ``volume [..., D, h, w]``: x ``[w]``, y ``[h]``, z ``[D]``."""
        depth, rows, columns = volume.shape[-3:]
        device, dtype = volume.device, torch.promote_types(volume.dtype, torch.float32)
        return (
            torch.linspace(-self.half_width, self.half_width, columns, device=device, dtype=dtype),
            torch.linspace(0.0, 1.0, rows, device=device, dtype=dtype),
            torch.linspace(-self.depth_range, self.depth_range, depth, device=device, dtype=dtype),
        )


def soft_argmax(volumes: Tensor, extent: VolumeExtent) -> Tensor:
    """The mean position under each heatmap.

    The three coordinates come from marginals, by sums and elementwise products alone: those stay in fp32 under
    autocast and TF32, and no second tensor of the volumes' size is made. Sums over the depth and over whole slices
    read what lies side by side, and take less time than sums over rows and columns of the volumes.

    Args:
        volumes: ``[..., D, h, w]``, each summing to 1 over its last three axes.
        extent: the box that the volumes span.

    Returns:
        ``[..., 3]``, x y z in crop space, fp32 or better.
    """
    x, y, z = extent.axes(volumes)
    plane = volumes.sum(-3, dtype=x.dtype)
    slices = volumes.flatten(-2).sum(-1, dtype=x.dtype)
    return torch.stack(
        [(plane.sum(-2) * x).sum(-1), (plane.sum(-1) * y).sum(-1), (slices * z).sum(-1)],
        dim=-1,
    )
