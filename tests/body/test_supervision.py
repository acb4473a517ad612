import numpy as np
import pytest
import torch

from opengait_meshgait.body.crop import crop_frame, flip_crop, to_crop
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, JOINT_FLIP, POSE, ROOT_TURN
from opengait_meshgait.body.markers import VirtualMarkers
from opengait_meshgait.body.supervision import BodySupervision

BODY = load_body()


@pytest.fixture(scope="module")
def supervision():
    """With five markers: a vertex in the middle and two pairs."""
    pairs = (BODY.mirror != torch.arange(BODY.num_vertices)).nonzero()[:, 0]
    first, second = pairs[0], pairs[len(pairs) // 2]
    middle = (BODY.mirror == torch.arange(BODY.num_vertices)).nonzero()[0, 0]
    arrays = {
        "vertex_ids": torch.stack([middle, first, second, BODY.mirror[first], BODY.mirror[second]]).numpy(),
        "flip": np.array([0, 3, 4, 1, 2]),
        "interpolation": np.full((BODY.num_vertices, 5), 0.2),
    }
    return BodySupervision(BODY, VirtualMarkers(arrays, "five", BODY.name, BODY.fingerprint))


def frames(n: int, s: int, seed: int = 0) -> torch.Tensor:
    """smpls [n, s, 85]: upright in a camera with y down, turned and posed at random."""
    generator = torch.Generator().manual_seed(seed)
    smpls = torch.randn(n, s, 85, generator=generator) * 0.15
    smpls[..., ROOT_TURN] *= 0.5
    smpls[..., 3] += torch.pi
    smpls[..., BETAS] *= 3
    return smpls


def test_targets_are_the_posed_body_in_crop_space(supervision):
    smpls = frames(2, 3)
    targets = supervision(smpls)
    assert targets.joints.shape == (2, 3, 24, 3) and targets.markers.shape == (2, 3, 5, 3)
    assert targets.vertices.shape == (2, 3, BODY.num_vertices, 3) and targets.height.shape == (2, 3)
    assert (targets.joint_weights == 1).all() and (targets.mesh_weights == 1).all()
    vertices, joints = BODY(smpls[1, 2, POSE], smpls[1, 2, BETAS])
    frame = crop_frame(vertices[None], BODY.faces, joints[None, 0])
    torch.testing.assert_close(targets.vertices[1, 2], to_crop(vertices[None], frame)[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.joints[1, 2], to_crop(joints[None], frame)[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.height[1, 2], frame.height[0])
    assert torch.equal(targets.markers, targets.vertices[..., supervision.markers.vertex_ids, :])
    # The body stands upright: the head above the feet, in a crop that it fills.
    assert (targets.joints[..., 15, 1] < 0.3).all() and (targets.joints[..., 7:9, 1] > 0.7).all()


def test_the_camera_is_not_used(supervision):
    smpls = frames(1, 2)
    other = smpls.clone()
    other[..., :3] = torch.tensor([9.0, torch.nan, -4.0])
    assert torch.equal(supervision(smpls).vertices, supervision(other).vertices)


def test_chunks_do_not_show(supervision, monkeypatch):
    smpls = frames(2, 5)
    whole = supervision(smpls)
    monkeypatch.setattr("opengait_meshgait.body.supervision._FRAMES_AT_ONCE", 3)
    torch.testing.assert_close(supervision(smpls).vertices, whole.vertices, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame[POSE].zero_(),
        lambda frame: frame.zero_(),
        lambda frame: frame[40].fill_(torch.nan),
        lambda frame: frame[80].fill_(torch.inf),
        lambda frame: frame[6:75].fill_(3e38),
        lambda frame: frame[BETAS].fill_(3e38),
    ],
    ids=[
        "pose of zeros",
        "all zeros",
        "nan in the pose",
        "infinite beta",
        "pose that overflows",
        "betas that overflow",
    ],
)
def test_invalid_frames_are_zero_and_leave_the_others_alone(supervision, spoil):
    smpls = frames(2, 2)
    clean = supervision(smpls)
    spoil(smpls[1, 0])
    targets = supervision(smpls)
    assert targets.joint_weights.tolist() == targets.mesh_weights.tolist() == [[1, 1], [0, 1]]
    valid = targets.joint_weights > 0
    for name in ("joints", "markers", "vertices", "height"):
        value = getattr(targets, name)
        assert not value[1, 0].any()
        torch.testing.assert_close(value[valid], getattr(clean, name)[valid], atol=1e-5, rtol=0)


def test_weights_scale_what_is_valid(supervision):
    smpls = frames(1, 4)
    smpls[0, 1] = 0
    targets, full = supervision(smpls, torch.tensor([[0.25, 0.5, 0.0, 1.0]])), supervision(smpls)
    assert targets.joint_weights.tolist() == targets.mesh_weights.tolist() == [[0.25, 0, 0, 1]]
    for name in ("joints", "markers", "vertices", "height"):
        value, expected = getattr(targets, name)[0], getattr(full, name)[0]
        assert not value[1:3].any() and torch.equal(value[[0, 3]], expected[[0, 3]])


def test_joints_alone_come_near_to_where_the_mesh_says(supervision):
    smpls = frames(2, 3)
    truth = supervision(smpls)
    _, joints = BODY(smpls[..., POSE], smpls[..., BETAS])
    targets = supervision(joints, torch.tensor([[1, 1, 0.5], [1, 0, 1]]))
    assert targets.joint_weights.tolist() == [[1, 1, 0.5], [1, 0, 1]]
    assert targets.markers.shape == truth.markers.shape and targets.vertices.shape == truth.vertices.shape
    for name in ("markers", "vertices", "mesh_weights"):
        assert not getattr(targets, name).any()
    assert not targets.joints[1, 1].any() and targets.height[1, 1] == 0
    known = targets.joint_weights > 0
    assert (targets.joints - truth.joints)[known].abs().max() < 0.03
    assert (targets.height / truth.height - 1)[known].abs().max() < 0.03


def test_joints_in_any_unit_and_from_any_origin(supervision):
    joints = BODY(frames(1, 4)[..., POSE], torch.zeros(10))[1]
    targets, moved = supervision(joints), supervision(joints * 1000 + torch.tensor([5000.0, -300.0, 90000.0]))
    torch.testing.assert_close(moved.joints, targets.joints, atol=1e-4, rtol=0)
    torch.testing.assert_close(moved.height, targets.height * 1000, atol=0.1, rtol=0)


@pytest.mark.parametrize("value", [0.0, 7.0, torch.nan, -torch.inf, 3e38])
def test_joints_that_are_none_have_no_weight(supervision, value):
    joints = BODY(frames(2, 2)[..., POSE], torch.zeros(10))[1]
    clean = supervision(joints)
    if value == 3e38:
        joints[1, 0] *= value
    else:
        joints[1, 0] = value
    targets = supervision(joints, torch.full((2, 2), 0.5))
    assert targets.joint_weights.tolist() == [[0.5, 0.5], [0, 0.5]]
    assert not targets.joints[1, 0].any() and targets.height[1, 0] == 0
    valid = targets.joint_weights > 0
    assert torch.equal(targets.joints[valid], clean.joints[valid])


def test_no_gradient_and_fp32_under_autocast(supervision):
    smpls = frames(1, 2).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        targets = supervision(smpls)
    assert targets.vertices.dtype == torch.float32 and not targets.vertices.requires_grad
    torch.testing.assert_close(targets.vertices, supervision(smpls).vertices)


def test_flips_are_those_of_the_mirrored_pose(supervision):
    """Posing the mirrored pose (Euler's mirror: rotation vectors keep x and turn y and z round) is the oracle."""
    smpls = frames(1, 4)
    mirrored = smpls.clone()
    pose = smpls[..., POSE].unflatten(-1, (24, 3))[..., list(JOINT_FLIP), :] * torch.tensor([1.0, -1, -1])
    mirrored[..., POSE] = pose.flatten(-2)
    targets, expected, flips = supervision(smpls), supervision(mirrored), supervision.flips
    for name in ("joints", "markers", "vertices"):
        flipped = flip_crop(getattr(targets, name), getattr(flips, name))
        away = (flipped - getattr(expected, name)).norm(dim=-1)
        assert away.mean() < 0.003 and away.max() < 0.02, name  # crop heights; betas are not quite symmetric
        assert (getattr(targets, name) - getattr(expected, name)).norm(dim=-1).mean() > 0.03, name


def test_nothing_goes_into_a_state_dict(supervision):
    assert not supervision.state_dict()


def test_wrong_shape(supervision):
    with pytest.raises(ValueError, match=r"\[n, s, 85\].*\[4, 85\]"):
        supervision(torch.zeros(4, 85))
    with pytest.raises(ValueError, match=r"\[n, s, 24, 3\], got \[4, 2, 17, 3\]"):
        supervision(torch.zeros(4, 2, 17, 3))
    with pytest.raises(ValueError, match=r"weights must be \[n, s\] = \[4, 2\], got \[4\]"):
        supervision(torch.zeros(4, 2, 85), torch.ones(4))
