"""From body parameters to what the heatmap branch is compared with."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from opengait_meshgait.body.crop import crop_frame, to_crop
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import VirtualMarkers, load_markers
from opengait_meshgait.body.model import JOINT_FLIP, BodyModel

_FRAMES_AT_ONCE = 256  # bounds the memory: posing takes some 0.3 MB a frame for 6890 vertices


@dataclass
class BodyTargets:
    """The bodies of n sequences of s frames in crop space (see :mod:`opengait_meshgait.body.crop`), float32.

    Attributes:
        joints: crop heights, [n, s, 24, 3].
        markers: crop heights, [n, s, K, 3].
        vertices: crop heights, [n, s, V, 3].
        height: one crop height, m, [n, s].
        valid: bool [n, s]; where False, all of the above are 0.
    """

    joints: torch.Tensor
    markers: torch.Tensor
    vertices: torch.Tensor
    height: torch.Tensor
    valid: torch.Tensor


@dataclass
class BodyFlips:
    """For each point the index of its counterpart on the other side of the body.

    Attributes:
        joints: [24].
        markers: [K].
        vertices: [V].
    """

    joints: torch.Tensor
    markers: torch.Tensor
    vertices: torch.Tensor


class BodySupervision(nn.Module):
    """Turns SMPL-format frames into targets, on the device they are on.

    Args:
        body: poses the frames.
        markers: picks the virtual markers from its vertices.
    """

    def __init__(self, body: BodyModel, markers: VirtualMarkers):
        super().__init__()
        self.body = body
        self.markers = markers
        self.register_buffer("joint_flip", torch.tensor(JOINT_FLIP), persistent=False)

    @property
    def flips(self) -> BodyFlips:
        """What changes places in a mirror."""
        return BodyFlips(self.joint_flip, self.markers.flip, self.body.mirror)

    @torch.no_grad()
    def forward(self, smpls: torch.Tensor) -> BodyTargets:
        """Pose the bodies and bring them into crop space, in float32 under autocast too.

        A frame is invalid if it holds a number that is not finite, if its pose is all zeros (as trackers write where
        they found nobody), or if no body comes out of it.

        Args:
            smpls: camera (3, not used: the crop takes scale and translation away), axis-angle pose (72, rad, the root
                turning the body into camera orientation) and betas (10), [n, s, 85].

        Raises:
            ValueError: ``smpls`` is not [n, s, 85].
        """
        if smpls.ndim != 3 or smpls.shape[-1] != 85:
            raise ValueError(f"smpls must be [n, s, 85], got {list(smpls.shape)}")
        with torch.autocast(smpls.device.type, enabled=False):
            parts = [self._targets(part) for part in smpls.flatten(0, 1).float().split(_FRAMES_AT_ONCE)]
        return BodyTargets(*(torch.cat(parts).unflatten(0, smpls.shape[:2]) for parts in zip(*parts)))

    def _targets(self, frames: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The fields of :class:`BodyTargets` for frames [m, 85], each [m, ...]."""
        pose, betas = frames[:, 3:75], frames[:, 75:]
        valid = frames[:, 3:].isfinite().all(1) & pose.any(1)
        vertices, joints = self.body(torch.where(valid[:, None], pose, 0.0), torch.where(valid[:, None], betas, 0.0))
        valid = valid & vertices.isfinite().all(-1).all(-1)
        vertices = torch.where(valid[:, None, None], vertices, 0.0)
        frame = crop_frame(vertices, self.body.faces, joints[:, 0])
        valid = valid & frame.origin.isfinite().all(-1) & frame.height.isfinite()
        points = [to_crop(points, frame) for points in (joints, self.markers.select(vertices), vertices)]
        points = [torch.where(valid[:, None, None], p, 0.0) for p in points]
        return (*points, torch.where(valid, frame.height, 0.0), valid)


def load_supervision(body: str | Path | None = None, markers: str | Path | None = None) -> BodySupervision:
    """The supervision by a body file and a file of its markers; None is what ships with the package.

    Raises:
        UserError: a file cannot be used, or the markers belong to another body.
    """
    model = load_body(body)
    return BodySupervision(model, load_markers(markers, model))
