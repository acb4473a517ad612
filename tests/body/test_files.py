import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError


def save(path: Path, arrays) -> Path:
    if path.suffix.lower() == ".pkl":
        path.write_bytes(pickle.dumps(arrays))
    else:
        with path.open("wb") as file:
            np.savez(file, **arrays)
    return path


@pytest.mark.parametrize("name", ["mine.npz", "mine.pkl", "MINE.PKL"])
def test_loads_what_was_saved(arrays, tmp_path, name):
    path = save(tmp_path / name, arrays)
    body = load_body(str(path))
    assert body.fingerprint == BodyModel(arrays, "", "").fingerprint
    assert (body.name, body.licence) == (path.stem, "not stated in the file")
    assert body.betas_samples is None


def test_name_and_licence_of_the_file(arrays, tmp_path):
    arrays |= {"name": np.array("Ada"), "licence": np.array("CC0-1.0")}
    body = load_body(save(tmp_path / "x.npz", arrays))
    assert (body.name, body.licence) == ("Ada", "CC0-1.0")


def test_more_than_ten_shape_components_are_cut(arrays, tmp_path):
    ten = load_body(save(tmp_path / "ten.npz", arrays))
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"], np.ones((30, 3, 290))], axis=2)
    assert load_body(save(tmp_path / "many.npz", arrays)).fingerprint == ten.fingerprint


def test_the_mirror_of_smpls_own_files_counts(arrays, tmp_path):
    arrays = {key: value for key, value in arrays.items() if key != "mirror"}
    pairs = np.arange(30)
    pairs[[3, 8]] = 8, 3
    assert load_body(save(tmp_path / "b.npz", {**arrays, "vert_sym_idxs": pairs})).mirror.tolist() == pairs.tolist()
    nearest = load_body(save(tmp_path / "c.npz", arrays)).mirror.tolist()
    for wrong in (pairs[:29], np.roll(np.arange(30), 1), np.zeros(30, int), pairs.astype(float)):
        assert load_body(save(tmp_path / "d.npz", {**arrays, "vert_sym_idxs": wrong})).mirror.tolist() == nearest


def test_root_of_kintree_may_hold_anything(arrays, tmp_path):
    """SMPL's files have 2**32 - 1 there."""
    arrays["kintree_table"] = arrays["kintree_table"].astype(np.uint32)
    arrays["kintree_table"][0, 0] = 2**32 - 1
    assert load_body(save(tmp_path / "x.pkl", arrays)).parents[:4] == (-1, 0, 0, 0)


# ---- pickles as SMPL's makers hand them out -------------------------------------------------------------------------


