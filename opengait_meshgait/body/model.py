"""SMPL-format bodies: shape and pose in, a mesh and its 24 joints out."""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from kornia.geometry.conversions import axis_angle_to_rotation_matrix
from torch import nn

from opengait_meshgait.body.layout import NUM_BETAS, NUM_JOINTS


class BodyModel(nn.Module):
    """Poses a body by linear blend skinning (Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015).

    All arrays are buffers that no state-dict holds: a licensed body must not leak into checkpoints. The arrays are
    taken as they are; :func:`~opengait_meshgait.body.files.load_body` checks those of a file.

    Args:
        arrays: ``v_template [V, 3]`` m, ``shapedirs [V, 3, 10]``, ``posedirs [V, 3, 207]`` (may be absent),
            ``J_regressor [24, V]``, ``weights [V, 24]``, ``kintree_table [2, 24]``, ``f [F, 3]`` and, if known,
            ``mirror [V]`` and ``betas_samples [N, 10]``.
        name: of the body, for messages.
        licence: of its data.
        shape_space: whose betas it takes, ``SMPL`` or ``SMPL-X``; the stand-in's own count as SMPL's.

    Attributes:
        fingerprint: 16 hexadecimal digits that stand for the arrays, in float32.
        parents: for each joint its parent's index, -1 for the root.
        mirror: ``[V]`` int64, for each vertex its counterpart on the other side; exact for the shipped body, the
            nearest where the file has none.
        betas_samples: ``[N, 10]`` of people as they are, or None where the file has none.
    """

    v_template: torch.Tensor
    shapedirs: torch.Tensor
    posedirs: torch.Tensor | None
    J_regressor: torch.Tensor
    weights: torch.Tensor
    betas_samples: torch.Tensor | None
    faces: torch.Tensor
    mirror: torch.Tensor
    joint_template: torch.Tensor
    joint_shapedirs: torch.Tensor
    unmoved: torch.Tensor
    parent_or_root: torch.Tensor
    by_depth: torch.Tensor
    from_depth: torch.Tensor
    hangs_from: torch.Tensor

    def __init__(self, arrays: Mapping[str, np.ndarray], name: str, licence: str, shape_space: str = "SMPL"):
        super().__init__()
        self.name = name
        self.shape_space = shape_space
        self.licence = licence
        self.parents = (-1, *(int(parent) for parent in arrays["kintree_table"][0, 1:]))
        for key in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "betas_samples"):
            array = arrays.get(key)
            # Some files carry posedirs full of zeros; skipping them halves the work.
            absent = array is None or (key == "posedirs" and not np.any(array))
            self._constant(key, None if absent else torch.from_numpy(np.array(array, np.float32)))
        for key in ("shapedirs", "posedirs"):
            if (directions := getattr(self, key)) is not None:
                # In the order in which they are multiplied, or every body that is posed would copy them.
                setattr(self, key, directions.permute(2, 1, 0).contiguous().permute(2, 1, 0))
        mirror = arrays["mirror"] if "mirror" in arrays else mirror_vertices(arrays["v_template"])
        self._constant("faces", torch.from_numpy(np.array(arrays["f"], np.int64)))
        self._constant("mirror", torch.from_numpy(np.array(mirror, np.int64)))
        # Joints are linear in betas: regressing them once here is what makes `joints` independent of the mesh.
        regressor = self.J_regressor.double()
        self._constant("joint_template", (regressor @ self.v_template.double()).float())
        self._constant("joint_shapedirs", torch.einsum("jv,vcb->jcb", regressor, self.shapedirs.double()).float())
        self._constant("unmoved", torch.eye(3))
        self._tree()
        self.fingerprint = self._fingerprint()

    def _constant(self, name: str, value: torch.Tensor | None) -> None:
        self.register_buffer(name, value, persistent=False)

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(str(self.parents).encode())
        for key in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces"):
            if (value := getattr(self, key)) is not None:
                digest.update(f"{key} {tuple(value.shape)}".encode())
                digest.update(value.numpy().tobytes())
        return digest.hexdigest()[:16]

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

        Raises:
            ValueError: a last dimension is not 72, 10 or (V, 3).
        """
        coordinates, joints = self._coordinates(pose, betas, offsets, 3)
        return torch.stack(coordinates, -1), joints

    def seen(self, pose: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """x and y of the vertices alone, all that a weak-perspective camera sees, ``[..., 2, V]`` m.

        See :meth:`forward`; this takes two thirds of its time.
        """
        return torch.stack(self._coordinates(pose, betas, None, 2)[0], -2)

    def joints(self, pose: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """The joints alone, ``[..., 24, 3]`` m, without computing the mesh. See :meth:`forward`."""
        with torch.autocast(pose.device.type, enabled=False):
            return self._skeleton(*self._inputs(pose, betas))[1]

    def _coordinates(
        self, pose: torch.Tensor, betas: torch.Tensor, offsets: torch.Tensor | None, number: int
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """The first ``number`` coordinates of the vertices, [..., V] each, and the joints [..., 24, 3]."""
        with torch.autocast(pose.device.type, enabled=False):
            pose, betas = self._inputs(pose, betas)
            local, joints, transforms = self._skeleton(pose, betas)
            # Vertices lie along the last axis until the end: every product below then runs over contiguous memory.
            rest = self.v_template.mT + self._blend(betas, self.shapedirs)
            if self.posedirs is not None:
                bend = local[..., 1:, :, :] - self.unmoved
                rest = rest + self._blend(bend.flatten(-3), self.posedirs)
            if offsets is not None:
                if offsets.shape[-2:] != self.v_template.shape:
                    raise ValueError(f"expected offsets [..., {self.num_vertices}, 3], got {[*offsets.shape]}")
                rest = rest + offsets.to(rest.dtype).mT
            # A row at a time: the blended transforms of all vertices at once would be four times the mesh.
            coordinates = []
            for row in transforms.unbind(-3)[:number]:
                blended = row @ self.weights.mT
                coordinates.append((blended[..., :3, :] * rest).sum(-2) + blended[..., 3, :])
            return coordinates, joints

    def _inputs(self, pose: torch.Tensor, betas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if pose.shape[-1] != 3 * NUM_JOINTS or betas.shape[-1] != NUM_BETAS:
            raise ValueError(f"expected pose [..., 72] and betas [..., 10], got {[*pose.shape]} and {[*betas.shape]}")
        return pose.to(self.v_template.dtype), betas.to(self.v_template.dtype)

    def _blend(self, coefficients: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """Coefficients [..., b] times directions [V, 3, b], as [..., 3, V]."""
        directions = directions.permute(2, 1, 0).flatten(1)
        return (coefficients @ directions).unflatten(-1, (3, self.num_vertices))

    def _skeleton(self, pose: torch.Tensor, betas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Local rotations [..., 24, 3, 3], joints [..., 24, 3], rows of the joints' transforms [..., 3, 4, 24]."""
        rest = self.joint_template + torch.einsum("...b,jcb->...jc", betas, self.joint_shapedirs)
        local = axis_angle_to_rotation_matrix(pose.reshape(-1, 3)).view(*pose.shape[:-1], NUM_JOINTS, 3, 3)
        # Not torch.broadcast_shapes, which loads sympy first, half a second.
        lead = np.broadcast_shapes(pose.shape[:-1], betas.shape[:-1])
        local, rest = local.expand(*lead, -1, -1, -1), rest.expand(*lead, -1, -1)
        bones = rest - rest.index_select(-2, self.parent_or_root)
        # Joints first: those that hang equally far from the root are then moved at once, in contiguous memory.
        steps = torch.cat([local, bones[..., None]], -1).movedim(-3, 0).index_select(0, self.by_depth)
        root, *levels = steps.split(self.level_sizes)
        moved = [torch.cat([root[..., :3], rest[None, ..., 0, :, None]], -1)]
        for step, hangs_from in zip(levels, self.hangs_from.split(self.level_sizes[1:])):
            parents = moved[-1].index_select(0, hangs_from)
            turned = parents[..., :3] @ step
            moved.append(torch.cat([turned[..., :3], turned[..., 3:] + parents[..., 3:]], -1))
        transforms = torch.cat(moved).index_select(0, self.from_depth).movedim(0, -1).contiguous()
        rotations, joints = transforms[..., :3, :], transforms[..., 3, :]
        shift = joints - (rotations * rest.mT[..., None, :, :]).sum(-2)
        return local, joints.mT.contiguous(), torch.cat([rotations, shift[..., None, :]], -2)

    def _tree(self) -> None:
        """Joints by their depth in the tree, each level beside the one that it hangs from."""
        depths = [0]
        for parent in self.parents[1:]:
            depths.append(depths[parent] + 1)
        levels = [[joint for joint in range(NUM_JOINTS) if depths[joint] == depth] for depth in range(max(depths) + 1)]
        order = [joint for level in levels for joint in level]
        self.level_sizes = [len(level) for level in levels]
        above = {joint: place for level in levels for place, joint in enumerate(level)}
        self._constant("parent_or_root", torch.tensor([0, *self.parents[1:]]))
        self._constant("by_depth", torch.tensor(order))
        self._constant("from_depth", torch.tensor(order).argsort())
        self._constant("hangs_from", torch.tensor([above[self.parents[joint]] for joint in order[1:]]))


