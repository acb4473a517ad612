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

    One product of matrices, which on a CPU takes half the time of sums over slices and columns. In fp32 under autocast
    too: 16 bits would round a place in the crop to half a millimetre.

    Args:
        volumes: ``[..., D, h, w]``, each summing to 1 over its last three axes.
        extent: the box that the volumes span.

    Returns:
        ``[..., 3]``, x y z in crop space, fp32 or better.
    """
    x, y, z = extent.axes(volumes)
    planes = torch.meshgrid(z, y, x, indexing="ij")
    cells = torch.stack(planes[::-1], dim=-1).flatten(0, 2)
    with torch.autocast(volumes.device.type, enabled=False):
        return volumes.flatten(-3).to(x.dtype) @ cells