@pytest.fixture
def chumpy(monkeypatch):
    """A library that looks like chumpy to the pickler: it must be gone again before the file is read."""
    ch, reordering = types.ModuleType("chumpy.ch"), types.ModuleType("chumpy.reordering")

    class Ch:
        __module__, __qualname__ = "chumpy.ch", "Ch"

        def __init__(self, x):
            self.x = x
            self._dirty_vars = {"x"}

    class Select:
        __module__, __qualname__ = "chumpy.reordering", "Select"

        def __init__(self, a, idxs, preferred_shape):
            self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape

    ch.Ch, reordering.Select = Ch, Select
    with monkeypatch.context() as patch:
        for module in (types.ModuleType("chumpy"), ch, reordering):
            patch.setitem(sys.modules, module.__name__, module)
        yield types.SimpleNamespace(Ch=Ch, Select=Select, forget=patch.undo)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_chumpy_and_sparse_arrays(arrays, tmp_path, chumpy, protocol):
    expected = BodyModel(arrays, "", "").fingerprint
    for key in ("v_template", "shapedirs", "weights"):
        arrays[key] = chumpy.Ch(arrays[key])
    padded = chumpy.Ch(np.append(arrays["posedirs"].ravel(), [7.0, 7.0]))
    arrays["posedirs"] = chumpy.Select(padded, np.arange(padded.x.size - 2), (30, 3, 207))
    arrays["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    arrays["bs_style"] = "lbs"
    content = pickle.dumps(arrays, protocol=protocol).replace(b"scipy.sparse._csc", b"scipy.sparse.csc")
    chumpy.forget()
    assert "chumpy" not in sys.modules and b"chumpy.ch" in content and b"scipy.sparse.csc\n" in content
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(content)
    assert load_body(path).fingerprint == expected


def test_chumpy_object_of_an_unknown_kind(arrays, tmp_path, chumpy):
    arrays["weights"] = chumpy.Ch(0)
    vars(arrays["weights"]).clear()
    vars(arrays["weights"])["y"] = 1
    path = save(tmp_path / "x.pkl", arrays)
    chumpy.forget()
    with pytest.raises(UserError, match=r"weights in .*x\.pkl is not an array of numbers: a chumpy object with y"):
        load_body(path)


@pytest.mark.parametrize("chumpy_arrays", [True, False], ids=["v1.0.0", "v1.1.0"])
def test_all_that_is_in_the_files_of_smpl(arrays, tmp_path, chumpy, chumpy_arrays):
    """Both releases' keys, kinds and Python 2 names, at 30 vertices."""
    arrays["shapedirs"] = np.random.default_rng(1).normal(0, 0.01, (30, 3, 300))
    expected = BodyModel(arrays | {"shapedirs": arrays["shapedirs"][..., :10]}, "", "").fingerprint
    arrays["kintree_table"] = arrays["kintree_table"].astype(np.uint32)
    arrays["kintree_table"][0, 0] = 4294967295
    arrays["f"] = arrays["f"].astype(np.uint32)
    arrays["J"] = arrays["J_regressor"] @ arrays["v_template"]
    if chumpy_arrays:
        for key in ("v_template", "shapedirs", "posedirs", "weights", "J"):
            arrays[key] = chumpy.Ch(arrays[key])
        vars(arrays["J"]).clear()  # computed from others
        vars(arrays["J"]).update(a=arrays["v_template"], b=chumpy.Ch(np.ones(3)), _itr=None, _depends_on_deps={})
    arrays["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    arrays |= {
        "J_regressor_prior": arrays["J_regressor"].copy(),
        "weights_prior": np.array(arrays["weights"]) if not chumpy_arrays else arrays["weights"],
        "vert_sym_idxs": np.arange(30),
        "pose_training_info": {"dataset": "x", "sizes": np.zeros(0), "rms": np.float64(1.5)},
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "eff_c": [],
    }
    content = pickle.dumps(arrays, protocol=2).replace(b"scipy.sparse._csc", b"scipy.sparse.csc")
    content = content.replace(b"cnumpy._core", b"cnumpy.core")
    chumpy.forget()
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(content)
    body = load_body(path)
    assert body.fingerprint == expected and body.parents[:4] == (-1, 0, 0, 0)


def larger_body(joints):
    """A body file's content with so many joints, of random vertices."""
    random = np.random.default_rng(0)
    # fmt: off
    parents = [
        0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15,
        *(parent for wrist, first in ((20, 25), (21, 40)) for finger in range(first, first + 15, 3)
          for parent in (wrist, finger, finger + 1)),
    ][:joints]
    # fmt: on
    return {
        "v_template": random.normal(size=(40, 3)),
        "shapedirs": random.normal(size=(40, 3, 400)),
        "posedirs": random.normal(0, 0.1, (40, 3, 9 * (joints - 1))),
        "J_regressor": random.dirichlet(np.ones(40), joints),
        "weights": random.dirichlet(np.full(joints, 0.1), 40),
        "kintree_table": np.array([parents, range(joints)]),
        "f": random.integers(0, 40, (3, 3)),
        "hands_meanl": np.zeros(45),
    }


@pytest.mark.parametrize("name", ["SMPLX_NEUTRAL.npz", "SMPLX_NEUTRAL.pkl"])
def test_a_body_of_smplx_moves_as_smplx_does(tmp_path, name):
    lbs = pytest.importorskip("smplx.lbs", reason="smplx, the reference, is not installed")
    content = larger_body(55)
    objects = {key: np.array({"head": 1}, object) for key in ("joint2num", "part2num")} if name.endswith("npz") else {}
    body = load_body(save(tmp_path / name, content | objects))
    assert body.shape_space == "SMPL-X" and body.num_vertices == 40
    pose, betas = torch.zeros(2, 55, 3), torch.randn(2, 10)
    pose[:, :22] = torch.randn(2, 22, 3)
    arrays = {key: torch.from_numpy(content[key]).float() for key in ("v_template", "J_regressor", "weights")}
    expected_vertices, expected_joints = lbs.lbs(
        betas,
        pose.flatten(1),
        arrays["v_template"][None],
        torch.from_numpy(content["shapedirs"][..., :10]).float(),
        torch.from_numpy(content["posedirs"].reshape(120, -1).T).float(),
        arrays["J_regressor"],
        torch.from_numpy(np.append(-1, content["kintree_table"][0, 1:])),
        arrays["weights"],
    )
    vertices, joints = body(torch.cat([pose[:, :22].flatten(1), torch.zeros(2, 6)], 1), betas)
    torch.testing.assert_close(vertices, expected_vertices, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joints[:, :22], expected_joints[:, :22], rtol=1e-4, atol=1e-4)


def test_a_body_of_smplh_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"a body of 52 joints; 24 \(SMPL\) or 55 \(SMPL-X\) are expected.*use one of SMPL"
    ):
        load_body(save(tmp_path / "SMPLH_MALE.pkl", larger_body(52)))


