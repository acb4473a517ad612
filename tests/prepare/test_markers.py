"""Poses out of a dataset."""

import pickle

import numpy as np
import pytest

from opengait_meshgait.body.layout import BETAS
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.prepare.markers import dataset_poses


def write(root, person, sequence, frames, name="1-smpls.pkl"):
    path = root / person / "nm-01" / sequence / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(frames))


def person_frames(number: int, count: int) -> np.ndarray:
    """Frames of which betas[0] says whose and pose[3] says which."""
    frames = np.random.default_rng(number).normal(size=(count, 85)).astype(np.float32)
    frames[:, 75] = number
    frames[:, 6] = np.arange(count) + 1
    return frames


@pytest.fixture
def root(tmp_path):
    """Ten people with two sequences of 30 frames, silhouettes beside them."""
    for number in range(10):
        frames = person_frames(number, 60)
        for sequence, part in (("000", frames[:30]), ("090", frames[30:])):
            write(tmp_path, f"{number:02}", sequence, part)
            write(tmp_path, f"{number:02}", sequence, b"not read", "0-sils.pkl")
    return tmp_path


def test_evenly_over_people_and_sequences(root):
    (pose, betas), (other_pose, other_betas) = dataset_poses(root, 160, 20)
    assert pose.shape == (160, 72) and betas.shape == (160, 10) and pose.dtype == betas.dtype == np.float32
    assert other_pose.shape == (20, 72) and other_betas.shape == (20, 10)
    people, counts = np.unique(betas[:, 0], return_counts=True)
    others, other_counts = np.unique(other_betas[:, 0], return_counts=True)
    assert sorted([*people, *others]) == list(range(10)) and len(others) == 2
    assert set(counts) == {20} and set(other_counts) == {10}
    first_sequence = pose[:, 3] <= 30
    assert first_sequence.mean() == 0.5
    frames = np.stack([betas[:, 0], pose[:, 3]], 1)
    assert len(np.unique(frames, axis=0)) == 160  # none twice


def test_roots_are_upright_and_the_rest_untouched(root):
    pose, betas = dataset_poses(root, 160, 20)[0]
    assert not pose[:, :3].any()
    for angles, shape in zip(pose, betas):
        frame = person_frames(int(shape[0]), 60)[int(angles[3]) - 1]
        np.testing.assert_array_equal(angles[3:], frame[6:75])
        np.testing.assert_array_equal(shape, frame[BETAS])


def test_the_same_seed_draws_the_same(root):
    first, again, other = (dataset_poses(root, 160, 20, seed)[0][0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_frames_without_a_body_are_left_out(root):
    for number in range(10):
        frames = person_frames(number, 60)[:30]
        frames[:10, 3:] = 0
        frames[10:20, 40] = np.nan
        frames[0, :3] = 1
        frames[1, BETAS] = 1  # a tracker's mean betas without a pose are no body either
        write(root, f"{number:02}", "000", frames)
    for pose, betas in dataset_poses(root, 160, 20):
        assert np.isfinite(pose).all() and np.isfinite(betas).all()
        assert pose.any(1).all()
        assert (pose[:, 3] > 20).all()


def test_more_people_than_poses(tmp_path):
    for number in range(300):
        write(tmp_path, f"{number:03}", "000", person_frames(number, 2))
    (_, betas), (_, other) = dataset_poses(tmp_path, 110, 5)
    assert len(np.unique(betas[:, 0])) == 110 and len(np.unique(other[:, 0])) == 5


@pytest.mark.parametrize(
    ("people", "count", "message"),
    [
        (0, 0, r"of 0 people; at least 2"),
        (1, 200, r"of 1 people; at least 2"),
        (2, 20, r"gives 20 frames with a body to learn from and 20 to measure on"),
    ],
)
def test_too_little(tmp_path, people, count, message):
    for number in range(people):
        write(tmp_path, str(number), "000", person_frames(number, count))
    with pytest.raises(UserError, match=message):
        dataset_poses(tmp_path, 600, 400)


def test_no_folder_and_bad_files(root):
    with pytest.raises(UserError, match="is not a folder"):
        dataset_poses(root / "nowhere", 600, 400)
    for number in range(10):
        write(root, f"{number:02}", "000", np.zeros((3, 82), np.float32))
    with pytest.raises(UserError, match=r"1-smpls\.pkl holds float32 \[3, 82\]"):
        dataset_poses(root, 600, 400)
