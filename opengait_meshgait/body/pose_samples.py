"""People in many poses, without any data: what virtual markers are learned from and measured on."""

import numpy as np

from opengait_meshgait.body.layout import JOINT_NAMES, NUM_BETAS, NUM_JOINTS

# Spread (standard deviation, degrees) of each joint about x (bending), y (twisting for spine and legs) and z.
_SPREAD = {
    "pelvis": (0, 0, 0),
    "hip": (35, 15, 15),
    "knee": (40, 5, 5),
    "ankle": (18, 8, 8),
    "foot": (10, 3, 3),
    "spine": (10, 8, 8),
    "neck": (12, 15, 10),
    "head": (12, 15, 10),
    "collar": (4, 8, 8),
    "shoulder": (30, 30, 35),
    "elbow": (15, 40, 15),
    "wrist": (15, 12, 20),
    "hand": (5, 5, 5),
}


def sample_poses(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Poses and people drawn at random; the same ``count`` and ``seed`` give the same.

    The first half walks, the second half moves every joint at random within its limits. The root stays upright
    because turning a body changes nothing for interpolation weights that sum to 1.

    Returns:
        Axis-angle ``[count, 72]`` (rad, root upright) and betas ``[count, 10]``, float32.
    """
    rng = np.random.default_rng(seed)
    walking = count // 2
    pose = np.radians(np.concatenate([_walk(walking, rng), _move(count - walking, rng)]))
    betas = rng.normal(size=(count, NUM_BETAS)).clip(-2.5, 2.5)
    return pose.reshape(count, -1).astype(np.float32), betas.astype(np.float32)


def _walk(count: int, rng: np.random.Generator) -> np.ndarray:
    """Phases of steps of many lengths, arms hanging and swinging: degrees ``[count, 24, 3]``."""
    pose = rng.normal(0, 4, (count, NUM_JOINTS, 3))
    pose[:, 0] = 0
    length, phase = rng.uniform(0.6, 1.4, count), rng.uniform(0, 2 * np.pi, count)
    for side, sign, phi in (("left", 1, phase), ("right", -1, phase + np.pi)):
        joint = {name: JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "ankle", "shoulder", "elbow")}
        forward, swing = np.cos(phi), np.cos(phi + 2).clip(0) ** 1.5
        pose[:, joint["hip"], 0] -= length * (8 + 22 * forward)
        pose[:, joint["knee"], 0] += length * (8 + 45 * swing + 10 * np.cos(phi - 0.7).clip(0))
        pose[:, joint["ankle"], 0] += length * 8 * np.sin(phi)
        pose[:, joint["shoulder"], 1] += sign * length * 15 * forward
        pose[:, joint["shoulder"], 2] -= sign * rng.uniform(60, 82, count)
        pose[:, joint["elbow"], 1] -= sign * rng.uniform(5, 35, count)
    return pose


def _move(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random rotations of all joints: degrees ``[count, 24, 3]``."""
    spread = np.array([_SPREAD[name.split("_")[-1].rstrip("0123456789")] for name in JOINT_NAMES], float)
    pose = rng.normal(size=(count, NUM_JOINTS, 3)).clip(-2.2, 2.2) * spread
    for side, sign in (("left", 1), ("right", -1)):
        joint = {name: JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "shoulder", "elbow")}
        pose[:, joint["hip"], 0] -= 20
        pose[:, joint["knee"], 0] = np.abs(pose[:, joint["knee"], 0])  # knees and elbows bend one way
        pose[:, joint["elbow"], 1] = -sign * np.abs(pose[:, joint["elbow"], 1])
        pose[:, joint["shoulder"], 2] -= sign * rng.uniform(0, 80, count)  # from the T-pose down
    return pose
