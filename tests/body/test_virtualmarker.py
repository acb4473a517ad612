"""Published markers. Set VIRTUALMARKER_ROOT to a checkout of ShirleyMaxx/VirtualMarker to read the real ones."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from opengait_meshgait.body import virtualmarker
from opengait_meshgait.body.markers import VirtualMarkers, load_markers, save_markers
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.virtualmarker import (
    import_published_markers,
    read_covered_vertices,
    read_published_markers,
)
from opengait_meshgait.common.errors import UserError

ROOT = os.environ.get("VIRTUALMARKER_ROOT")
HEAD = np.r_[3:9, 40:46]
COVERED = np.setdiff1d(np.arange(60), HEAD)
PAIRS = [(0, 1), (2, 3), (5, 6)]


@pytest.fixture(autouse=True)
def few_poses(monkeypatch):
    monkeypatch.setattr(virtualmarker, "_POSES", 40)


def body_of(weights: np.ndarray) -> BodyModel:
    """A body whose vertices at rest, and whose skinning, follow from markers by ``weights [V, K]``."""
    rng = np.random.default_rng(1)
    count, markers = weights.shape
    places, skinning = rng.uniform(-0.8, 0.8, (markers, 3)), rng.dirichlet(np.full(24, 0.05), markers)
    regressor = np.zeros((24, count))
    regressor[np.arange(24), rng.integers(0, count, 24)] = 1
    arrays = {
        "v_template": weights @ places,
        "shapedirs": np.einsum("vk,kcb->vcb", weights, rng.normal(0, 0.01, (markers, 3, 10))),
        "J_regressor": regressor,
        "weights": weights @ skinning,
        "kintree_table": np.array([[0, *np.arange(23) // 2], range(24)]),
        "f": np.array([[0, 1, 2]]),
        "mirror": np.arange(count),
    }
    return BodyModel(arrays, "made up", "CC0")


def made_up(seed: int = 0) -> np.ndarray:
    """Weights [60, 7] of all vertices, the head's included; the first seven covered ones are the markers."""
    weights = np.random.default_rng(seed).dirichlet(np.full(7, 0.4), 60)
    weights[COVERED[:7]] = np.eye(7)
    return weights


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    scipy.sparse.save_npz(path, scipy.sparse.csc_matrix(matrix))


@pytest.fixture
def folder(tmp_path) -> Path:
    """What VirtualMarker publishes, for 60 vertices of which 48 are covered."""
    write_matrix(tmp_path / "vm_A_sym.npz", made_up()[COVERED].T)
    write_matrix(tmp_path / "vm_B_sym.npz", np.eye(48, 7, dtype=np.float32))
    np.savez(tmp_path / "vm_info.npz", vm_flip_pairs=np.array(PAIRS), vm_K=7)
    parts = {"head": torch.from_numpy(HEAD), "torso": torch.arange(3)}
    (tmp_path / "smpl_indices.pkl").write_bytes(pickle.dumps(parts, protocol=2))
    return tmp_path


def imported(folder: Path, body: BodyModel) -> VirtualMarkers:
    covered = read_covered_vertices(folder / "smpl_indices.pkl", body.num_vertices)
    return import_published_markers(read_published_markers(folder), covered, body)


def test_covered_vertices_are_taken_as_they_are_and_others_fitted(folder):
    weights = made_up()
    body = body_of(weights)
    markers = imported(folder, body)
    assert markers.interpolation.shape == (60, 7)
    np.testing.assert_allclose(markers.interpolation[COVERED], weights[COVERED], atol=1e-6)
    assert markers.vertex_ids.tolist() == COVERED[:7].tolist()
    assert markers.flip.tolist() == [1, 0, 3, 2, 4, 6, 5]
    rest = body.v_template
    # The head's own weights are found again but for what keeps weights from being negative.
    assert (markers.reconstruct(markers.select(rest)) - rest).square().sum(1).sqrt()[HEAD].mean() < 0.05


def test_saved_they_load_for_their_body(folder, tmp_path):
    body = body_of(made_up())
    save_markers(imported(folder, body), tmp_path / "out" / "markers.npz")
    markers = load_markers(tmp_path / "out" / "markers.npz", body)
    assert (markers.name, markers.body_name) == ("VirtualMarker-7", "made up")


