"""From body parameters, or from joints alone, to what the heatmap branch is compared with."""

from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import nn

from opengait_meshgait.body.crop import crop_frame, joint_crop_frame, to_crop
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, FRAME_SIZE, JOINT_FLIP, NUM_JOINTS, POSE, ROOT_TURN
from opengait_meshgait.body.markers import VirtualMarkers, load_markers
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.pose_samples import sample_poses
from opengait_meshgait.body.raster import VERTICES_ON_A_GPU

_TYPICAL = 64  # poses that say where markers usually are
_MIDLINE = 0.02  # m; markers nearer to the midline do not tell left from right
_FRAMES_AT_ONCE = 256  # on a CPU; bounds the memory: posing takes some 0.3 MB a frame for 6890 vertices


@dataclass
class BodyTargets:
    """The bodies of n sequences of s frames in crop space (see :mod:`opengait_meshgait.body.crop`), float32.

    Attributes:
        joints: crop heights, [n, s, 24, 3].
        markers: crop heights, [n, s, K, 3].
        vertices: crop heights, [n, s, V, 3].
        height: one crop height, m, [n, s].
        joint_weights: how much the frame's joints count, 0…1, [n, s]; where 0, they are 0.
        mesh_weights: how much its markers and vertices count, 0…1, [n, s]; where 0, they are 0.
    """

    joints: torch.Tensor
    markers: torch.Tensor
    vertices: torch.Tensor
    height: torch.Tensor
    joint_weights: torch.Tensor
    mesh_weights: torch.Tensor


@dataclass
class BodyFlips:
    """For each point, [24], [K] and [V], the index of its counterpart on the other side of the body."""

    joints: torch.Tensor
    markers: torch.Tensor
    vertices: torch.Tensor

    def to(self, device: torch.device) -> "BodyFlips":
        """The same on ``device``."""
        return BodyFlips(*(getattr(self, field.name).to(device) for field in fields(self)))


