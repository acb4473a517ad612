import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.archetypes import farthest_point_markers
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_FLIP
from opengait_meshgait.body.markers import VirtualMarkers, load_markers, save_markers
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError

BODY = load_body()
MARKERS = load_markers(body=BODY)
TOY = {
    "interpolation": np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [-0.1, 0.3, 0.8]], np.float32),
    "vertex_ids": np.array([0, 1, 2]),
    "flip": np.array([1, 0, 2]),
}


def walkers(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pose [count, 72] and betas [count, 10] with legs and arms swung at random, arms hanging."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.07, (count, 24, 3))
    pose[:, 1:3, 0] += rng.normal(-0.1, 0.4, (count, 2))
    pose[:, 4:6, 0] += np.abs(rng.normal(0, 0.5, (count, 2)))
    pose[:, 16, 2] -= rng.uniform(0.9, 1.4, count)
    pose[:, 17, 2] += rng.uniform(0.9, 1.4, count)
    return torch.from_numpy(pose).float().flatten(1), torch.from_numpy(rng.normal(size=(count, 10))).float()


@pytest.fixture(scope="module")
def people():
    """Vertices [40, V, 3] and joints [40, 24, 3] that no markers were learned from."""
    with torch.no_grad():
        return BODY(*walkers(40, seed=99))


def test_shipped_markers_are_whole():
    assert MARKERS.interpolation.shape == (BODY.num_vertices, 64) and MARKERS.num_markers == 64
    assert len(MARKERS.vertex_ids.unique()) == 64
    assert (MARKERS.interpolation.double().sum(1) - 1).abs().max() < 1e-6
    assert MARKERS.interpolation.min() > -0.25
    assert MARKERS.interpolation.clamp(max=0).sum(1).mean() > -0.05  # nearly non-negative
    assert MARKERS.name and MARKERS.body_name == BODY.name and MARKERS.body_fingerprint == BODY.fingerprint
    assert len(MARKERS.fingerprint) == 16
    assert not MARKERS.state_dict()


def test_shipped_markers_are_symmetric():
    flip, mirror = MARKERS.flip, BODY.mirror
    assert (flip[flip] == torch.arange(64)).all()
    assert (MARKERS.vertex_ids[flip] == mirror[MARKERS.vertex_ids]).all()
    torch.testing.assert_close(MARKERS.interpolation[mirror][:, flip], MARKERS.interpolation, rtol=0, atol=1e-7)


def test_flipped_markers_are_those_of_the_mirrored_person():
    pose, betas = walkers(4, seed=3)
    mirrored = pose.unflatten(1, (24, 3))[:, list(JOINT_FLIP)] * torch.tensor([1.0, -1.0, -1.0])
    markers = MARKERS.select(BODY(pose, betas)[0])
    other = MARKERS.select(BODY(mirrored.flatten(1), betas)[0])
    torch.testing.assert_close(other, markers[:, MARKERS.flip] * torch.tensor([-1.0, 1.0, 1.0]), rtol=0, atol=1e-6)


def test_unseen_people_are_rebuilt_better_than_from_farthest_points(people):
    vertices, joints = people
    with torch.no_grad():
        learned_from, _ = BODY(*walkers(60, seed=5))
    arrays = farthest_point_markers(learned_from.numpy(), BODY.mirror.numpy(), 64)
    farthest = VirtualMarkers(arrays, "farthest", BODY.name, BODY.fingerprint)
    figures = {}
    for markers in (MARKERS, farthest):
        rebuilt = markers.reconstruct(markers.select(vertices))
        error = 1000 * (rebuilt - vertices).norm(dim=-1)
        figures[markers.name] = error.mean(), error.quantile(0.99)
        if markers is MARKERS:
            assert 1000 * (BODY.J_regressor @ rebuilt - joints).norm(dim=-1).mean() < 6
    assert figures[MARKERS.name][0] < 6 and figures[MARKERS.name][1] < 25
    assert figures[MARKERS.name][0] < 0.8 * figures["farthest"][0]
    assert figures[MARKERS.name][1] < figures["farthest"][1]


@given(
    st.integers(0, 1000),
    st.tuples(*[st.floats(-5, 5)] * 3),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.floats(0.1, 10),
)
def test_moving_turning_and_scaling_commute_with_reconstruction(seed, shift, turn, scale):
    markers = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 64, 3))).float()
    rotation = torch.from_numpy(scale * Rotation.from_rotvec(turn).as_matrix()).float()
    offset = torch.tensor(shift, dtype=torch.float32)
    rebuilt = MARKERS.reconstruct(markers) @ rotation.T + offset
    torch.testing.assert_close(MARKERS.reconstruct(markers @ rotation.T + offset), rebuilt, rtol=1e-4, atol=1e-4)


def test_select_and_reconstruct_any_leading_dimensions():
    toy = VirtualMarkers(TOY, "toy", "cube", "0")
    vertices = torch.randn(2, 3, 5, 3, dtype=torch.float64)
    assert torch.equal(toy.select(vertices), vertices[..., :3, :])
    markers = torch.randn(2, 3, 3, 3)
    rebuilt = toy.reconstruct(markers)
    assert rebuilt.shape == (2, 3, 5, 3)
    assert torch.equal(rebuilt[..., :3, :], markers)
    torch.testing.assert_close(rebuilt[..., 3, :], (markers[..., 0, :] + markers[..., 1, :]) / 2)
    torch.testing.assert_close(toy.reconstruct(markers[0, 0]), rebuilt[0, 0])