def test_small_faults_of_the_sums_are_corrected_and_larger_ones_refused(folder):
    weights = made_up()[COVERED].T
    write_matrix(folder / "vm_A_sym.npz", weights * 1.0005)
    np.testing.assert_allclose(read_published_markers(folder).weights.sum(1), 1, rtol=1e-12)
    weights[:, 20] *= 1.01
    write_matrix(folder / "vm_A_sym.npz", weights)
    with pytest.raises(UserError, match=r"Column 20 of .*vm_A_sym\.npz sums to 1\.0100; expected 1"):
        read_published_markers(folder)


@pytest.mark.parametrize("missing", ["vm_A_sym.npz", "vm_B_sym.npz", "vm_info.npz"])
def test_a_missing_file(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(UserError, match=rf"lacks {missing}\. .*assets/64"):
        read_published_markers(folder)


SHUFFLED = np.eye(48, 7)[:, [1, 0, 2, 3, 4, 5, 6]]
BAD_MATRICES = {
    "other folder": ("vm_B_sym.npz", np.eye(48, 6), r"should be \[48, 7\] and is \[48, 6\]"),
    "turned": ("vm_A_sym.npz", made_up()[COVERED], r"is \[48, 7\] .* should be \[7, 48\]"),
    "not one-hot": ("vm_B_sym.npz", np.eye(48, 7) / 2, "a single 1 in each column"),
    "two of a marker": ("vm_B_sym.npz", np.eye(48, 7) + np.eye(48, 7, -1), "a single 1 in each column"),
    "not together": ("vm_B_sym.npz", SHUFFLED, "do not belong together"),
    "NaN": ("vm_A_sym.npz", np.full((7, 48), np.nan), "sums to nan"),
}


@pytest.mark.parametrize("case", BAD_MATRICES)
def test_bad_matrices(folder, case):
    name, matrix, message = BAD_MATRICES[case]
    write_matrix(folder / name, matrix)
    with pytest.raises(UserError, match=message):
        read_published_markers(folder)


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("evil"),)


@pytest.mark.parametrize("name", ["vm_A_sym.npz", "vm_B_sym.npz", "vm_info.npz"])
@pytest.mark.parametrize("content", ["text", "truncated", "dense", "outside", "evil"])
def test_files_of_another_kind(folder, name, content, monkeypatch):
    monkeypatch.chdir(folder)
    path = folder / name
    if content == "text":
        path.write_bytes(b"not an archive")
    elif content == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    elif content == "dense":
        np.savez(path, array=np.eye(3))
    elif content == "outside":  # indices beyond the shape
        np.savez(
            path, data=np.ones(1), indices=np.array([9]), indptr=np.array([0, 1]), shape=np.array([1, 1]),
            format=b"csc", vm_flip_pairs=np.array([[0, 9]]),
        )  # fmt: skip
    else:
        np.savez(path, data=np.array([Evil()]), vm_flip_pairs=np.array([Evil()]))
    with pytest.raises(UserError, match=name):
        read_published_markers(folder)
    assert not Path("evil").exists()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (np.array([[0, 1], [1, 2]]), "each of the 7 markers once"),
        (np.array([[0, 7]]), "each of the 7 markers once"),
        (np.array([[0, -1]]), "each of the 7 markers once"),
        (np.array([0, 1, 2]), "should be pairs of markers"),
        (np.array(["left"]), "should be pairs of markers"),
    ],
)
def test_bad_pairs(folder, pairs, message):
    np.savez(folder / "vm_info.npz", vm_flip_pairs=pairs)
    with pytest.raises(UserError, match=message):
        read_published_markers(folder)