def python2_array(array: np.ndarray) -> bytes:
    """Opcodes of an array as Python 2 pickled it: its bytes are a string."""
    content = array.tobytes()
    shape = b"(" + b"".join(b"J" + int(size).to_bytes(4, "little") for size in array.shape) + b"t"
    kind = array.dtype.str[1:].encode()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape
        + b"cnumpy\ndtype\nU" + bytes([len(kind)]) + kind + b"K\x00K\x01\x87R(K\x03U\x01<NNN" + b"J\xff\xff\xff\xff" * 2
        + b"K\x00tb\x89T" + len(content).to_bytes(4, "little") + content + b"tb"
    )  # fmt: skip


def test_pickle_of_python_2(arrays, tmp_path):
    items = [b"U" + bytes([len(key)]) + key.encode() + python2_array(array) for key, array in arrays.items()]
    path = tmp_path / "basicmodel.pkl"
    path.write_bytes(b"\x80\x02}(" + b"".join(items) + b"u.")
    assert load_body(path).fingerprint == BodyModel(arrays, "", "").fingerprint


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("evil"),)


def test_pickles_run_no_code(arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="only arrays and plain values are allowed"):
        load_body(save(tmp_path / "x.pkl", arrays | {"weights": Evil()}))
    assert not Path("evil").exists()


# ---- bad inputs, one by one -----------------------------------------------------------------------------------------

