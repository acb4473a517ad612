"""Files of arrays as other programs write them: what is in them comes back, and nothing else ever does."""

import base64
import io
import os
import pickle
import zlib
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.common.containers import read_arrays
from opengait_meshgait.common.errors import UserError

# {7: …} as joblib 1.6.0 wrote it on NumPy 2.4, the first of the two shortened by zlib.
PLAIN = zlib.decompress(
    base64.b64decode(
        "eNqNU81v0zAUT5Z0K6zSCmNDCCE4hktPHHaY1E6VOBCpwC6cUOQkzmxwPuQ4QpWYVA4dreQbDmf+xP0H4yVORj+G4Cnx89fz+/n9fp7Z5ZFp1C"
        "b3g5QxHAiaJrmS+yGOUMFESAOhfijZ9QvKBK2W7GZurs6Vu3epHGlnaY6VPPyU+oz6g6SIs6mX0eAzg9kHk2p4xjmafuAoyzCH2JffVBXYzQs/"
        "YCiHUzt1lJJ7SYiqvVXSTk5QhpW741pXMEp5CMHSHEM/FFNYIf22B7t3oldqufgOqBzXkuapmkwmb27A6sY1hPLlfcRY+sWLY5SphXyqkdb5PM"
        "ToRRLjRHj+VOBcuf3CP7hZN12q2RCaEXzwz+D/NSrPjaaKu6LgCQ4V6ekrkgPykBzqG5Ajab5W5DF5AlhP/mAlz7aRkucL8qKC0NvO31p3pP31"
        "UPt+MzYa/2hUvm9x3Ys4irFHw3wL2hyAkWMNi/4vrE6Nx2qOtxtfvrutQ4bTDOjfSGauJnt7ssrX1w2+hnW6pU4365RWK9TjmrWBF6QcD2LQKN"
        "WCkT2P4wDUK3ihRXuHplxjrsamr3RaswZkrYro36CWH+FC0kQg+FUk0MecBvB0vIinsV9EUS1152d/jbWWreshFGddCHeLtmKoEr2ATTmCiUF5"
        "0ZbZShN4Yn+tyG4eIIYqFMQZdxuuRuoKTpJ2UsVu8GNondYMObdkd1v9FfngNxIclYI="
    )
)
COMPRESSED = base64.b64decode(
    "eF6Nk0tv00AQx+3YaQ2N1EBpEUKoHMMlJw4ckBIUiQOWAvTCCVlre91dWD+0XgtFAikcUhJpb6w58xH7DWDWG5c0KYKRH/vwzPw889+5Wx/bVm"
    "PyIMoZw5GgeVYqeRDjBFVMxDQS6ruSXlhRJqjectdrC3Wm/P0vaiDdIi+xkkcf8pDRcJhVaTELChp9ZLB6Z6qnLzhHs3ccFQXmEO/JV6UdvbIK"
    "I4ZKiNptvJTcz2Kkv9VJuyVBBVZ+x3cuYJbzGJylPYFxLGawQ/rtCL7uJE/VavkNqAa+I+3najqdvvoF1jx8S6hQ3kaM5Z+CNEWFWsqHhrTJFy"
    "BGz7MUZyIIZwKXyu9X4aH23DBTqvkIHmO44J7D/XNcn5kdS+6Jimc4VqRnfpEckrvkyPwBOZb2S0XukwfA+uwPK3m0S0pOl+SxRujt5l/nsjzI"
    "re1S84D113PNpu3euH7bct1KOEpxQONyB20BYOTEYNH/xeo2WM46vLt+12+u6lDgvID2b9XB3kz2eiOZtD9v9WsE/SKnK1OFebd2WqGeNF0bBl"
    "HO8TAFjVIjGNkLOI5AvYJXRrQ3aMq3Fmpih8rIxPY1kLMpon9Drd5DY6WNQPCbJDDGnEZwdIKE52lYJUkj9cGPftuwa926HEFxrgvhZtH6nUUj"
    "egHIJYKqDOvztsxOnsER+2tF9soIMaQpyGDiGSd3rC4gknQz7bvVH8votJHD4EqDXqvBqhz+BhIclYI="
)
WRITTEN = {
    7: {
        "pose": np.arange(6, dtype=np.float32).reshape(2, 3),
        "turned": np.arange(6.0).reshape(2, 3),
        "frame_ids": np.array([3, 4]),
        "people": [{"a": np.ones(2)}],
        "one": np.float64(2.5),
        "none": np.zeros((0, 3)),
    }
}


