import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.layout import JOINT_FLIP, JOINT_NAMES
from opengait_meshgait.body.model import BodyModel, mirror_errors, mirror_vertices


def body_of(arrays, **changes):
    return BodyModel({**arrays, **changes}, "test", "none")


def draw(*lead, scale=0.6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pose = scale * torch.randn(*lead, 72, generator=generator)
    return pose, torch.randn(*lead, 10, generator=generator)


def max_mm(found, expected):
    return ((found - expected).norm(dim=-1).max() * 1000).item()


def smplx_lbs(body, pose, betas):
    lbs = pytest.importorskip("smplx.lbs", reason="smplx, the reference, is not installed")
    posedirs = torch.zeros(body.num_vertices, 3, 207) if body.posedirs is None else body.posedirs
    arrays = body.v_template, body.shapedirs, posedirs.reshape(-1, 207).T, body.J_regressor
    arrays = [array.double() for array in arrays]
    return lbs.lbs(betas.double(), pose.double(), *arrays, torch.tensor(body.parents), body.weights.double())


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_standin_agrees_with_smplx(standin, scale):
    pose, betas = draw(20, scale=scale)
    pose[:5] *= 1e-4  # nearly at rest, where axis-angle needs care
    pose[5] = 0
    vertices, joints = standin(pose, betas)
    expected_vertices, expected_joints = smplx_lbs(standin, pose, betas)
    assert max_mm(vertices, expected_vertices) < 0.01
    assert max_mm(joints, expected_joints) < 0.01


def test_pose_blend_shapes_agree_with_smplx(arrays):
    body = body_of(arrays)
    pose, betas = draw(20)
    expected, _ = smplx_lbs(body, pose, betas)
    assert max_mm(body(pose, betas)[0], expected) < 0.01
    assert max_mm(body_of(arrays, posedirs=None)(pose, betas)[0], expected) > 1


def test_posing_by_hand(arrays):
    """Joint by joint and vertex by vertex, in float64 and without batches."""
    pose, betas = draw(scale=0.8)
    vertices, joints = body_of(arrays, posedirs=None)(pose, betas)
    rest = arrays["v_template"] + arrays["shapedirs"] @ betas.double().numpy()
    rest_joints = arrays["J_regressor"] @ rest
    local = Rotation.from_rotvec(pose.view(24, 3).double().numpy()).as_matrix()
    world = [np.r_[np.c_[local[0], rest_joints[0]], [[0, 0, 0, 1]]]]
    for j in range(1, 24):
        p = arrays["kintree_table"][0, j]
        world.append(world[p] @ np.r_[np.c_[local[j], rest_joints[j] - rest_joints[p]], [[0, 0, 0, 1]]])
    for j in range(24):
        np.testing.assert_allclose(joints[j], world[j][:3, 3], atol=2e-6)
    for v in range(30):
        moved = [world[j] @ np.r_[rest[v] - rest_joints[j], 1] for j in range(24)]
        np.testing.assert_allclose(vertices[v], (arrays["weights"][v] @ moved)[:3], atol=2e-6)


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
def test_leading_dimensions(arrays, lead):
    body = body_of(arrays)
    pose, betas = draw(*lead)
    vertices, joints = body(pose, betas)
    assert vertices.shape == (*lead, 30, 3) and joints.shape == (*lead, 24, 3)
    flat, _ = body(pose.reshape(-1, 72), betas.reshape(-1, 10))
    torch.testing.assert_close(vertices.reshape(-1, 30, 3), flat)


def test_one_person_in_many_poses(arrays):
    body = body_of(arrays)
    pose, betas = draw(2, 5)
    person, offsets = betas[:, :1], 0.02 * torch.randn(30, 3)
    shared = body(pose, person, offsets)
    repeated = body(pose, person.expand(2, 5, 10), offsets.expand(2, 5, 30, 3))
    torch.testing.assert_close(shared[0], repeated[0])
    torch.testing.assert_close(shared[1], repeated[1])
    assert body(pose[0, 0], betas[0])[0].shape == (5, 30, 3)  # many people in one pose


def test_joints_alone_are_the_same_and_need_no_mesh(arrays, monkeypatch):
    body = body_of(arrays)
    pose, betas = draw(7)
    expected = body(pose, betas)[1]
    for name in ("v_template", "shapedirs", "posedirs", "weights", "J_regressor"):
        monkeypatch.setattr(body, name, body._buffers[name].to(dtype=body._buffers[name].dtype)[:0])
    torch.testing.assert_close(body.joints(pose, betas), expected, rtol=0, atol=0)


def test_what_a_camera_sees_is_x_and_y_of_the_mesh_to_the_bit(arrays):
    body, (pose, betas) = body_of(arrays), draw(7)
    assert torch.equal(body.seen(pose, betas).mT, body(pose, betas)[0][..., :2])


def test_offsets_move_the_skin_and_not_the_joints(arrays):
    body = body_of(arrays)
    pose, betas = draw(3)
    offsets = torch.zeros(30, 3)
    offsets[4] = torch.tensor([0.0, 0.1, 0.0])
    (bare, joints), (clothed, joints_again) = body(pose, betas), body(pose, betas, offsets)
    torch.testing.assert_close(joints, joints_again)
    moved = (clothed - bare).norm(dim=-1)
    assert (moved[:, 4] > 0.01).all() and moved[:, torch.arange(30) != 4].max() < 1e-6
    at_rest = body(torch.zeros(72), betas, offsets)[0] - body(torch.zeros(72), betas)[0]
    torch.testing.assert_close(at_rest, offsets.expand(3, 30, 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("pose", "betas", "offsets", "message"),
    [
        ((2, 71), (2, 10), None, r"\[2, 71\]"),
        ((2, 72), (2, 11), None, r"\[2, 11\]"),
        ((2, 72), (2, 10), (2, 29, 3), r"\[\.\.\., 30, 3\], got \[2, 29, 3\]"),
    ],
)
def test_wrong_shapes(arrays, pose, betas, offsets, message):
    with pytest.raises(ValueError, match=message):
        body_of(arrays)(torch.zeros(pose), torch.zeros(betas), offsets and torch.zeros(offsets))


def test_autocast_and_half_inputs_stay_fp32(standin):
    pose, betas = draw(2)
    expected = standin(pose, betas)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = standin(pose, betas)[0]
        joints = standin.joints(pose, betas)
    assert found.dtype == joints.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert standin(pose.bfloat16(), betas.bfloat16())[0].dtype == torch.float32


def test_float64_body(arrays):
    pose, betas = draw(2)
    vertices, _ = body_of(arrays).double()(pose, betas)
    assert vertices.dtype == torch.float64
    torch.testing.assert_close(vertices.float(), body_of(arrays)(pose, betas)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("at_rest", [True, False])
def test_gradients(arrays, at_rest):
    body = body_of(arrays).double()
    pose, betas = draw(2, scale=0.0 if at_rest else 0.5)
    pose, betas = pose.double().requires_grad_(), betas.double().requires_grad_()
    offsets = torch.zeros(2, 30, 3, dtype=torch.float64, requires_grad=True)
    body(pose, betas, offsets)[0].square().sum().backward()
    for tensor in (pose, betas, offsets):
        assert tensor.grad.isfinite().all() and (tensor.grad != 0).any()
    if not at_rest:
        assert torch.autograd.gradcheck(lambda p, b: body(p, b), (pose[:1], betas[:1]), atol=1e-5, fast_mode=True)


def test_nothing_goes_into_checkpoints(arrays):
    assert not body_of(arrays).state_dict()
    assert not list(body_of(arrays).parameters())


def test_buffers_move_with_the_module(arrays):
    assert {b.device.type for b in body_of(arrays).to("meta").buffers()} == {"meta"}


@pytest.mark.parametrize("key", ["v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table"])
def test_fingerprint_tells_arrays_apart(arrays, key):
    changed = arrays[key].copy()
    changed[0, 2] += 1  # of kintree_table: the parent of joint 2
    assert body_of(arrays).fingerprint != body_of(arrays, **{key: changed}).fingerprint


def test_fingerprint_speaks_of_float32_values(arrays):
    halves = {k: a.astype(np.float16) if a.dtype == float else a.astype(np.uint32) for k, a in arrays.items()}
    same = {k: a.astype(np.float64) if a.dtype == np.float16 else a.astype(np.int64) for k, a in halves.items()}
    assert body_of(halves).fingerprint == body_of(same).fingerprint
    assert len(body_of(halves).fingerprint) == 16


def test_posedirs_of_zeros_are_none(arrays):
    without, zeros = body_of(arrays, posedirs=None), body_of(arrays, posedirs=np.zeros((30, 3, 207)))
    assert zeros.posedirs is None
    assert without.fingerprint == zeros.fingerprint != body_of(arrays).fingerprint


def test_the_arrays_given_are_not_shared(arrays):
    arrays["v_template"] = arrays["v_template"].astype(np.float32)
    body = body_of(arrays)
    body.v_template += 1
    assert abs(body.v_template.numpy() - arrays["v_template"] - 1).max() < 1e-6


def test_joint_flip_swaps_sides():
    swap = {"left": "right", "right": "left"}
    for name, other in zip(JOINT_NAMES, JOINT_FLIP):
        side, _, part = name.partition("_")
        assert JOINT_NAMES[other] == (f"{swap[side]}_{part}" if side in swap else name)


def test_mirror_finds_the_counterparts_of_a_symmetric_body():
    rng = np.random.default_rng(0)
    side, midline = rng.random((40, 3)) + [0.05, 0, 0], rng.random((5, 3)) * [0, 1, 1]
    vertices = np.concatenate([side, midline, side * [-1, 1, 1]])
    expected = np.r_[np.arange(45, 85), np.arange(40, 45), np.arange(40)]
    noise = rng.normal(0, 1e-4, vertices.shape)
    np.testing.assert_array_equal(mirror_vertices(vertices), expected)
    np.testing.assert_array_equal(mirror_vertices(vertices + noise), expected)


@given(st.integers(1, 60), st.integers(0, 10_000))
def test_mirror_is_always_a_permutation_and_its_own_inverse(count, seed):
    mirror = mirror_vertices(np.random.default_rng(seed).normal(size=(count, 3)))
    np.testing.assert_array_equal(mirror[mirror], np.arange(count))


def test_mirror_of_the_shipped_body(standin):
    vertices = standin.v_template.numpy()
    np.testing.assert_array_equal(mirror_vertices(vertices), standin.mirror)
    assert (vertices[standin.mirror.numpy()] == vertices * np.float32([-1, 1, 1])).all()


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_lonely_vertices_stay_alone(shift):
    """Three vertices near each other on one side have nobody on the other but the one that is there."""
    vertices = np.array([[1.0, 0, 0], [1.1, 0, 0], [1.2, 0, 0], [-1.0, 0, shift]])
    np.testing.assert_array_equal(mirror_vertices(vertices), [3, 1, 2, 0])


def test_mirror_errors_of_pairs_and_of_vertices_alone():
    vertices = np.array([[1.0, 2, 3], [-1, 2, 3], [2, 0, 0], [-2, 0.3, 0.4], [0, 1, 1], [0.25, 5, 5]])
    errors = mirror_errors(vertices, np.array([1, 0, 3, 2, 4, 5]))
    np.testing.assert_allclose(errors, [0, 0, 0.5, 0.5, 0, 0.5])


@pytest.mark.parametrize("seed", range(3))
def test_joints_hang_from_each_other_in_any_tree(arrays, seed):
    generator = torch.Generator().manual_seed(seed)
    parents = [-1, *(int(torch.randint(joint, (), generator=generator)) for joint in range(1, 24))]
    tree = np.array([parents, range(24)])
    body = body_of(arrays, kintree_table=tree)
    pose, betas = draw(3, seed=seed)
    rest = body.joint_template + torch.einsum("nb,jcb->njc", betas, body.joint_shapedirs)
    turns = torch.from_numpy(Rotation.from_rotvec(pose.view(-1, 3)).as_matrix()).float().view(3, 24, 3, 3)
    world, place = [turns[:, 0]], [rest[:, 0]]
    for joint, parent in enumerate(parents[1:], start=1):
        bone = rest[:, joint] - rest[:, parent]
        place.append(place[parent] + (world[parent] @ bone[..., None])[..., 0])
        world.append(world[parent] @ turns[:, joint])
    torch.testing.assert_close(body.joints(pose, betas), torch.stack(place, 1), atol=1e-5, rtol=1e-5)
