"""Archives of arrays and plain objects, and damaged ones."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common import npz
from opengait_meshgait.common.errors import UserError

ENTRIES = {
    "pose": np.arange(72, dtype=np.float32),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "none": np.zeros((0, 10)),
    "one": np.float64(2.5),
    "name": np.array("walk"),
    "people": np.array([{"a": np.ones(2)}], object),
}


def written(save, **entries):
    file = io.BytesIO()
    save(file, **entries)
    return file.getvalue()


STORED, DEFLATED = written(np.savez, **ENTRIES), written(np.savez_compressed, **ENTRIES)


@pytest.mark.parametrize("content", [STORED, DEFLATED])
def test_what_numpy_writes_is_read(content, tmp_path):
    (tmp_path / "a.npz").write_bytes(content)
    found = npz.read_npz_objects(tmp_path / "a.npz")
    assert found.keys() == ENTRIES.keys()
    for name, value in ENTRIES.items():
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype
        assert repr(found[name]) == repr(np.asarray(value))
        assert np.asarray(found[name]).flags.writeable


@given(
    st.sampled_from([STORED, DEFLATED]),
    st.lists(st.tuples(st.floats(0, 0.999), st.binary(max_size=4)), min_size=1, max_size=3),
    st.floats(0, 1),
)
def test_damaged_archives_are_read_or_refused(tmp_path_factory, content, changes, kept):
    damaged = bytearray(content)
    for place, new in changes:
        place = int(place * len(damaged))
        damaged[place : place + len(new)] = new
    damaged = bytes(damaged if kept > 0.3 else damaged[: int(kept / 0.3 * len(damaged))])
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damaged)
    with contextlib.suppress(UserError):
        npz.read_npz_objects(path)
