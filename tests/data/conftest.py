"""Tiny datasets on disk."""

import json
import pickle

import numpy as np
import pytest

from opengait_meshgait.data.collate import FrameSampling
from opengait_meshgait.data.dataset import GaitDataset


def dump(path, content):
    """Write a pickle as datasets have them, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture(name="dump")
def dump_fixture():
    return dump


@pytest.fixture
def data_cfg(tmp_path):
    """Eight people (the last two for tests) in two conditions and two views, 5…12 frames each, as a ``data_cfg``.

    The first pixel of a silhouette and the first number of its body tell (sequence, frame) in both files alike.
    """
    rng = np.random.default_rng(0)
    root = tmp_path / "walkers"
    ids = [f"{i:04d}" for i in range(1, 9)]
    number = 0
    for label in ids:
        for type_ in ("nm-01", "nm-02"):
            for view in ("000", "090"):
                frames = rng.integers(5, 13)
                sils = (rng.random((frames, 64, 64)) < 0.5).astype(np.uint8) * np.uint8(255)
                smpls = rng.normal(size=(frames, 85)).astype(np.float32)
                sils[:, 0, 0], sils[:, 0, 1] = number, np.arange(frames)
                smpls[:, 0], smpls[:, 1] = number, np.arange(frames)
                dump(root / label / type_ / view / "0-sils.pkl", sils)
                dump(root / label / type_ / view / "1-smpls.pkl", smpls)
                number += 1
    partition = tmp_path / "partition.json"
    partition.write_text(json.dumps({"TRAIN_SET": ids[:5], "VAL_SET": ids[5:6], "TEST_SET": ids[6:]}))
    return {"dataset_name": "Walkers", "dataset_root": str(root), "dataset_partition": str(partition)}


@pytest.fixture
def make_dataset(data_cfg):
    """Build a GaitDataset over the tiny folder: ``make_dataset("test", sample_type="all_ordered", cache=True)``."""

    def make(split="train", with_bodies=True, sample_type="fixed_unordered", frames_num_fixed=4, **cfg):
        frames = FrameSampling(sample_type, frames_num_fixed, frames_num_min=3, frames_num_max=6)
        return GaitDataset(data_cfg | cfg, split, with_bodies, frames)

    return make