def mirror_vertices(vertices: np.ndarray) -> np.ndarray:
    """Pair every vertex with the one nearest to its mirror image in the plane x = 0.

    The nearest pairs are made first. A vertex that is its own counterpart, or finds none free among the eight nearest,
    stays alone, so that the answer, int64 ``[V]``, is always a permutation and its own inverse.

    Args:
        vertices: of a nearly symmetric body, ``[V, 3]``.
    """
    # Not above: it takes a quarter of a second to load, and the shipped body says which vertices are pairs.
    from scipy.spatial import cKDTree

    count = len(vertices)
    distances, candidates = cKDTree(vertices).query(vertices * [-1, 1, 1], k=range(1, min(8, count) + 1))
    mirror, paired = np.arange(count), np.zeros(count, bool)
    for flat in np.argsort(distances, axis=None, kind="stable"):
        vertex, other = flat // candidates.shape[1], candidates.flat[flat]
        if not paired[vertex] and not paired[other]:
            mirror[vertex], mirror[other] = other, vertex
            paired[[vertex, other]] = True
    return mirror


def mirror_errors(vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """How far each vertex's mirror image is from its counterpart: ``[V]``, in the unit of ``vertices`` ``[V, 3]``."""
    return np.linalg.norm(vertices * [-1, 1, 1] - vertices[mirror], axis=1)
