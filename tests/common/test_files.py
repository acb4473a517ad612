"""Atomic writes and the unpickler that only builds arrays."""

import os
import pickle

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, read_json, read_pickle, write_json


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.ones((2, 85), np.float32)[:, ::2],
        [np.float64(2.5), {"pose": np.zeros(3)}],
        np.asfortranarray(np.ones((3, 4))),
        np.zeros((0, 85), np.float32),
    ],
    ids=["uint8", "strided", "nested", "fortran", "empty"],
)
def test_arrays_come_back(tmp_path, value, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    loaded = read_pickle(path)
    assert pickle.dumps(loaded, protocol=4) == pickle.dumps(pickle.loads(pickle.dumps(value, protocol)), protocol=4)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /evil",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty (0 bytes)"),
        (pickle.dumps(np.zeros(100))[:-30], "may be truncated"),
        (b"\x89PNG\r\n", "Cannot load"),
        (pickle.dumps(Evil()), "only arrays and plain values are allowed"),
    ],
    ids=["empty", "truncated", "not a pickle", "code"],
)
def test_bad_pickles(tmp_path, content, message):
    path = tmp_path / "bad.pkl"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_pickle(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_missing_files(tmp_path):
    for read in (read_pickle, read_json):
        with pytest.raises(UserError, match="No such file"):
            read(tmp_path / "absent")
