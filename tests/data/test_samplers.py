"""Batches follow from (seed, iteration) alone, and no sequence is lost between processes."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.samplers import InferenceSampler, TripletSampler


class People:
    """What samplers see of a dataset: so many sequences for each id."""

    def __init__(self, counts):
        self.label_set = [f"{i:04d}" for i in range(len(counts))]
        self.label_list = [label for label, count in zip(self.label_set, counts) for _ in range(count)]
        self.indices_dict = {label: [] for label in self.label_set}
        for index, label in enumerate(self.label_list):
            self.indices_dict[label].append(index)

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
