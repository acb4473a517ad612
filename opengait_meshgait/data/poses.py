"""People and poses out of a dataset's body frames: what virtual markers can be learned from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.reader import read_bodies

Poses = tuple[np.ndarray, np.ndarray]
"""Axis-angle ``[n, 72]`` (rad, root upright) and betas ``[n, 10]``, float32."""

LEAST_POSES = 100
"""Fewer say too little about how a body deforms."""
_HELD_OUT = 0.2  # of the people


def dataset_poses(root: str | Path, learned: int, held_out: int, seed: int = 0) -> tuple[Poses, Poses]:
    """Draw poses and betas from the 85-number frames of a prepared dataset, as many of each person as of the others.

    Frames without a body (all zeros) and frames that are not finite are left out. Roots are set upright.

    Args:
        root: a folder ``id/type/view/`` with pickles that have ``smpl`` in their name.
        learned: how many poses to learn from, at most.
        held_out: how many to measure on, at most; of other people, a fifth of all.
        seed: the same draws the same.

    Returns:
        Poses of the one and of the other people.

    Raises:
        UserError: no such folder or files in it, fewer than two people, or too few frames with a body.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder. Give a prepared dataset: id/type/view/*smpl*.pkl.")
    paths: dict[str, list[Path]] = {}
    for path in sorted(root.glob("*/*/*/*.pkl")):
        if "smpl" in path.name.lower():
            paths.setdefault(path.relative_to(root).parts[0], []).append(path)
    if len(paths) < 2:
        raise UserError(
            f"{root} has body frames (id/type/view/*smpl*.pkl) of {len(paths)} people; at least 2 are needed, one to "
            "learn from and one to measure on. Without --poses, poses that come with the package are taken."
        )
    rng = np.random.default_rng(seed)
    people = rng.permutation(sorted(paths)).tolist()
    apart = max(1, round(_HELD_OUT * len(people)))
    drawn = _draw(paths, people[apart:], learned, rng), _draw(paths, people[:apart], held_out, rng)
    if len(drawn[0][0]) < min(LEAST_POSES, learned) or not len(drawn[1][0]):
        raise UserError(
            f"{root} gives {len(drawn[0][0])} frames with a body to learn from and {len(drawn[1][0])} to measure on; "
            f"at least {LEAST_POSES} and 1 are needed. Give a larger dataset, or none for the package's own poses."
        )
    return drawn


def _draw(paths: Mapping[str, Sequence[Path]], people: Sequence[str], count: int, rng: np.random.Generator) -> Poses:
    """About ``count / len(people)`` frames of each person, from as many of their sequences as can be."""
    people = people[:count]
    share = -(-count // len(people))
    drawn = []
    for person in people:
        chosen = [paths[person][place] for place in rng.permutation(len(paths[person]))[:share]]
        usable = [frames[_has_body(frames)] for frames in map(read_bodies, chosen)]
        each = -(-share // len(chosen))
        drawn += [frames[rng.permutation(len(frames))[:each]] for frames in usable]
    frames = np.concatenate(drawn)
    frames = frames[rng.permutation(len(frames))[:count]]
    pose, betas = frames[:, POSE].copy(), frames[:, BETAS].copy()
    pose[:, :3] = 0
    return pose, betas


def _has_body(frames: np.ndarray) -> np.ndarray:
    """Which of the frames [T, 85] hold one: bool [T]."""
    return np.isfinite(frames[:, POSE.start :]).all(1) & frames[:, POSE].any(1)