class BodySupervision(nn.Module):
    """Turns SMPL-format frames into targets, on the device they are on, by a body and its virtual markers."""

    joint_flip: torch.Tensor

    def __init__(self, body: BodyModel, markers: VirtualMarkers):
        super().__init__()
        self.body = body
        self.markers = markers
        self.register_buffer("joint_flip", torch.tensor(JOINT_FLIP), persistent=False)

    @property
    def flips(self) -> BodyFlips:
        """What changes places in a mirror."""
        return BodyFlips(self.joint_flip, self.markers.flip, self.body.mirror)

    def of_markers(self) -> dict[str, torch.Tensor]:
        """What a network that estimates markers must know of the body.

        Returns:
            ``interpolation [V, K]`` (markers to vertices), ``joint_regressor [24, V]`` (vertices to joints), ``side
            [K]`` (1 for markers on the body's left, -1 on its right, 0 near the midline), ``flip [K]`` (their mirror
            images) and ``start [K, 3]``: where in crop space the markers of people lie on average who walk in any
            direction, x = z = 0.
        """
        x = self.body.v_template[self.markers.vertex_ids, 0]
        x = x - (x + x[self.markers.flip]).mean() / 2
        poses, betas = sample_poses(2 * _TYPICAL, seed=0)
        frames = torch.zeros(1, _TYPICAL, FRAME_SIZE)
        frames[..., POSE], frames[..., BETAS] = torch.from_numpy(poses[:_TYPICAL]), torch.from_numpy(betas[:_TYPICAL])
        frames[..., ROOT_TURN.start] = torch.pi  # y down
        start = self(frames.to(x.device)).markers[0].mean(0) * x.new_tensor([0.0, 1.0, 0.0])
        return {
            "interpolation": self.markers.interpolation,
            "joint_regressor": self.body.J_regressor,
            "side": torch.where(x.abs() > _MIDLINE, x.sign(), 0.0),
            "flip": self.markers.flip,
            "start": start,
        }

    @torch.no_grad()
    def forward(self, bodies: torch.Tensor, weights: torch.Tensor | None = None) -> BodyTargets:
        """Bring the bodies into crop space, in float32 under autocast too.

        Parameters are posed. Of joints alone (see :func:`joint_crop_frame`), markers and vertices stay
        unknown and have no weight. A frame has no weight at all if it holds a number that is not finite, if its pose
        or its joints are all zeros (as trackers write where they found nobody), or if posing it gives no finite body.

        Args:
            bodies: camera (3, not used: the crop takes scale and translation away), axis-angle pose (72, rad, the root
                turning the body into camera orientation) and betas (10), [n, s, 85]; or joints in camera orientation,
                m, [n, s, 24, 3].
            weights: how much each frame counts, 0…1, [n, s]; None: all of them fully.

        Raises:
            ValueError: ``bodies`` is neither [n, s, 85] nor [n, s, 24, 3], or ``weights`` is not [n, s].
        """
        if bodies.shape[2:] not in ((FRAME_SIZE,), (NUM_JOINTS, 3)):
            raise ValueError(f"bodies must be [n, s, 85] or [n, s, {NUM_JOINTS}, 3], got {list(bodies.shape)}")
        leading = bodies.shape[:2]
        if weights is None:
            weights = bodies.new_ones(leading)
        if weights.shape != leading:
            raise ValueError(f"weights must be [n, s] = {list(leading)}, got {list(weights.shape)}")
        on_cpu = bodies.device.type == "cpu"
        at_once = _FRAMES_AT_ONCE if on_cpu else max(VERTICES_ON_A_GPU // self.body.num_vertices, 1)
        frames = zip(*(tensor.flatten(0, 1).float().split(at_once) for tensor in (bodies, weights)))
        targets = self._from_joints if bodies.ndim == 4 else self._from_parameters
        with torch.autocast(bodies.device.type, enabled=False):
            parts = [targets(*part) for part in frames]
        return BodyTargets(*(torch.cat(fields).unflatten(0, leading) for fields in zip(*parts)))

    def _from_parameters(self, frames: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The fields of :class:`BodyTargets` for frames [m, 85] and weights [m], each [m, ...]."""
        pose, betas = frames[:, POSE], frames[:, BETAS]
        valid = frames[:, POSE.start :].isfinite().all(1) & pose.any(1)
        vertices, joints = self.body(_where(valid, pose), _where(valid, betas))
        valid = valid & vertices.isfinite().all(-1).all(-1)
        vertices = _where(valid, vertices)
        frame = crop_frame(vertices, self.body.faces, joints[:, 0])
        valid = valid & frame.origin.isfinite().all(-1) & frame.height.isfinite() & (weights > 0)
        points = [to_crop(points, frame) for points in (joints, self.markers.select(vertices), vertices)]
        weights = _where(valid, weights)
        return (*(_where(valid, p) for p in (*points, frame.height)), weights, weights)

    def _from_joints(self, joints: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The same for joints [m, 24, 3]."""
        joints = _where(joints.isfinite().flatten(1).all(1), joints)
        frame = joint_crop_frame(joints)
        # Joints that are far too large overflow; joints that lie in one point have no height.
        valid = frame.origin.isfinite().all(-1) & frame.height.isfinite() & (frame.height > 0) & (weights > 0)
        markers = joints.new_zeros(len(joints), len(self.markers.flip), 3)
        vertices = joints.new_zeros(len(joints), self.body.num_vertices, 3)
        weights = _where(valid, weights)
        points = _where(valid, to_crop(joints, frame))
        return points, markers, vertices, _where(valid, frame.height), weights, torch.zeros_like(weights)


def _where(chosen: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """``values [m, ...]`` where ``chosen [m]``, else 0, whatever they are there."""
    return torch.where(chosen.view(-1, *[1] * (values.ndim - 1)), values, 0.0)


def load_supervision(body: str | Path | None = None, markers: str | Path | None = None) -> BodySupervision:
    """The supervision by a body file and a file of its markers; None is what ships with the package.

    Raises:
        UserError: a file cannot be used, or the markers belong to another body.
    """
    model = load_body(body)
    return BodySupervision(model, load_markers(markers, model))