BAD_ARRAYS = {
    "missing key": ({"weights": None, "f": None}, r"lacks weights, f\. It holds: J_regressor, kintree_table, posed"),
    "joints of SMPL-X": ({"J_regressor": np.ones((55, 30)) / 30}, r"weights .* \[30, 24\]; expected \[30, 55\]"),
    "few shapes": ({"shapedirs": np.zeros((30, 3, 8))}, "8 shape components; 10 or more"),
    "v_template flat": ({"v_template": np.zeros(90)}, r"v_template .* \[90\]; expected \[90, 3\]"),
    "v_template a number": ({"v_template": np.float64(1)}, r"v_template .* shape \[\]; expected \[1, 3\]"),
    "shapedirs of another body": ({"shapedirs": np.zeros((29, 3, 10))}, r"\[29, 3, 10\]; expected \[30, 3, any\]"),
    "regressor turned": ({"J_regressor": np.zeros(24)}, r"J_regressor .* \[24\]; expected \[24, 30\]"),
    "weights turned": ({"weights": np.zeros((24, 30))}, r"weights .* \[24, 30\]; expected \[30, 24\]"),
    "posedirs turned": ({"posedirs": np.zeros((207, 90))}, r"posedirs .* \[207, 90\]; expected \[30, 3, 207\]"),
    "kintree a row": ({"kintree_table": np.zeros(24)}, r"kintree_table .* \[24\]; expected \[2, 24\]"),
    "quads": ({"f": np.zeros((5, 4))}, r"f in .* \[5, 4\]; expected \[any, 3\]"),
    "mirror short": ({"mirror": np.arange(29)}, r"mirror .* \[29\]; expected \[30\]"),
    "betas_samples short": ({"betas_samples": np.zeros((5, 9))}, r"betas_samples .* \[5, 9\]; expected \[any, 10\]"),
    "NaN": ({"v_template": np.full((30, 3), np.nan)}, "v_template .* has 90 values that are not finite"),
    "infinity": ({"posedirs": np.full((30, 3, 207), np.inf)}, "posedirs .* not finite"),
    "faces too high": ({"f": np.full((4, 3), 30)}, "f in .* indices of vertices, 0 to 29"),
    "faces negative": ({"f": np.full((4, 3), -1)}, "f in .* indices of vertices, 0 to 29"),
    "no faces": ({"f": np.zeros((0, 3))}, "f in .* indices of vertices"),
    "no tree": ({"kintree_table": np.tile(np.arange(24), (2, 1))}, "joint 1 has parent 1; expected .* 0 to 0"),
    "weights of 2": ({"weights": np.full((30, 24), 1 / 12)}, r"Row 0 of weights .* sums to 2\.000; expected 1"),
    "regressor of 0": ({"J_regressor": np.zeros((24, 30))}, r"Row 0 of J_regressor .* sums to 0\.000"),
    "mirror twice": ({"mirror": np.zeros(30)}, "mirror .* each of 0 to 29 once"),
    "words": ({"weights": np.array(["a", "b"])}, "weights .* is not an array of numbers"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["npz", "pkl"])
@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(arrays, tmp_path, case, suffix):
    changes, message = BAD_ARRAYS[case]
    changed = {key: value for key, value in (arrays | changes).items() if value is not None}
    with pytest.raises(UserError, match=message) as error:
        load_body(save(tmp_path / f"body.{suffix}", changed))
    assert str(tmp_path) in str(error.value)


def test_no_such_file(arrays, tmp_path):
    save(tmp_path / "SMPL_NEUTRAL.npz", arrays)
    with pytest.raises(UserError, match=r"nothing is there\. Did you mean 'SMPL_NEUTRAL.npz'\?"):
        load_body(tmp_path / "SMPL_NEUTRA.npz")
    with pytest.raises(UserError, match=r"it is a folder\. .*SMPL_NEUTRAL\.npz"):
        load_body(tmp_path)
    with pytest.raises(UserError, match=r"nothing is there\. Give the path of an SMPL-format"):
        load_body(tmp_path / "nowhere" / "x.npz")


def test_without_a_licensed_file_one_learns_where_it_is_and_what_does_without(tmp_path):
    with pytest.raises(UserError) as caught:
        load_body(tmp_path / "SMPL_NEUTRAL.pkl")
    for words in ("SMPL_NEUTRAL.pkl", "https://smpl.is.tue.mpg.de", "body: null", "stand-in", "model_cfg.body_cfg"):
        assert words in str(caught.value)


BAD_FILES = {
    "text.npz": (b"not a zip", "is not an npz archive"),
    "empty.npz": (b"", "is not an npz archive"),
    "renamed.npz": (pickle.dumps({}), "is not an npz archive"),
    "empty.pkl": (b"", "is empty"),
    "text.pkl": (b"hello", "Cannot load .* as a pickle"),
    "list.pkl": (pickle.dumps([1, 2]), "holds a list, not a dictionary"),
    "nothing.pkl": (pickle.dumps({}), "It holds: nothing"),
    "body.fbx": (b"x", r"ends in '\.fbx': body files are \.npz or \.pkl"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_body(tmp_path / name)


@pytest.mark.parametrize("suffix", ["npz", "pkl"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_truncated(arrays, tmp_path, suffix, part):
    path = save(tmp_path / f"x.{suffix}", arrays)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(UserError, match="truncated"):
        load_body(path)


def test_damaged_npz(arrays, tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="Cannot read .*np.savez"):
        load_body(path)


def test_npz_of_objects(arrays, tmp_path):
    arrays["J_regressor"] = np.array(scipy.sparse.csc_matrix(arrays["J_regressor"]), dtype=object)
    with pytest.raises(UserError, match="Cannot read .*plain arrays"):
        load_body(save(tmp_path / "x.npz", arrays))


def test_npz_with_other_objects_beside_the_body(arrays, tmp_path):
    path = save(tmp_path / "x.npz", arrays | {"part2num": np.array({"head": 1}, dtype=object)})
    assert load_body(path).fingerprint == BodyModel(arrays, "", "").fingerprint


def test_a_licensed_smpl_of_300_components_poses(arrays, tmp_path):
    """The whole way, as with a file of the user's own."""
    arrays["shapedirs"] = np.random.default_rng(1).normal(0, 0.01, (30, 3, 300))
    vertices, joints = load_body(save(tmp_path / "SMPL_NEUTRAL.pkl", arrays))(torch.zeros(2, 72), torch.zeros(2, 10))
    torch.testing.assert_close(vertices, torch.tensor(arrays["v_template"]).float().expand(2, 30, 3))
    assert joints.shape == (2, 24, 3)
