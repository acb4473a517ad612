"""Batches follow from (seed, iteration) alone, and no sequence is lost between processes."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.collate import Batch, collate
from opengait_meshgait.data.loader import InferenceSampler, TripletSampler, make_loader


class People:
    """What samplers see of a dataset: so many sequences for each id."""

    def __init__(self, counts):
        self.label_set = [f"{i:04d}" for i in range(len(counts))]
        self.label_list = [label for label, count in zip(self.label_set, counts) for _ in range(count)]
        self.indices_dict = {label: [] for label in self.label_set}
        for index, label in enumerate(self.label_list):
            self.indices_dict[label].append(index)
        self.label_sets = [self.label_set]

    def __len__(self):
        return len(self.label_list)


PEOPLE = st.lists(st.integers(1, 7), min_size=2, max_size=12).map(People)
SEEDS = st.integers(0, 2**31)
SHUFFLE = st.booleans()


@given(PEOPLE, st.data(), st.integers(1, 6), SHUFFLE, SEEDS, st.integers(0, 10**6))
def test_a_batch_is_p_people_with_k_sequences(people, data, each, shuffle, seed, iteration):
    wanted = data.draw(st.integers(2, len(people.label_set)))
    batch = TripletSampler(people, [wanted, each], shuffle, seed).batch(iteration)
    assert list(Counter(people.label_list[i] for i, _ in batch).values()) == [each] * wanted
    for label in people.label_set:
        own = [i for i, _ in batch if people.label_list[i] == label]
        if len(people.indices_dict[label]) >= each:
            assert len(set(own)) == len(own)
    assert len({s for _, s in batch}) == len(batch)


@given(PEOPLE, SHUFFLE, SEEDS, st.integers(0, 30))
def test_starting_at_an_iteration_goes_on_as_if_never_stopped(people, shuffle, seed, start):
    whole = TripletSampler(people, [2, 3], shuffle, seed)
    resumed = TripletSampler(people, [2, 3], shuffle, seed, start=start)
    assert list(islice(resumed, 3)) == list(islice(whole, start, start + 3))


@given(PEOPLE, SHUFFLE, SEEDS, st.sampled_from([1, 2, 3, 6]))
def test_processes_share_out_one_batch(people, shuffle, seed, world_size):
    whole = list(islice(TripletSampler(people, [2, 3], shuffle, seed), 3))
    parts = [
        list(islice(TripletSampler(people, [2, 3], shuffle, seed, rank=rank, world_size=world_size), 3))
        for rank in range(world_size)
    ]
    for iteration, batch in enumerate(whole):
        assert [len(part[iteration]) for part in parts] == [6 // world_size] * world_size
        for rank, part in enumerate(parts):
            assert part[iteration] == batch[rank::world_size]


def test_seeds_iterations_and_people_vary():
    people = People([4] * 20)
    sampler = TripletSampler(people, [4, 2], seed=1)
    assert sampler.batch(0) != sampler.batch(1) != TripletSampler(people, [4, 2], seed=2).batch(1)
    seen = Counter(people.label_list[i] for iteration in range(500) for i, _ in sampler.batch(iteration))
    assert set(seen) == set(people.label_set)
    assert all(140 < count < 260 for count in seen.values())  # 200 expected, in pairs: sigma about 18


def test_shuffling_mixes_the_people_and_changes_nothing_else():
    people = People([4] * 8)
    plain = TripletSampler(people, [8, 4], seed=3).batch(5)
    mixed = TripletSampler(people, [8, 4], batch_shuffle=True, seed=3).batch(5)
    assert sorted(plain) == sorted(mixed)
    assert plain != mixed
    assert [people.label_list[i] for i, _ in plain[:4]] == [people.label_list[plain[0][0]]] * 4


@pytest.mark.parametrize(
    ("batch_size", "world_size", "message"),
    [
        (32, 1, r"needs batch_size: \[ids, sequences of each\], found 32"),
        ([8], 1, r"found \[8\]"),
        ([4, 0], 1, r"found \[4, 0\]"),
        ([1, 4], 1, "asks for one id a batch"),
        ([6, 4], 1, "asks for 6 ids a batch, and the dataset has 5"),
        ([5, 3], 2, "makes 15 sequences, which 2 processes cannot share"),
    ],
)
def test_impossible_batches_are_refused_at_once(batch_size, world_size, message):
    with pytest.raises(UserError, match=message):
        TripletSampler(People([3] * 5), batch_size, world_size=world_size)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4))
def test_inference_goes_through_everything_once(size, part, world_size):
    people = People([size])
    samplers = [InferenceSampler(people, part * world_size, rank, world_size) for rank in range(world_size)]
    batches = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(batches[0])] * world_size
    gathered = []
    for step in zip(*batches):
        assert len({len(batch) for batch in step}) == 1  # so that processes can gather
        assert 1 <= len(step[0]) <= part
        gathered += [index for batch in step for index, _ in batch]
    assert gathered[:size] == list(range(size))
    assert len(gathered) - size < world_size  # the repeated ones
    assert set(gathered) == set(range(size))
    assert all(seed == index for batch in batches[0] for index, seed in batch)
    first_time = [new for step in zip(*(sampler.first_time for sampler in samplers)) for part in step for new in part]
    assert first_time == [place < size for place in range(len(gathered))]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 3))
def test_of_many_sequences_an_even_spread(size, at_most, world_size):
    people = People([size])
    samplers = [InferenceSampler(people, 4 * world_size, rank, world_size, at_most) for rank in range(world_size)]
    found = sorted({index for sampler in samplers for batch in sampler for index, _ in batch})
    assert len(found) == min(size, at_most)
    steps = np.diff([*found, size])
    assert found[0] == 0 and steps.max() - steps.min() <= 1


@pytest.mark.parametrize("batch_size", [0, 3, [4, 2]])
def test_a_test_batch_that_cannot_be_shared_is_refused_at_once(batch_size):
    with pytest.raises(UserError, match=r"2 process\(es\) can share evenly"):
        InferenceSampler(People([5]), batch_size, world_size=2)


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