def test_gradients_and_autocast():
    toy = VirtualMarkers(TOY, "toy", "cube", "0")
    markers = torch.randn(3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        rebuilt = toy.reconstruct(markers)
    assert rebuilt.dtype == torch.float32
    rebuilt.sum().backward()
    torch.testing.assert_close(markers.grad, torch.from_numpy(TOY["interpolation"].sum(0))[:, None].expand(3, 3))


@pytest.mark.parametrize("shape", [(4, 3), (5, 2), (5,)])
def test_wrong_shapes(shape):
    toy = VirtualMarkers(TOY, "toy", "cube", "0")
    with pytest.raises(ValueError, match=r"expected vertices \[\.\.\., 5, 3\], got"):
        toy.select(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"expected markers \[\.\.\., 3, 3\], got"):
        toy.reconstruct(torch.zeros(shape))


def test_saved_and_loaded(tmp_path):
    first, second = tmp_path / "new" / "a.npz", tmp_path / "b.npz"
    save_markers(MARKERS, first)
    loaded = load_markers(first, BODY)
    save_markers(loaded, second)
    assert first.read_bytes() == second.read_bytes()
    assert loaded.fingerprint == MARKERS.fingerprint and loaded.name == MARKERS.name
    for key in ("interpolation", "vertex_ids", "flip"):
        assert torch.equal(getattr(loaded, key), getattr(MARKERS, key))
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["a.npz", "b.npz"]  # nothing temporary


def test_fingerprint_tells_markers_apart():
    other = {**TOY, "vertex_ids": np.array([0, 1, 3])}
    assert VirtualMarkers(TOY, "toy", "cube", "0").fingerprint != VirtualMarkers(other, "toy", "cube", "0").fingerprint


KEYS = ("model_cfg.body_cfg.body", "model_cfg.body_cfg.markers")


def test_a_body_without_markers_of_its_own(arrays):
    body = BodyModel(arrays, name="my body", licence="mine")
    with pytest.raises(UserError, match="my body .* needs virtual markers of its own") as caught:
        load_markers(body=body)
    learn = "meshgait markers learn --body BODY --out MARKERS.npz"
    for word in (BODY.name, body.fingerprint, "30 vertices", learn, "meshgait markers import", *KEYS):
        assert word in str(caught.value)


def test_markers_of_another_body(arrays, tmp_path):
    body = BodyModel(arrays, name="my body", licence="mine")
    save_markers(MARKERS, tmp_path / "markers.npz")
    with pytest.raises(UserError) as caught:
        load_markers(tmp_path / "markers.npz", body)
    for word in (MARKERS.name, BODY.name, BODY.fingerprint, "my body", body.fingerprint, "markers learn", *KEYS):
        assert word in str(caught.value)


def write(path, **changes):
    content = {**TOY, "name": "toy", "body_name": "cube", "body_fingerprint": "0", **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})


def test_a_good_file_of_the_same_kind(tmp_path):
    write(tmp_path / "good.npz")
    assert load_markers(tmp_path / "good.npz").name == "toy"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flip": None}, "flip missing"),
        ({"body_fingerprint": None}, "body_fingerprint missing"),
        ({"interpolation": TOY["interpolation"][0]}, r"interpolation should be floats \[V, K\]"),
        ({"interpolation": np.ones((5, 3), int)}, r"interpolation should be floats \[V, K\]"),
        ({"interpolation": TOY["interpolation"][:2]}, "vertex_ids should lie in 0…1"),
        ({"interpolation": TOY["interpolation"] * 2}, "do not sum to 1"),
        ({"interpolation": TOY["interpolation"] * np.nan}, "do not sum to 1"),
        ({"vertex_ids": np.array([0, 1])}, r"vertex_ids should be integers \[3\]"),
        ({"vertex_ids": np.array([0, 1, -1])}, "vertex_ids should lie in 0…4"),
        ({"flip": np.array([0.0, 1.0, 2.0])}, r"flip should be integers \[3\]"),
        ({"flip": np.array([1, 2, 0])}, "flip does not lead back"),
        ({"flip": np.array([0, 1, 3])}, "flip should lie in 0…2"),
        ({"name": np.array([{}], object)}, "allow_pickle"),
    ],
)
def test_bad_files(tmp_path, changes, message):
    write(tmp_path / "bad.npz", **changes)
    with pytest.raises(UserError, match=message) as caught:
        load_markers(tmp_path / "bad.npz")
    assert "bad.npz" in str(caught.value) and "meshgait markers learn" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", "npy", "truncated"])
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "bad.npz"
    if content == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "truncated":
        write(path)
        path.write_bytes(path.read_bytes()[:500])
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="Cannot read virtual markers from .*bad.npz"):
        load_markers(path)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="No file of virtual markers at .*markers.npz"):
        load_markers(tmp_path / "markers.npz")
    with pytest.raises(UserError, match="No file of virtual markers"):
        load_markers(tmp_path)
