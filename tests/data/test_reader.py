"""What is read is what the network may rely on; each bad file is named with what it holds."""

import os
import pickle

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.reader import read_bodies, read_sequence, read_silhouettes, read_weights

MASK = np.zeros((3, 64, 64), dtype=np.uint8)
MASK[:, 10:50, 20:40] = 1
LABELS = MASK * 11
LABELS[:, 10:20] //= 2
BODIES = np.random.default_rng(0).normal(size=(3, 85)).astype(np.float32)


@pytest.mark.parametrize(
    "stored",
    [
        MASK * 255,
        MASK,
        MASK.astype(bool),
        MASK.astype(np.int64) * 255,
        MASK.astype(np.float32),
        MASK.astype(np.float64) * 255,
        list(MASK * 255),
        MASK * 38,
        MASK * 128,
        MASK.astype(np.int16) * 300,
        MASK.astype(np.float32) * 1.02,
    ],
    ids=[
        "uint8",
        "0/1",
        "bool",
        "int64",
        "float 0…1",
        "float 0…255",
        "list",
        "palette",
        "128",
        "label",
        "float 0/1.02",
    ],
)
def test_every_usual_storage_gives_the_same_silhouettes(tmp_path, dump, stored):
    sils = read_silhouettes(dump(tmp_path / "sils.pkl", stored))
    assert sils.dtype == np.uint8
    np.testing.assert_array_equal(sils, MASK * np.uint8(255))


def test_grey_outlines_survive(tmp_path, dump):
    grey = np.linspace(0, 255, 64 * 64).astype(np.uint8).reshape(1, 64, 64)
    np.testing.assert_array_equal(read_silhouettes(dump(tmp_path / "a.pkl", grey)), grey)
    np.testing.assert_array_equal(read_silhouettes(dump(tmp_path / "b.pkl", grey / np.float32(255))), grey)


def test_pickles_of_every_protocol(tmp_path):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"{protocol}-sils.pkl"
        path.write_bytes(pickle.dumps(MASK * 255, protocol=protocol))
        np.testing.assert_array_equal(read_silhouettes(path), MASK * np.uint8(255))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bodies_become_float32(tmp_path, dump, dtype):
    bodies = read_bodies(dump(tmp_path / "smpls.pkl", BODIES.astype(dtype)))
    assert bodies.dtype == np.float32
    np.testing.assert_array_equal(bodies, BODIES)


def test_frames_that_are_not_finite_are_left_to_the_supervisions_mask(tmp_path, dump):
    broken = BODIES.copy()
    broken[1] = np.nan
    np.testing.assert_array_equal(read_bodies(dump(tmp_path / "smpls.pkl", broken)), broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MASK[:0], "holds no frames"),
        ([], "holds no frames"),
        (np.uint8(3), "holds a uint8"),
        ({"sils": MASK}, r"holds a dict, and should hold silhouettes, uint8 \[T, h, w\]"),
        ([MASK[0], MASK[0, :32]], "frames of unequal shapes"),
        (MASK[:, None], r"holds uint8 \[3, 1, 64, 64\]; silhouettes are uint8 \[T, h, w\]"),
        (MASK[0], r"holds uint8 \[64, 64\]"),
        (BODIES, r"holds float32 \[3, 85\]"),
        (MASK[:, :0], r"holds uint8 \[3, 0, 64\]"),
        (MASK.astype(str), "holds <U3"),
        (MASK * 0, "holds 3 frames, and all of them are black"),
        (LABELS, "values from 0 to 11; silhouettes reach from 0 to 255"),
        (LABELS * np.float32(0.1), "values from 0 to 1.1"),
        (LABELS.astype(np.int16) * 24, "values from 0 to 264"),
        (np.where(MASK, np.inf, 0), "values from 0 to inf"),
        (-MASK.astype(np.float32), "values from -1 to -?0"),
        (np.where(MASK, np.nan, 0), "values from nan to nan"),
    ],
)
def test_bad_silhouettes(tmp_path, dump, content, message):
    path = dump(tmp_path / "sils.pkl", content)
    with pytest.raises(UserError, match=message) as error:
        read_silhouettes(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BODIES[:0], "holds no frames"),
        (BODIES[:, :82], r"holds float32 \[3, 82\]; body parameters are float32 \[T, 85\]"),
        (BODIES[0], r"holds float32 \[85\]"),
        (BODIES.astype(int), r"holds int64 \[3, 85\]"),
        (MASK, r"holds uint8 \[3, 64, 64\]"),
        ("smpl", "holds a str"),
    ],
)
def test_bad_bodies(tmp_path, dump, content, message):
    path = dump(tmp_path / "smpls.pkl", content)
    with pytest.raises(UserError, match=message) as error:
        read_bodies(path)
    assert str(error.value).startswith(str(path))


