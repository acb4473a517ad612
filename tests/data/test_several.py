"""Several data sets: OpenGait's list-valued ``data_cfg``."""

import json
from pathlib import Path

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_pickle
from opengait_meshgait.data import FrameSampling, GaitDataset, TripletSampler
from opengait_meshgait.data.loader import shares_of_batches
from opengait_meshgait.data.several import as_one, as_several

FRAMES = FrameSampling.from_config({"sample_type": "all_ordered"})


@pytest.fixture
def two(dump, tmp_path):
    """Two data sets with some of the same ids, eight sequences each, as a list in a YAML file."""
    rng = np.random.default_rng(0)

    def entry(name, people, train):
        ids = [f"{i:04d}" for i in range(1, people + 1)]
        for label in ids:
            for type_ in ("nm-01", "nm-02", "bg-01", "cl-01"):
                for view in ("000", "090"):
                    folder = tmp_path / name / label / type_ / view
                    dump(folder / "0-sils.pkl", rng.integers(0, 256, (2, 64, 64), dtype=np.uint8))
                    dump(folder / "1-smpls.pkl", rng.normal(size=(2, 85)).astype(np.float32))
        partition = tmp_path / f"{name}.json"
        partition.write_text(json.dumps({"TRAIN_SET": ids[:train], "TEST_SET": ids[train:]}))
        return {"dataset_name": name, "dataset_root": str(tmp_path / name), "dataset_partition": str(partition)}

    return [entry("A", 4, 2), entry("B-2", 6, 5)]


def test_one_mapping_and_back(two):
    assert as_several(as_one(two)) == two
    assert as_one(two[0]) == as_one(two[:1]) == two[0]
    assert as_several(as_one(two[:1])) == two[:1]


@pytest.mark.parametrize(
    "names, message",
    [
        (["A", "B", "A"], "data_cfg: A stands several times in the list"),
        (["A", None], "entry 1 of the list lacks dataset_name"),
    ],
)
def test_names(names, message):
    with pytest.raises(UserError, match=message):
        as_one([{"dataset_name": name} if name else {} for name in names])


@pytest.mark.parametrize("found", [[], ["A"], [{"dataset_name": "A"}, 3]])
def test_what_is_no_list_of_data_sets(found):
    with pytest.raises(UserError, match="expected one data set or a list of them"):
        as_one(found)


def test_labels_have_the_name_of_their_data_set(two):
    dataset = GaitDataset(as_one(two), "train", True, FRAMES)
    assert dataset.label_sets == [["A-0001", "A-0002"], [f"B-2-{i:04d}" for i in range(1, 6)]]
    assert dataset.label_set == sorted(sum(dataset.label_sets, []))
    assert len(dataset) == 7 * 8
    # Each label leads to its own data set's files.
    for index, info in enumerate(dataset.seqs):
        name, label = info.label.rsplit("-", 1)
        place = next(entry for entry in two if entry["dataset_name"] == name)["dataset_root"]
        expected = read_pickle(f"{place}/{label}/{info.type}/{info.view}/0-sils.pkl")
        np.testing.assert_array_equal(dataset.load(index)[0], expected)
    alone = GaitDataset(two[0], "train", True, FRAMES)
    assert alone.label_set == ["0001", "0002"]


def test_the_first_is_tested(two):
    tested = GaitDataset(as_one(two), "test", True, FRAMES)
    assert tested.label_set == ["0003", "0004"]
    assert {info.sils_path for info in tested.seqs} == {
        info.sils_path for info in GaitDataset(two[0], "test", True, FRAMES).seqs
    }


def test_each_batch_is_from_one_data_set(two):
    dataset = GaitDataset(as_one(two), "train", False, FRAMES)
    sampler = TripletSampler(dataset, [2, 2], seed=3)
    seen = []
    for iteration in range(400):
        names = {dataset.label_list[index].rsplit("-", 1)[0] for index, _ in sampler.batch(iteration)}
        assert len(names) == 1
        seen += names
    # 16 and 40 sequences.
    share = 16 ** (1 / 3) / (16 ** (1 / 3) + 40 ** (1 / 3))
    np.testing.assert_allclose(shares_of_batches(dataset), [share, 1 - share])
    assert abs(seen.count("A") / 400 - share) < 0.08
    with pytest.raises(UserError, match="asks for 3 ids a batch, and the dataset with A-0001 has 2"):
        TripletSampler(dataset, [3, 2])


def test_sizes_must_be_the_same(two, dump, tmp_path):
    for path in (tmp_path / "B-2").rglob("0-sils.pkl"):
        dump(path, read_pickle(path)[:, ::2, ::2])
    with pytest.raises(UserError, match=r"differ in size \(height×width\): A-0001-bg-01-000 64×64, B-2-0001.* 32×32"):
        GaitDataset(as_one(two), "train", False, FRAMES)


def test_bodies_must_be_of_one_kind(two, dump, tmp_path):
    for path in (tmp_path / "B-2").rglob("1-smpls.pkl"):
        dump(path.with_name("1-joints.pkl"), np.zeros((2, 24, 3), np.float32))
        path.unlink()
    with pytest.raises(UserError, match="Some bodies are parameters .* and some are joints alone"):
        GaitDataset(as_one(two), "train", True, FRAMES)
    assert len(GaitDataset(as_one(two), "train", False, FRAMES)) == 56


def test_what_one_of_them_lacks_is_told(two):
    Path(two[1]["dataset_partition"]).write_text('{"TEST_SET": ["0001"]}')
    with pytest.raises(UserError, match="B-2.json has no 'TRAIN_SET'"):
        GaitDataset(as_one(two), "train", False, FRAMES)
