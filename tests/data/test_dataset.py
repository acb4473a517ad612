"""The dataset knows its people, keeps the two modalities together and draws from the key's seed alone."""

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.dataset import check_sequences


def test_splits_and_their_people(make_dataset):
    train, val, test = (make_dataset(split) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (20, 4, 8)
    assert train.label_set == ["0001", "0002", "0003", "0004", "0005"]
    assert test.label_list == ["0007"] * 4 + ["0008"] * 4
    assert test.types_list == ["nm-01", "nm-01", "nm-02", "nm-02"] * 2
    assert test.views_list == ["000", "090"] * 4
    assert train.indices_dict["0002"] == [4, 5, 6, 7]
    assert train[7, 0].label == 1


@pytest.mark.parametrize("sample_type", ["fixed_unordered", "fixed_ordered", "unfixed_unordered", "all_ordered"])
def test_frames_of_both_modalities_stay_together(make_dataset, sample_type):
    dataset = make_dataset(sample_type=sample_type)
    for index in range(len(dataset)):
        sequence = dataset[index, 10 + index]
        assert sequence.sils.dtype == np.uint8 and sequence.sils.shape[1:] == (64, 64)
        assert sequence.bodies.dtype == np.float32 and sequence.bodies.shape == (len(sequence.sils), 85)
        # (sequence, frame), as both files tell it
        np.testing.assert_array_equal(sequence.sils[:, 0, :2], sequence.bodies[:, :2])
        assert (sequence.sils[:, 0, 0] == index).all()
        assert sequence.name == f"{dataset.label_list[index]}-{sequence.type}-{sequence.view}"


def test_weights_and_joints_stay_with_their_frames(make_dataset, dump, tmp_path):
    for path in (tmp_path / "walkers").rglob("1-smpls.pkl"):
        frames = len(np.load(path, allow_pickle=True))
        path.unlink()
        dump(
            path.with_name("1-joints.pkl"),
            np.arange(frames, dtype=np.float32)[:, None, None].repeat(24, 1).repeat(3, 2),
        )
        dump(path.with_name("2-weights.pkl"), np.arange(frames) / np.float32(16))
    dataset = make_dataset(sample_type="unfixed_unordered")
    for index in range(len(dataset)):
        sequence = dataset[index, index]
        assert sequence.bodies.shape == (len(sequence.sils), 24, 3)
        np.testing.assert_array_equal(sequence.bodies[:, 5, 1], sequence.sils[:, 0, 1])
        np.testing.assert_array_equal(sequence.weights * 16, sequence.sils[:, 0, 1])
    assert make_dataset(with_bodies=False)[0, 0].weights is None


def test_parameters_here_and_joints_there_are_refused(make_dataset, dump, tmp_path):
    path = tmp_path / "walkers" / "0003" / "nm-02" / "000" / "1-smpls.pkl"
    path.rename(path.with_name("1-joints.pkl"))
    with pytest.raises(UserError, match=r"0001-nm-01-000 has 1-smpls.pkl and 0003-nm-02-000 has 1-joints.pkl"):
        make_dataset()


def test_the_seed_decides(make_dataset):
    dataset = make_dataset(sample_type="fixed_unordered")
    first, again, other = dataset[3, 5], dataset[3, 5], dataset[3, 6]
    np.testing.assert_array_equal(first.sils, again.sils)
    assert not np.array_equal(first.sils, other.sils)


def test_without_bodies_they_are_neither_needed_nor_read(make_dataset, tmp_path):
    for path in (tmp_path / "walkers").rglob("1-smpls.pkl"):
        path.unlink()
    assert make_dataset(with_bodies=False)[0, 0].bodies is None
    with pytest.raises(UserError, match="20 of 20 sequences"):
        make_dataset(with_bodies=True)


def test_the_cache_needs_the_files_once(make_dataset, tmp_path):
    cached, read = make_dataset(cache=True), make_dataset()
    expected = [read[i, i].sils for i in range(len(read))]
    for path in (tmp_path / "walkers").rglob("*.pkl"):
        path.write_bytes(b"")
    for index, sils in enumerate(expected):
        np.testing.assert_array_equal(cached[index, index].sils, sils)
    with pytest.raises(UserError, match="is empty"):
        read[0, 0]


def test_a_drawn_sequence_is_its_own_copy(make_dataset):
    dataset = make_dataset(sample_type="all_ordered", cache=True)
    dataset[0, 0].sils[:] = 77
    dataset[0, 0].bodies[:] = 77
    sils, bodies, weights = dataset.load(0)
    assert (sils != 77).all() and (bodies != 77).all() and weights is None


def test_bad_files_are_summed_up_before_the_training(make_dataset, dump, tmp_path):
    root = tmp_path / "walkers"
    (root / "0001" / "nm-01" / "000" / "0-sils.pkl").write_bytes(b"\x80\x05")
    dump(root / "0002" / "nm-02" / "090" / "1-smpls.pkl", np.zeros((3, 85), dtype=np.float32))
    with pytest.raises(UserError) as error:
        make_dataset(cache=True)
    heading, *problems = str(error.value).splitlines()
    assert heading == "2 of 20 sequences that were read are unusable:"
    assert f"Cannot load {root / '0001/nm-01/000/0-sils.pkl'}" in problems[0]
    assert "1-smpls.pkl beside it has 3" in problems[1]

    dataset = make_dataset()
    with pytest.raises(UserError, match="1 of 2 sequences"):
        check_sequences(dataset, sample=2)  # the first and the last
    with pytest.raises(UserError, match="2 of 20 sequences"):
        check_sequences(dataset, sample=100)


def test_silhouettes_of_several_sizes_are_refused(make_dataset, dump, tmp_path):
    dataset = make_dataset(with_bodies=False)
    assert dataset.silhouette_size() == [64, 64]
    path = tmp_path / "walkers/0001/nm-02/090/0-sils.pkl"
    dump(path, np.repeat(np.tri(128, dtype=np.uint8)[None] * 255, 4, 0))
    with pytest.raises(UserError, match="1 of 20 (?s:.*)128 x 128 px, and those before it are of 64 x 64 px. Prepare"):
        check_sequences(dataset)