def test_pairs_may_be_objects(folder):
    pairs = np.empty(3, object)
    pairs[:] = PAIRS
    np.savez(folder / "vm_info.npz", vm_flip_pairs=pairs)
    assert read_published_markers(folder).flip.tolist() == [1, 0, 3, 2, 4, 6, 5]


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("kind", [torch.from_numpy, np.array, np.ndarray.tolist])
def test_indices_as_tensors_arrays_or_lists(folder, kind, protocol):
    path = folder / "smpl_indices.pkl"
    path.write_bytes(pickle.dumps({"head": kind(HEAD), "hand": kind(HEAD[:0])}, protocol=protocol))
    np.testing.assert_array_equal(read_covered_vertices(path, 60), COVERED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a dictionary"),
        ({"Head": HEAD}, r"no part 'head'\. Did you mean 'Head'"),
        ({"head": HEAD / 2}, "should be indices of vertices, 0 to 59"),
        ({"head": HEAD + 20}, "should be indices of vertices, 0 to 59"),
        ({"head": Evil()}, "touch.* only arrays and plain values are allowed"),
    ],
)
def test_bad_indices(folder, content, message, monkeypatch):
    monkeypatch.chdir(folder)
    path = folder / "smpl_indices.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=message):
        read_covered_vertices(path, 60)
    assert not Path("evil").exists()


def test_a_tensor_that_would_run_code(folder, monkeypatch):
    monkeypatch.chdir(folder)

    class Storage:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (pickle.dumps(Evil(), protocol=2),)

    path = folder / "smpl_indices.pkl"
    path.write_bytes(pickle.dumps({"head": Storage()}))
    with pytest.raises(UserError, match="Cannot load .*smpl_indices.pkl"):
        read_covered_vertices(path, 60)
    assert not Path("evil").exists()


def test_missing_indices_are_asked_for_by_name(tmp_path):
    with pytest.raises(UserError) as caught:
        read_covered_vertices(tmp_path / "x.pkl", 6890)
    for words in ("smpl_indices.pkl", "x.pkl", "6890", "VirtualMarker", "README", "--indices"):
        assert words in str(caught.value)


def test_another_body(folder):
    with pytest.raises(UserError, match=r"cover 48 vertices; .* the 61 of made up are 49"):
        imported(folder, body_of(np.concatenate([made_up(), made_up()[:1]])))
    weights = made_up()
    body = body_of(weights[np.random.default_rng(0).permutation(60)])
    with pytest.raises(UserError, match=r"vertices of made up at rest are \d+ mm from where they are"):
        imported(folder, body)


def test_load_markers_says_how_to_convert_them(folder):
    for path in (folder, folder / "vm_A_sym.npz", folder / "vm_B_sym.npz"):
        with pytest.raises(UserError, match=r"VirtualMarker.* meshgait markers import --from") as caught:
            load_markers(path)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(not ROOT, reason="VIRTUALMARKER_ROOT (a checkout of ShirleyMaxx/VirtualMarker) is not set")
@pytest.mark.parametrize("count", [16, 32, 64, 96])
def test_the_published_files(tmp_path, count):
    published = read_published_markers(Path(ROOT) / "assets" / str(count))
    assert published.weights.shape == (5664, count) and published.weights.min() > -1e-9
    np.testing.assert_allclose(published.weights.sum(1), 1, atol=1e-9)
    assert len(set(published.places.tolist())) == count
    flip = published.flip
    np.testing.assert_array_equal(flip[flip], np.arange(count))
    assert (flip != np.arange(count)).sum() == {16: 16, 32: 32, 64: 62, 96: 90}[count]

    # No licensed body is at hand: one that follows from these markers, with a head made up of them.
    head = np.arange(100, 100 + 1226)
    covered = np.setdiff1d(np.arange(6890), head)
    weights = np.zeros((6890, count))
    weights[covered] = published.weights
    weights[head, np.arange(1226) % count] = 1
    path = tmp_path / "smpl_indices.pkl"
    path.write_bytes(pickle.dumps({"head": torch.from_numpy(head)}))
    body = body_of(weights)
    markers = import_published_markers(published, read_covered_vertices(path, 6890), body)
    save_markers(markers, tmp_path / "markers.npz")
    loaded = load_markers(tmp_path / "markers.npz", body)
    assert loaded.num_markers == count
    error = (loaded.reconstruct(loaded.select(body.v_template)) - body.v_template).square().sum(1).sqrt()
    assert error.max() < 1e-3
