"""The data of ``meshgait bench recorded``: recordings, gait models, drawn walkers, folders to train and to test on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from opengait_meshgait.benchmark.recorded_split import Fold, make_folds, make_transfer
from opengait_meshgait.body.files import load_body
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json, write_json
from opengait_meshgait.common.provenance import command
from opengait_meshgait.engine.progress import say
from opengait_meshgait.walkers import WalkerSet, write_walkers
from opengait_meshgait.walkers.gait_fitting import fit_gait
from opengait_meshgait.walkers.gait_model import PROCEDURAL, save_gait
from opengait_meshgait.walkers.recorded import load_recording
from opengait_meshgait.walkers.recordings import RecordedSet, Recording
from opengait_meshgait.walkers.world import World, describe_world, load_world

TESTS = ("clean", "damaged")
"""Two copies of the test people, with whole silhouettes and with damaged ones."""


@dataclass(frozen=True)
class Size:
    """How much is made.

    Attributes:
        ids: people who are drawn from each fold's gait model.
        seqs: walks of each, by condition.
        frames: of each of these.
        recorded_frames: at most, of each recorded walk.
        views: of all walks, degrees.
    """

    ids: int
    seqs: Mapping[str, int]
    frames: int
    recorded_frames: int
    views: tuple[int, ...]


SIZES = {
    "small": Size(300, {"nm": 2, "bg": 1, "cl": 1}, 20, 40, tuple(range(0, 360, 45))),
    "full": Size(400, {"nm": 4, "bg": 2, "cl": 2}, 40, 60, tuple(range(0, 360, 30))),
}


@dataclass(frozen=True)
class RecordedPerson:
    """A recorded person: the number of the cohort from 1, and the recordings."""

    cohort: int
    recordings: tuple[Recording, ...]

    @property
    def label(self) -> str:
        """As folders call this person."""
        return f"{self.cohort}_{self.recordings[0].walk.label}"


@dataclass(frozen=True)
class RecordedProtocol:
    """Who is recorded, how these people are divided, and what is made of them.

    Attributes:
        cohorts: the recordings of each ``--motion``, then of each ``--test-motion``.
        people: by name, ``C07``, or with several cohorts ``1/C07``, as one name may be two people.
        folds: how they are divided.
        tested: places of the cohorts that are tested.
        size: how much is made.
        world, test_world: where walkers are seen in training, and in tests.
    """

    cohorts: tuple[RecordedSet, ...]
    people: Mapping[str, RecordedPerson]
    folds: tuple[Fold, ...]
    tested: range
    size: Size
    world: World
    test_world: World

    def describe(self) -> dict[str, Any]:
        """For ``folds.json``."""
        return {
            "options": {
                "ids": self.size.ids,
                "seqs": dict(self.size.seqs),
                "frames": [self.size.frames, self.size.recorded_frames],
                "views": [*self.size.views],
                "folds": len(self.folds),
            },
            "world": describe_world(self.world),
            "test_world": describe_world(self.test_world),
            "recordings": {
                f"{name}/{recording.path.name}": recording.sha256
                for name, person in self.people.items()
                for recording in person.recordings
            },
            "folds": {fold.name: fold.describe() for fold in self.folds},
        }


def read_protocol(
    motion: Sequence[Sequence[str]],
    test_motion: Sequence[Sequence[str]],
    folds: int | None,
    size: Size,
    world: str,
    test_world: str | None,
    person: str | None = None,
) -> RecordedProtocol:
    """Read the recordings and divide the people.

    Args:
        motion: files, one list a cohort: people of one name in two cohorts are two people.
        test_motion: the same, of those to test; with none, the people of ``motion`` are tested in ``folds``.
        folds: how many.
        size: how much is to be made.
        world, test_world: names or YAML files; None is the one that this package has for testing.
        person: who walks in a file, see :func:`~opengait_meshgait.walkers.recorded_people.read_people`.

    Raises:
        UserError: a file cannot be used, or it is not clear whose it is, a recording is there twice, or there are too
            few people.
    """
    cohorts = tuple(
        RecordedSet.of_files(paths, person=person, frames=size.recorded_frames, views=size.views)
        for paths in (*motion, *test_motion)
    )
    people: dict[str, RecordedPerson] = {}
    for number, cohort in enumerate(cohorts, start=1):
        for walker in dict.fromkeys(recording.person for recording in cohort.recordings):
            name = f"{number}/{walker}" if len(cohorts) > 1 else walker
            people[name] = RecordedPerson(number, tuple(each for each in cohort.recordings if each.person == walker))
    _check_people(people)
    walks = {name: len(person.recordings) for name, person in people.items()}
    if not test_motion:
        divided, tested = tuple(make_folds(walks, folds or 5)), range(len(cohorts))
    else:
        by_use: list[dict[str, int]] = [{}, {}]
        for name, person in people.items():
            by_use[person.cohort > len(motion)][name] = walks[name]
        divided, tested = (make_transfer(*by_use),), range(len(motion), len(cohorts))
    if test_world is None:
        with as_file(files("opengait_meshgait") / "assets" / "plaza.yaml") as path:
            seen = load_world(path)
    else:
        seen = load_world(test_world)
    return RecordedProtocol(cohorts, people, divided, tested, size, load_world(world), seen)


def write_recorded_data(protocol: RecordedProtocol, out: Path, workers: int | None) -> None:
    """Write what is still missing: every recorded person in both worlds, and each fold's gait model, drawn people and
    folders ``train``, ``clean`` and ``damaged``, whose people are links.

    Args:
        protocol: what to make.
        out: folder of the benchmark.
        workers: processes, None for one a CPU core.
    """
    size, whole = protocol.size, protocol.test_world.damaged(0)
    trained = [*range(len(protocol.cohorts))] if len(protocol.folds) > 1 else [*range(protocol.tested.start)]
    places = [("recorded", protocol.world, trained, 1)]
    places += [(name, world, [*protocol.tested], 2) for name, world in zip(TESTS, (whole, protocol.test_world))]
    for name, world, chosen, stage in places:
        for index in chosen:
            # Of another seed, other bodies and clothes.
            seed = 1000 * (index + 1) + stage
            walkers = replace(protocol.cohorts[index], world=world, seed=seed)
            write_walkers(walkers, out / "data" / f"{name}-{index + 1}", workers, command())
    for number, fold in enumerate(protocol.folds, start=1):
        folder = out / fold.name
        gait = folder / "gait.npz"
        if not gait.exists():
            say(f"{fold.name}: learning how {len(fold.train)} people walk")
            _learn(protocol, fold, gait)
        # A model learned from a few people makes bodies that fit these alone: every other one walks procedurally.
        drawn = WalkerSet(
            size.ids,
            size.views,
            size.seqs,
            size.frames,
            number,
            train=size.ids,
            variety=1.0,
            gait=f"{PROCEDURAL},{gait}",
            world=protocol.world,
        )
        write_walkers(drawn, folder / "drawn", workers, command())
        _link(folder / "train", protocol, {"TRAIN_SET": fold.train, "VAL_SET": fold.val}, out / "data", "recorded")
        for name in TESTS:
            _link(folder / name, protocol, {"TRAIN_SET": (), "TEST_SET": fold.test}, out / "data", name)


def most_people(protocol: RecordedProtocol) -> int:
    """How many train in the largest fold."""
    return protocol.size.ids + max(len(fold.train) for fold in protocol.folds)


def _check_people(people: Mapping[str, RecordedPerson]) -> None:
    seen: dict[str, str] = {}
    for name, person in people.items():
        for recording in person.recordings:
            if recording.sha256 in seen:
                raise UserError(
                    f"{recording.path} is the same recording as one of {seen[recording.sha256]}: nobody may be in two "
                    "sets. Give each recording once."
                )
            seen[recording.sha256] = name


def _learn(protocol: RecordedProtocol, fold: Fold, path: Path) -> None:
    """The gait model of the people who train."""
    recordings = [
        replace(load_recording(recording.path), person=name)
        for name in fold.train
        for recording in protocol.people[name].recordings
    ]
    save_gait(fit_gait(recordings, load_body()), path)


def _link(root: Path, protocol: RecordedProtocol, sets: Mapping[str, tuple[str, ...]], data: Path, name: str) -> None:
    """A folder of some people, and with ``TRAIN_SET``'s the drawn ones. It has a ``dataset.json`` of what they are."""
    partition = {key: [protocol.people[person].label for person in people] for key, people in sets.items()}
    sources, made = {}, {}
    for person in {person for people in sets.values() for person in people}:
        cohort, label = protocol.people[person].cohort, protocol.people[person].label
        sources[label] = data / f"{name}-{cohort}" / label.partition("_")[2]
        made[f"{name}-{cohort}"] = data / f"{name}-{cohort}"
    if partition["TRAIN_SET"]:
        made["drawn"] = root.parent / "drawn"
        drawn = read_json(made["drawn"] / "partition.json")["TRAIN_SET"]
        sources |= {f"drawn_{label}": made["drawn"] / label for label in drawn}
        partition["TRAIN_SET"] = [f"drawn_{label}" for label in drawn] + partition["TRAIN_SET"]
    root.mkdir(parents=True, exist_ok=True)
    for label, source in sources.items():
        if not (root / label).is_symlink():
            (root / label).symlink_to(os.path.relpath(source, root), target_is_directory=True)
    write_json(root / "partition.json", partition)
    options = {key: read_json(folder / "dataset.json")["options"] for key, folder in sorted(made.items())}
    write_json(root / "dataset.json", {"dataset": "links to people of several data sets", "options": options})
