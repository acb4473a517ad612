"""Who trains, validates and is tested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.benchmark.recorded_split import make_folds, make_transfer
from opengait_meshgait.common.errors import UserError


def people(several, lone, prefix="P"):
    """So many with two walks, and so many with one."""
    return {f"{prefix}{number}": 2 if number < several else 1 for number in range(several + lone)}


@given(several=st.integers(9, 80), lone=st.integers(0, 30), number=st.integers(2, 8), shuffle=st.randoms())
def test_nobody_is_in_two_sets_and_each_is_tested_once(several, lone, number, shuffle):
    walks = people(several, lone)
    try:
        folds = make_folds(walks, number)
    except UserError:
        assert several < 2 * number or several - -(-several // number) < 6
        return
    assert sorted(name for fold in folds for name in fold.test) == sorted(walks)
    sizes = []
    for fold in folds:
        sets = [{*fold.train}, {*fold.val}, {*fold.test}]
        assert set.union(*sets) == {*walks}
        assert sum(map(len, sets)) == len(walks)
        can_be_probes = [sum(walks[name] > 1 for name in each) for each in sets]
        assert can_be_probes[0] >= 2 and can_be_probes[1] >= 4 and can_be_probes[2] >= 2
        others = len(walks) - len(fold.test)
        assert len(fold.val) == pytest.approx(max(4, others / 5), abs=1.01) or can_be_probes[1] == 4
        sizes.append(len(fold.test))
    assert max(sizes) - min(sizes) <= 1
    # By names alone.
    names = [*walks]
    shuffle.shuffle(names)
    assert make_folds({name: walks[name] for name in names}, number) == folds


def test_too_few_people():
    for walks, number in ((people(8, 20), 2), (people(9, 0), 5), (people(1, 50), 2)):
        with pytest.raises(UserError, match="have two walks or more: too few for"):
            make_folds(walks, number)


def test_transfer():
    fold = make_transfer(people(10, 3), people(2, 2, "Q"))
    assert fold.test == ("Q0", "Q1", "Q2", "Q3")
    assert len(fold.val) == 5
    assert not {*fold.train} & {*fold.val}
    assert sorted((*fold.train, *fold.val)) == sorted(people(10, 3))
    # Half of them have most of the walks: these train.
    walks = {f"P{number}": 2 + 10 * (number % 2) for number in range(8)}
    assert make_transfer(walks, people(2, 0, "Q")).train == ("P1", "P3", "P5", "P7")
    with pytest.raises(UserError, match="--motion: of 5 people 5 have"):
        make_transfer(people(5, 0), people(2, 0, "Q"))
    with pytest.raises(UserError, match="--test-motion: of 3 people 1 have"):
        make_transfer(people(6, 0), people(1, 2, "Q"))
