"""Recorded people divided: who trains, who validates, who is tested. People are divided, never files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from opengait_meshgait.common.errors import UserError

_VALIDATE = 5  # one in so many
_LEAST = {"train": 2, "val": 4, "test": 2}
"""People with two walks or more."""


@dataclass(frozen=True)
class Fold:
    """One division, by names of people; nobody is in two of the sets.

    Attributes:
        name: of its folder.
        train: learn: from their walks alone come the gait model and the weights.
        val: to choose by.
        test: nothing is learned from them or chosen by them.
    """

    name: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """For a JSON file."""
        return {key: [*value] for key, value in asdict(self).items() if key != "name"}


def make_folds(walks: Mapping[str, int], number: int) -> list[Fold]:
    """Divisions in which each person is tested exactly once.

    People with two walks or more can be probes; these and those with a single walk are each dealt out to the folds in
    the order of their names. So the folds depend on names, on who has a single walk, and on the number of folds alone.

    Args:
        walks: how many each person has.
        number: of folds, 2 or more.

    Raises:
        UserError: there are too few people with two walks.
    """
    several, lone = _by_walks(walks)
    most = -(-len(several) // number)
    if len(several) // number < _LEAST["test"] or len(several) - most < _LEAST["train"] + _LEAST["val"]:
        raise UserError(
            f"Of {len(walks)} recorded people {len(several)} have two walks or more: too few for {number} folds, of "
            f"which each tests {_LEAST['test']} of them at least and leaves {_LEAST['val']} to validate and "
            f"{_LEAST['train']} to train. Add recordings, or take {'fewer' if number > 2 else 'other'} --folds."
        )
    found = []
    for place in range(number):
        # From the other end, so that the folds have as many people as possible alike.
        test = {*several[place::number], *lone[number - 1 - place :: number]}
        others = {name: count for name, count in walks.items() if name not in test}
        found.append(_divide(f"fold-{place + 1}", others, test))
    return found


def make_transfer(walks: Mapping[str, int], tested: Mapping[str, int]) -> Fold:
    """One division: some people train and validate, all of the others are tested.

    Args:
        walks: how many each of those has who train and validate.
        tested: how many each of the others has.

    Raises:
        UserError: there are too few people with two walks.
    """
    for option, people, least in (
        ("--motion", walks, _LEAST["train"] + _LEAST["val"]),
        ("--test-motion", tested, _LEAST["test"]),
    ):
        several, _ = _by_walks(people)
        if len(several) < least:
            raise UserError(
                f"{option}: of {len(people)} people {len(several)} have two walks or more, and at least {least} must. "
                "Add recordings."
            )
    return _divide("transfer", walks, {*tested})


def _divide(name: str, others: Mapping[str, int], test: set[str]) -> Fold:
    several, lone = _by_walks(others)
    count = max(_LEAST["val"], round(len(several) / _VALIDATE))
    # Who has walked most often is for training: a few people may have most of the recordings.
    most = sorted(others[label] for label in several)[max(count, len(several) // 2) - 1]
    candidates = [label for label in several if others[label] <= most]
    val = {*_evenly(candidates, count), *_evenly(lone, round(len(lone) / _VALIDATE))}
    return Fold(name, tuple(sorted({*others} - val)), tuple(sorted(val)), tuple(sorted(test)))


def _by_walks(walks: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Who has several walks, and who has one, in the order of names."""
    names = sorted(walks)
    return [name for name in names if walks[name] > 1], [name for name in names if walks[name] == 1]


def _evenly(names: Sequence[str], count: int) -> list[str]:
    """So many of the names, evenly spread over them."""
    return [names[(2 * place + 1) * len(names) // (2 * count)] for place in range(count)]