class Evil:
    """Pickles to a call that leaves a trace."""

    def __reduce__(self):
        return os.mkdir, ("trace",)


def same(left, right):
    """Whether two containers hold the same, types of arrays included."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return np.array_equal(left, right) and np.asarray(left).dtype == np.asarray(right).dtype


def is_plain(value):
    if isinstance(value, dict):
        return type(value) is dict and all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype != object
    return value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic)


def npz(**entries):
    file = io.BytesIO()
    np.savez(file, **entries)
    return file.getvalue()


def npy(value):
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def pt(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


TENSORS = {"a": torch.arange(6.0).view(2, 3).T, "b": OrderedDict(c=torch.tensor([1, 2])), "d": torch.ones(2).bfloat16()}
PLAIN_TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": {"c": np.array([1, 2])}} | {
    "d": np.ones(2, np.float32)
}
GOOD = {
    "joblib.pkl": (PLAIN, WRITTEN),
    "compressed.joblib": (COMPRESSED, WRITTEN),
    "tensors.pt": (pt(TENSORS), PLAIN_TENSORS),
    "legacy.pth": (pt(TENSORS, _use_new_zipfile_serialization=False), PLAIN_TENSORS),
    "tensors.pkl": (pickle.dumps(TENSORS), PLAIN_TENSORS),
    "tensors.npy": (npy(TENSORS), PLAIN_TENSORS),
    "results.npz": (npz(results=np.array([{"cam": np.ones(3)}], object)), {"results": [{"cam": np.ones(3)}]}),
    "array.npy": (npy(np.eye(3)), np.eye(3)),
    "motion.smpl": (npz(bodyPose=np.ones((2, 24, 3))), {"bodyPose": np.ones((2, 24, 3))}),
    "people.pickle": (pickle.dumps(defaultdict(dict, {1: {"t": (1, {2})}})), {1: {"t": [1, [2]]}}),
    "latin1.pkl": (pickle.dumps({"pose": np.ones(3)}, protocol=2), {"pose": np.ones(3)}),
    "a.json": (b'{"hc3d": [[1, 2]]}', {"hc3d": [[1, 2]]}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_in_a_file_comes_back(name, tmp_path):
    content, expected = GOOD[name]
    (tmp_path / name).write_bytes(content)
    assert same(read_arrays(tmp_path / name), expected)


loop = []
loop.append(loop)
BAD = {
    "evil.pkl": (pickle.dumps({"a": Evil()}), "it asks for posix.mkdir"),
    "evil.joblib": (PLAIN.replace(b"numpy\x94\x8c\x07ndarray", b"posix\x94\x8c\x05mkdir"), "it asks for posix.mkdir"),
    "compressed.pkl": (zlib.compress(pickle.dumps(Evil())), "it asks for posix.mkdir"),
    "evil.npz": (npz(a=np.array([Evil()], object)), "it asks for posix.mkdir"),
    "evil.npy": (npy(np.array([Evil()], object)), "it asks for posix.mkdir"),
    "evil.pt": (pt({"a": Evil()}), "asks for more than tensors"),
    "nested.pkl": (  # a tensor whose storage is a pickle that asks for more
        pickle.dumps({"a": torch.ones(1)}).replace(b"ctorch\nFloatStorage", b"cposix\nmkdir       "),
        "asks for more than tensors",
    ),
    "class.pkl": (pickle.dumps(np.ndarray), "it holds a type"),
    "function.pkl": (b"ctorch._utils\n_rebuild_tensor_v2\n.", "it holds a _RebuildTensor"),
    "changed.joblib": (  # gives a class a state
        b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
        "it gives a type a state",
    ),
    "loop.pkl": (pickle.dumps(loop), "recursion"),
    "empty.pt": (b"", "is empty (0 bytes)"),
    "text.npy": (b"hello", "Cannot read"),
    "missing.pkl": (None, "Cannot read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_asks_for_more_is_refused_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, message = BAD[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as error:
        read_arrays(tmp_path / name)
    assert message in str(error.value) and name in str(error.value)
    assert "weights_only" not in str(error.value)  # no advice to load it unsafely
    assert not (tmp_path / "trace").exists()


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(sorted(GOOD)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=4),
)
def test_damaged_files_give_plain_values_or_a_refusal(name, edits, tmp_path_factory):
    content = GOOD[name][0]
    for where, new, removed in edits:
        place = int(where * len(content))
        content = content[:place] + new + content[place + removed :]
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        assert is_plain(read_arrays(path))
    except UserError as error:
        assert name in str(error)
