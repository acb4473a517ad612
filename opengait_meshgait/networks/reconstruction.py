"""What a network knows of the body behind its markers: training and looking only."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
            # Contiguous, for one product of matrices instead of one a frame.
            coordinates = markers.to(self.interpolation.dtype).transpose(-1, -2).contiguous()
            vertices = F.linear(coordinates, self.interpolation)
            joints = F.linear(coordinates, self.joint_interpolation)
        return vertices.transpose(-1, -2), joints.transpose(-1, -2)
