"""SMPL-format bodies: shape and pose in, a mesh and its 24 joints out."""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from kornia.geometry.conversions import axis_angle_to_rotation_matrix
from torch import nn

# fmt: off
JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)
JOINT_FLIP = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
"""For each joint the one on the other side of the body."""
# fmt: on
NUM_JOINTS = len(JOINT_NAMES)
NUM_BETAS = 10
FLOAT_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")


class BodyModel(nn.Module):
    """Poses a body by linear blend skinning (Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015).

    All arrays are buffers that no state-dict holds: a licensed body must not leak into checkpoints.

    Args:
        arrays: ``v_template [V, 3]`` m, ``shapedirs [V, 3, 10]``, ``posedirs [V, 3, 207]`` (may be absent),
            ``J_regressor [24, V]``, ``weights [V, 24]``, ``kintree_table [2, 24]``, ``f [F, 3]`` and, if known,
            ``mirror [V]``: for each vertex its counterpart on the other side.
        name: of the body, for messages.
        licence: of its data.

    Attributes:
        fingerprint: 16 hexadecimal digits that stand for the arrays.
        parents: for each joint its parent's index, -1 for the root.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], name: str, licence: str):
        super().__init__()
        self.name = name
        self.licence = licence
        self.fingerprint = _fingerprint(arrays)
        self.parents = (-1, *(int(p) for p in arrays["kintree_table"][0, 1:]))
        for key in ("v_template", "shapedirs", "J_regressor", "weights"):
            self._constant(key, torch.from_numpy(np.asarray(arrays[key], np.float32)))
        posedirs = np.asarray(arrays.get("posedirs", 0), np.float32)
        self._constant("posedirs", torch.from_numpy(posedirs) if posedirs.any() else None)
        self._constant("faces", torch.from_numpy(np.asarray(arrays["f"], np.int64)))
        self._constant("mirror", torch.from_numpy(np.asarray(arrays["mirror"], np.int64)) if "mirror" in arrays else None)
        # Joints are linear in betas: regressing them once here is what makes `joints` independent of the mesh.
        self._constant("joint_template", self.J_regressor @ self.v_template)
        self._constant("joint_shapedirs", torch.einsum("jv,vcb->jcb", self.J_regressor, self.shapedirs))

    def _constant(self, name: str, value: torch.Tensor | None) -> None:
        self.register_buffer(name, value, persistent=False)

    @property
    def num_vertices(self) -> int:
        """V."""
        return len(self.v_template)

    def forward(
        self, pose: torch.Tensor, betas: torch.Tensor, offsets: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pose the body.

        Args:
            pose: axis-angle of the 24 joints, rad, ``[..., 72]``, the root first.
            betas: ``[..., 10]``; leading dimensions broadcast with those of ``pose``.
            offsets: added to the vertices of the rest pose (clothing), m, ``[..., V, 3]``. Joints stay.

        Returns:
            Vertices ``[..., V, 3]`` and joints ``[..., 24, 3]``, m, float32 (float64 where the body is).
        """
        with torch.autocast(pose.device.type, enabled=False):
            pose, betas = self._inputs(pose, betas)
            rotations, joints, transforms = self._skeleton(pose, betas)
            rest = self.v_template + torch.einsum("...b,vcb->...vc", betas, self.shapedirs)
            if offsets is not None:
                rest = rest + offsets
            if self.posedirs is not None:
                bend = (rotations[..., 1:, :, :] - torch.eye(3).to(rotations)).flatten(-3)
                rest = rest + torch.einsum("...p,vcp->...vc", bend, self.posedirs)
            # One matrix product blends the 24 transforms [3, 4] at every vertex: [V, 24] x [..., 24, 12].
            blended = (self.weights @ transforms.flatten(-2)).unflatten(-1, (3, 4))
            vertices = (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]
            return vertices, joints

    def joints(self, pose: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """The joints alone, ``[..., 24, 3]`` m, without computing the mesh. See :meth:`forward`."""
        with torch.autocast(pose.device.type, enabled=False):
            return self._skeleton(*self._inputs(pose, betas))[1]

    def _inputs(self, pose: torch.Tensor, betas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if pose.shape[-1] != 3 * NUM_JOINTS or betas.shape[-1] != NUM_BETAS:
            raise ValueError(f"expected pose [..., 72] and betas [..., 10], got {[*pose.shape]} and {[*betas.shape]}")
        return pose.to(self.v_template.dtype), betas.to(self.v_template.dtype)

    def _skeleton(self, pose: torch.Tensor, betas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Local rotations [..., 24, 3, 3], joints [..., 24, 3], transforms [..., 24, 3, 4] of the rest-pose mesh."""
        rest = self.joint_template + torch.einsum("...b,jcb->...jc", betas, self.joint_shapedirs)
        local = axis_angle_to_rotation_matrix(pose.reshape(-1, 3)).view(*pose.shape[:-1], NUM_JOINTS, 3, 3)
        lead = torch.broadcast_shapes(pose.shape[:-1], betas.shape[:-1])
        local, rest = local.expand(*lead, -1, -1, -1), rest.expand(*lead, -1, -1)
        world, position = [local[..., 0, :, :]], [rest[..., 0, :]]
        for joint, parent in enumerate(self.parents[1:], start=1):
            bone = rest[..., joint, :] - rest[..., parent, :]
            position.append(position[parent] + (world[parent] @ bone[..., None])[..., 0])
            world.append(world[parent] @ local[..., joint, :, :])
        rotations, joints = torch.stack(world, -3), torch.stack(position, -2)
        shift = joints - (rotations @ rest[..., None])[..., 0]
        return local, joints, torch.cat([rotations, shift[..., None]], -1)


def _fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for key in (*FLOAT_ARRAYS, "kintree_table", "f"):
        if key in arrays:
            dtype = np.float32 if key in FLOAT_ARRAYS else np.int64
            digest.update(key.encode())
            digest.update(np.ascontiguousarray(arrays[key], dtype).tobytes())
    return digest.hexdigest()[:16]