def test_unequal_lengths_name_both_files(tmp_path, dump):
    sils = dump(tmp_path / "0-sils.pkl", MASK)
    smpls = dump(tmp_path / "1-smpls.pkl", BODIES[:2])
    with pytest.raises(UserError, match="0-sils.pkl has 3 frames and 1-smpls.pkl beside it has 2.*joined by the names"):
        read_sequence(sils, smpls)
    assert read_sequence(sils)[1:] == (None, None)


def test_joints_go_by_their_name(tmp_path, dump):
    joints = np.random.default_rng(1).normal(size=(3, 24, 3))
    read = read_bodies(dump(tmp_path / "1-joints.pkl", joints))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, joints.astype(np.float32))
    with pytest.raises(
        UserError, match=r"smpls.pkl holds float64 \[3, 24, 3\]; body parameters are .* name says \(smpl or"
    ):
        read_bodies(dump(tmp_path / "1-smpls.pkl", joints))
    with pytest.raises(UserError, match=r"joints.pkl holds float32 \[3, 85\]; joints are float32 \[T, 24, 3\]"):
        read_bodies(dump(tmp_path / "1-joints.pkl", BODIES))
    with pytest.raises(UserError, match=r"holds float64 \[3, 17, 3\]; joints are"):
        read_bodies(dump(tmp_path / "1-joints.pkl", joints[:, :17]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, bool])
def test_weights_become_float32(tmp_path, dump, dtype):
    weights = read_weights(dump(tmp_path / "weights.pkl", np.array([0, 1, 1], dtype)))
    assert weights.dtype == np.float32 and weights.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros(0, np.float32), "holds no frames"),
        (np.zeros((3, 1), np.float32), r"holds float32 \[3, 1\]; weights are float32 \[T\], 0…1"),
        (np.array(["a"]), "holds <U1"),
        (np.array([0.5, 1.01]), "holds values from 0.5 to 1.01; weights reach from 0 "),
        (np.array([-0.1, 1]), "holds values from -0.1 to 1"),
        (np.array([0.5, np.nan]), "holds values from nan to nan"),
        (np.array([0.5, np.inf]), "holds values from 0.5 to inf"),
        ({"weights": 1}, "holds a dict, and should hold weights"),
    ],
)
def test_bad_weights(tmp_path, dump, content, message):
    path = dump(tmp_path / "2-weights.pkl", content)
    with pytest.raises(UserError, match=message) as error:
        read_weights(path)
    assert str(error.value).startswith(str(path))


def test_weights_are_as_many_as_silhouettes(tmp_path, dump):
    paths = [dump(tmp_path / "0-sils.pkl", MASK), dump(tmp_path / "1-smpls.pkl", BODIES), tmp_path / "2-weights.pkl"]
    dump(paths[2], np.ones(4, np.float32))
    with pytest.raises(
        UserError, match="0-sils.pkl has 3 frames and 2-weights.pkl beside it has 4.*joined by the names"
    ):
        read_sequence(*paths)
    dump(paths[2], np.ones(3, np.float32))
    assert [len(array) for array in read_sequence(*paths)] == [3, 3, 3]


class Evil:
    def __reduce__(self):
        return os.system, ("false",)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: b"", "is empty"),
        (lambda raw: raw[: len(raw) // 2], "may be truncated"),
        (lambda raw: b"\x89PNG not a pickle", "Cannot load"),
        (lambda raw: pickle.dumps(Evil()), "only arrays and plain values are allowed"),
    ],
    ids=["empty", "truncated", "other", "evil"],
)
def test_damaged_files(tmp_path, dump, damage, message):
    path = dump(tmp_path / "sils.pkl", MASK)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=message) as error:
        read_silhouettes(path)
    assert str(path) in str(error.value)
