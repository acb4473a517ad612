"""Batches are the same for any number of workers, and errors come out of workers clean."""

from itertools import islice

import numpy as np
import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import Batch, collate
from opengait_meshgait.data.loader import make_loader
from opengait_meshgait.data.samplers import InferenceSampler, TripletSampler


def same(a: Batch, b: Batch) -> bool:
    def equal(x, y):
        return torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y

    return all(equal(getattr(a, name), getattr(b, name)) for name in Batch.__slots__)


def test_fixed_sequences_stack(make_dataset):
    dataset = make_dataset()
    sampler = TripletSampler(dataset, [3, 2])
    batch = next(iter(make_loader(dataset, sampler)))
    assert list(zip(batch.indices.tolist(), batch.seeds.tolist())) == sampler.batch(0)
    assert batch.sils.shape == (6, 4, 64, 64) and batch.sils.dtype == torch.uint8
    assert batch.bodies.shape == (6, 4, 85) and batch.bodies.dtype == torch.float32
    assert batch.seqL is None
    assert len(batch) == 6
    assert batch.labels.dtype == batch.indices.dtype == batch.seeds.dtype == torch.int64
    assert batch.labels.unique().numel() == 3
    for place, index in enumerate(batch.indices.tolist()):
        info = dataset.seqs[index]
        assert (batch.types[place], batch.views[place]) == (info.type, info.view)
        assert dataset.label_set[batch.labels[place]] == info.label
        assert (batch.sils[place, :, 0, 0] == index).all()
        assert (batch.bodies[place, :, 0] == index).all()


@pytest.mark.parametrize("sample_type", ["all_ordered", "unfixed_ordered"])
def test_sequences_of_unequal_length_are_packed(make_dataset, sample_type):
    dataset = make_dataset("test", sample_type=sample_type)
    for batch in make_loader(dataset, InferenceSampler(dataset, 3)):
        total = int(batch.seqL.sum())
        assert batch.seqL.shape == (1, len(batch)) and batch.seqL.dtype == torch.int64
        assert batch.sils.shape == (1, total, 64, 64)
        assert batch.bodies.shape == (1, total, 85)
        parts = batch.sils[0].split(batch.seqL[0].tolist())
        for index, seed, part in zip(batch.indices.tolist(), batch.seeds.tolist(), parts):
            np.testing.assert_array_equal(part, dataset[index, seed].sils)


@pytest.mark.parametrize("sample_type", ["fixed_ordered", "all_ordered"])
def test_sequences_without_weights_count_fully_beside_others(make_dataset, dump, tmp_path, sample_type):
    folder = tmp_path / "walkers" / "0007" / "nm-01" / "090"
    frames = len(np.load(folder / "1-smpls.pkl", allow_pickle=True))
    dump(folder / "2-weights.pkl", np.full(frames, 0.25, np.float32))
    dataset = make_dataset("test", sample_type=sample_type)
    mixed, without = make_loader(dataset, InferenceSampler(dataset, 4))
    assert without.weights is None and mixed.weights.dtype == torch.float32
    assert mixed.weights.shape == mixed.sils.shape[:2] == mixed.bodies.shape[:2]
    expected = [[0.25 if index == 1 else 1.0] * len(dataset[index, index].sils) for index in range(4)]
    assert mixed.weights.flatten().tolist() == sum(expected, [])


def test_inference_order_is_the_datasets(make_dataset):
    dataset = make_dataset("test", with_bodies=False, sample_type="all_ordered")
    loader = make_loader(dataset, InferenceSampler(dataset, 3))
    assert len(loader) == 3
    batches = list(loader)
    assert torch.cat([b.indices for b in batches]).tolist() == list(range(8))
    assert all(b.bodies is None for b in batches)


@pytest.mark.parametrize("cache", [False, True])
def test_workers_change_nothing(make_dataset, cache):
    dataset = make_dataset(cache=cache)
    alone = list(islice(make_loader(dataset, TripletSampler(dataset, [3, 2], True, seed=1)), 4))
    helped = list(islice(make_loader(dataset, TripletSampler(dataset, [3, 2], True, seed=1), num_workers=2), 4))
    resumed = list(islice(make_loader(dataset, TripletSampler(dataset, [3, 2], True, seed=1, start=2)), 2))
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))
    assert all(same(a, b) for a, b in zip(alone[2:], resumed, strict=True))


def test_a_test_loader_can_be_gone_through_twice_with_the_same_workers(make_dataset):
    dataset = make_dataset("test", sample_type="all_ordered")
    loader = make_loader(dataset, InferenceSampler(dataset, 3), num_workers=1)
    assert all(same(a, b) for a, b in zip(list(loader), list(loader), strict=True))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_loading_leaves_the_global_random_state_alone(make_dataset, num_workers):
    dataset = make_dataset()
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    next(iter(make_loader(dataset, TripletSampler(dataset, [3, 2]), num_workers)))
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_bad_file_is_one_clean_message(make_dataset, tmp_path, num_workers):
    dataset = make_dataset("test", sample_type="all_ordered")
    path = tmp_path / "walkers" / "0008" / "nm-01" / "000" / "0-sils.pkl"
    path.write_bytes(path.read_bytes()[:100])
    batches = iter(make_loader(dataset, InferenceSampler(dataset, 4), num_workers))
    next(batches)
    with pytest.raises(UserError, match=f"^Cannot load {path}") as error:
        next(batches)
    assert "Traceback" not in str(error.value)


def test_silhouettes_of_two_sizes_are_named(make_dataset, dump, tmp_path):
    dump(tmp_path / "walkers" / "0007" / "nm-02" / "090" / "0-sils.pkl", np.full((9, 128, 128), 255, dtype=np.uint8))
    dataset = make_dataset("test", with_bodies=False)
    with pytest.raises(UserError, match=r"0007-nm-01-000 are \[64, 64\] and those of 0007-nm-02-090 are \[128, 128\]"):
        collate([dataset[i, 0] for i in range(4)], packed=False)


def test_a_batch_moves_as_one(make_dataset):
    dataset = make_dataset()
    batch = next(iter(make_loader(dataset, TripletSampler(dataset, [2, 2]))))
    moved = batch.to("meta")
    assert moved.sils.is_meta and moved.bodies.is_meta and moved.labels.is_meta and moved.seqL is None
    assert moved.types == batch.types
    assert same(batch.to("cpu"), batch)
