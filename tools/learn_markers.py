"""Learns virtual markers for a body, by default the 64 of the stand-in body that ship with the package.

    python tools/learn_markers.py                                            # opengait_meshgait/assets/markers_64.npz
    python tools/learn_markers.py --body SMPL_NEUTRAL.pkl --out markers.npz

Prints how well meshes, and the joints regressed from them, are interpolated for people and poses that were not learned
from, beside farthest-point markers with an interpolation fitted in the same way. For the stand-in body, in mm,
learned / farthest-point (a minute on one core for K = 64):

|  K | walking: mesh, mean | mesh, p99   | joints      | any pose: mesh, mean | mesh, p99    | joints      |
|---:|---------------------|-------------|-------------|----------------------|--------------|-------------|
| 16 | 13.6 / 29.6         | 49.3 / 99.2 | 11.6 / 26.0 | 24.6 / 41.6          | 89.1 / 134.3 | 21.2 / 38.1 |
| 32 | 7.5 / 11.9          | 31.5 / 46.9 | 7.5 / 11.0  | 13.3 / 21.0          | 49.6 / 85.8  | 13.4 / 19.3 |
| 64 | 4.5 / 8.3           | 18.0 / 26.2 | 4.5 / 6.9   | 6.9 / 13.9           | 26.6 / 49.5  | 7.0 / 11.4  |
| 96 | 3.5 / 6.5           | 14.8 / 26.0 | 3.7 / 5.5   | 5.0 / 9.9            | 20.0 / 41.5  | 5.5 / 9.1   |

The same machine writes the same bytes every time.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.body.archetypes import farthest_point_markers, learn_markers
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import VirtualMarkers, save_markers
from opengait_meshgait.body.model import JOINT_NAMES, NUM_BETAS, NUM_JOINTS, BodyModel

ASSETS = Path(__file__).parents[1] / "opengait_meshgait" / "assets"
LEARNED_POSES, HELD_OUT_POSES = 600, 400
# Spread (standard deviation, degrees) of each joint about x (bending), y (twisting for spine and legs) and z.
SPREAD = {
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
    """People and poses: axis-angle ``[count, 72]`` (rad, root upright) and betas ``[count, 10]``, float32.

    The first half walks, the second half moves every joint at random within its limits. The root stays upright
    because turning a body changes nothing for weights that sum to 1.
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
    spread = np.array([SPREAD[name.split("_")[-1].rstrip("0123456789")] for name in JOINT_NAMES], float)
    pose = rng.normal(size=(count, NUM_JOINTS, 3)).clip(-2.2, 2.2) * spread
    for side, sign in (("left", 1), ("right", -1)):
        joint = {name: JOINT_NAMES.index(f"{side}_{name}") for name in ("hip", "knee", "shoulder", "elbow")}
        pose[:, joint["hip"], 0] -= 20
        pose[:, joint["knee"], 0] = np.abs(pose[:, joint["knee"], 0])  # knees and elbows bend one way
        pose[:, joint["elbow"], 1] = -sign * np.abs(pose[:, joint["elbow"], 1])
        pose[:, joint["shoulder"], 2] -= sign * rng.uniform(0, 80, count)  # from the T-pose down
    return pose


@torch.no_grad()
def pose_body(body: BodyModel, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Meshes ``[count, V, 3]`` and joints ``[count, 24, 3]``, m."""
    vertices, joints = body(*map(torch.from_numpy, sample_poses(count, seed)))
    return vertices.numpy(), joints.numpy()


def errors(body: BodyModel, markers: dict[str, np.ndarray], meshes: np.ndarray, joints: np.ndarray) -> list[float]:
    """Mean and 99th percentile of the vertices' errors, and the joints' mean error, mm."""
    rebuilt = markers["interpolation"] @ meshes[:, markers["vertex_ids"]]
    vertex = 1000 * np.linalg.norm(rebuilt - meshes, axis=-1)
    joint = 1000 * np.linalg.norm(body.J_regressor.numpy() @ rebuilt - joints, axis=-1)
    return [vertex.mean(), np.percentile(vertex, 99), joint.mean()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--body", help="an SMPL-format body (default: the stand-in)")
    parser.add_argument("--markers", type=int, default=64, help="how many (default: 64)")
    parser.add_argument("--out", type=Path, help="the file to write (default for the stand-in: where it ships)")
    options = parser.parse_args()
    if options.body and not options.out:
        parser.error("--body needs --out: the shipped file belongs to the stand-in body")
    body = load_body(options.body)
    mirror = body.mirror.numpy()
    meshes, _ = pose_body(body, LEARNED_POSES, seed=0)
    learned = learn_markers(meshes, mirror, options.markers)
    markers = VirtualMarkers(learned, f"{body.name}-{options.markers}", body.name, body.fingerprint)
    out = options.out or ASSETS / f"markers_{options.markers}.npz"
    save_markers(markers, out)

    held_out, joints = pose_body(body, HELD_OUT_POSES, seed=1)
    half = HELD_OUT_POSES // 2
    print(f"{out}: K = {options.markers} for {body.name} ({body.fingerprint}), fingerprint {markers.fingerprint}\n")
    print("| held-out poses | markers | mesh, mean mm | mesh, p99 mm | joints, mean mm |\n|---|---|---|---|---|")
    for poses, part in (("walking", slice(half)), ("any", slice(half, None))):
        for kind, arrays in (
            ("learned", learned),
            ("farthest-point", farthest_point_markers(meshes, mirror, options.markers)),
        ):
            cells = [f"{value:.1f}" for value in errors(body, arrays, held_out[part], joints[part])]
            print(f"| {poses} | {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
