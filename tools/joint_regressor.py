"""The joint regressor of the stand-in body: where the joints are, from the skin alone."""

from collections.abc import Mapping

import numpy as np
import torch

from opengait_meshgait.body.layout import JOINT_FLIP, JOINT_NAMES
from opengait_meshgait.body.model import BodyModel

VERTEX_NOISE = 0.01
"""The noise of vertices that the regressor should put up with, m."""


def fit_joint_regressor(arrays: Mapping[str, np.ndarray], joints: np.ndarray, seed: int) -> np.ndarray:
    """Fit ``J_regressor [24, V]``, rows summing to 1, on half of the people, at rest and in random poses.

    The joints of a predicted mesh are read off with the same regressor, so the fit has posed meshes and noise too:
    a ridge is what noise in the vertices comes to. Weights may be negative: anny moves spine3 by 45 mm between the
    sexes where the skin hardly changes, which no mean of skin vertices follows.

    Args:
        arrays: the body's, with ``betas_samples [n, 10]`` and ``mirror``, without ``J_regressor``.
        joints: of the same people in the rest pose, m, ``[n, 24, 3]``.
        seed: of the poses.
    """
    samples, joints = arrays["betas_samples"][::2].astype(np.float64), joints[::2]
    mean, slopes = _linear(samples, joints)
    posed, posed_joints = _posed(arrays, samples, mean, slopes, seed)
    rest = arrays["v_template"] + np.einsum("nb,vcb->nvc", samples, arrays["shapedirs"].astype(np.float64))
    meshes, targets = np.concatenate([rest, posed]), np.concatenate([joints, posed_joints])

    regressor = np.zeros((len(JOINT_FLIP), len(rest[0])))
    for joint, other in enumerate(JOINT_FLIP):
        if other < joint:
            regressor[joint] = regressor[other][arrays["mirror"]]
            continue
        # Only what the joint's own bone or its parent's moves can tell where the joint is in every pose.
        parent = arrays["kintree_table"][0, joint]
        pool = np.flatnonzero(arrays["weights"][:, [joint, parent]].sum(1) > 0.05)
        columns = meshes[:, pool].transpose(0, 2, 1).reshape(-1, len(pool))
        # One heavy row of ones holds the sum of the weights at 1.
        heavy = np.full((1, len(pool)), 100 * len(columns) ** 0.5)
        system = np.concatenate([columns, heavy])
        normal = system.T @ system + len(columns) * VERTEX_NOISE**2 * np.eye(len(pool))
        weights = np.linalg.solve(normal, system.T @ np.append(targets[:, joint], heavy[0, 0]))
        regressor[joint, pool] = weights / weights.sum()
        if other == joint:
            regressor[joint] = (regressor[joint] + regressor[joint][arrays["mirror"]]) / 2
    return regressor.astype(np.float32)


def joint_errors(body: BodyModel, betas: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """How far the regressed joints are from the true ones, mean over the people left out of the fit, mm, ``[24]``."""
    regressed = body.joints(torch.zeros(72), torch.from_numpy(betas[1::2]))
    return np.linalg.norm(regressed.numpy() - joints[1::2], axis=2).mean(0) * 1e3


def _linear(betas: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints as a linear function of betas: mean ``[24, 3]``, slopes ``[24, 3, 10]``."""
    design = np.c_[np.ones(len(betas)), betas]
    solution = np.linalg.lstsq(design, joints.reshape(len(joints), -1), rcond=None)[0].T.reshape(24, 3, -1)
    return solution[..., 0], solution[..., 1:]


def _posed(
    arrays: Mapping[str, np.ndarray], betas: np.ndarray, mean: np.ndarray, slopes: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Meshes ``[n, V, 3]`` of the people in random poses, and their joints."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.2, (len(betas), 24, 3))
    pose[:, 0] = 0
    for joint, bend in {"knee": 0.6, "hip": -0.3}.items():
        for side in ("left", "right"):
            pose[:, JOINT_NAMES.index(f"{side}_{joint}"), 0] += rng.normal(bend, 0.3, len(betas))
    for side, sign in {"left": -1, "right": 1}.items():
        pose[:, JOINT_NAMES.index(f"{side}_shoulder"), 2] += sign * rng.uniform(0, 1.3, len(betas))
        pose[:, JOINT_NAMES.index(f"{side}_elbow"), 1] += sign * rng.uniform(0, 1, len(betas))
    body = BodyModel({**arrays, "J_regressor": np.zeros((24, len(arrays["mirror"])))}, "", "")
    # Without a regressor yet, the joints come from the people's own skeletons.
    body.joint_template, body.joint_shapedirs = torch.tensor(mean).float(), torch.tensor(slopes).float()
    vertices, targets = body(torch.tensor(pose.reshape(-1, 72)), torch.tensor(betas))
    return vertices.double().numpy(), targets.double().numpy()
