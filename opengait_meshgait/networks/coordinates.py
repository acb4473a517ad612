"""From heatmap volumes to coordinates: of markers by soft-argmax, and of joints and mesh behind them."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
    autocast and TF32, and no second tensor of the volumes' size is made.

    Args:
        volumes: ``[..., D, h, w]``, each summing to 1 over its last three axes.
        extent: the box that the volumes span.

    Returns:
        ``[..., 3]``, x y z in crop space, fp32 or better.
    """
    x, y, z = extent.axes(volumes)
    columns = volumes.sum((-3, -2), dtype=x.dtype)
    slices = volumes.sum(-1, dtype=x.dtype)
    return torch.stack(
        [(columns * x).sum(-1), (slices.sum(-2) * y).sum(-1), (slices.sum(-1) * z).sum(-1)],
        dim=-1,
    )


class Reconstruction(nn.Module):
    """Mesh and joints as linear functions of the markers (Ma et al., "Virtual Markers", CVPR 2023, Eq. 1).

    The body's arrays are buffers that move with the module but are never written into a checkpoint, so that no
    licensed body leaks into a file that people share.

    Args:
        interpolation: ``[V, K]``, rows summing to 1: vertices = interpolation · markers.
        joint_regressor: ``[24, V]``: joints = joint_regressor · vertices.
        side: ``[K]``: 1 for markers on the body's left, -1 on its right, 0 between.
        flip: int ``[K]``: their mirror images on the other side of the body.
        start: ``[K, 3]``: where in crop space markers usually are.

    Raises:
        ValueError: the matrices do not fit each other.
    """

    interpolation: Tensor
    joint_interpolation: Tensor
    side: Tensor
    flip: Tensor
    start: Tensor

    def __init__(self, interpolation: Tensor, joint_regressor: Tensor, side: Tensor, flip: Tensor, start: Tensor):
        super().__init__()
        if interpolation.dim() != 2 or joint_regressor.shape[1:] != interpolation.shape[:1]:
            raise ValueError(
                f"expected interpolation [V, K] and joint_regressor [24, V], got {tuple(interpolation.shape)} "
                f"and {tuple(joint_regressor.shape)}"
            )
        markers = interpolation.shape[1]
        for name, array, shape in (
            ("side", side, (markers,)),
            ("flip", flip, (markers,)),
            ("start", start, (markers, 3)),
        ):
            if array.shape != shape:
                raise ValueError(f"expected {name} {list(shape)}, got {list(array.shape)}")
        interpolation = interpolation.detach().clone()
        # Multiplied once here, so that the joints cost 24×K instead of 24×V.
        joints = joint_regressor.detach().to(interpolation) @ interpolation
        self.register_buffer("interpolation", interpolation, persistent=False)
        self.register_buffer("joint_interpolation", joints, persistent=False)
        self.register_buffer("side", side.detach().clone(), persistent=False)
        self.register_buffer("flip", flip.detach().clone(), persistent=False)
        self.register_buffer("start", start.detach().clone(), persistent=False)

    def forward(self, markers: Tensor) -> tuple[Tensor, Tensor]:
        """Markers ``[..., K, 3]`` to vertices ``[..., V, 3]`` and joints ``[..., 24, 3]``, in the markers' unit.

        In fp32 under autocast: bf16 would round a mesh to 3 mm.
        """
        with torch.autocast(markers.device.type, enabled=False):
            coordinates = markers.to(self.interpolation.dtype).transpose(-1, -2)
            vertices = F.linear(coordinates, self.interpolation)
            joints = F.linear(coordinates, self.joint_interpolation)
        return vertices.transpose(-1, -2), joints.transpose(-1, -2)
