"""Which walkers a dataset holds, who trains, who tests, and which sequences are probes."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.walkers.gait_model import PROCEDURAL, choose_gait, describe_gait
from opengait_meshgait.walkers.person import CONDITIONS, WalkName, sequence_name
from opengait_meshgait.walkers.recorded import RecordedMotion
from opengait_meshgait.walkers.world import WORLDS, World, describe_world

CASIA_B_VIEWS = tuple(range(0, 181, 18))
CASIA_B_SEQS = {"nm": 4, "bg": 2, "cl": 2}
_MOST_IDS, _MOST_TAKES = 9999, 99  # what folder names hold
_MOST_FRAMES = 100_000  # in memory at once; an hour


@dataclass(frozen=True)
class WalkerSet:
    """A crowd of walkers.

    Attributes:
        ids: how many people.
        views: degrees, 0 from the front, 90 from the left side, 180 from behind; below 360.
        seqs: walks of each person by condition: normal (nm), with a bag (bg), in a coat (cl).
        frames: of each walk, at 25 frames/s.
        seed: of everything that is drawn.
        train: how many people to train on; None is two thirds of those who are not in ``val``.
        val: how many people to validate on.
        same_body: all have the body and the clothes of the first, and differ in their gait alone.
        variety: of gait, 0 … 1. At 0 gait is nearly symmetric, with little intra-subject variation. At 1 it is
            asymmetric (habits of trunk, head and arms), speeds differ more, and the walks of one person differ half as
            much as those of two.
        gait: how people walk by themselves: ``procedural``, or as in recordings that a gait model was learned from,
            ``cmu`` or the name of its file. A model has its own variety. People take turns with several, separated by
            commas.
        world: the distributions of ways, cameras and damage.

    Raises:
        UserError: a value is out of range; the message says what is allowed.
    """

    ids: int = 150
    views: tuple[int, ...] = CASIA_B_VIEWS
    seqs: Mapping[str, int] = field(default_factory=CASIA_B_SEQS.copy)
    frames: int = 30
    seed: int = 0
    train: int | None = None
    val: int = 0
    same_body: bool = False
    variety: float = 0.0
    gait: str = PROCEDURAL
    world: World = WORLDS["studio"]

    def __post_init__(self) -> None:
        if not 1 <= self.ids <= _MOST_IDS:
            raise UserError(f"ids is {self.ids}: make 1 to {_MOST_IDS} people.")
        if not self.views:
            raise UserError("views is empty: give at least one angle in degrees, such as 90.")
        wrong = [view for view in self.views if not 0 <= view < 360]
        if wrong:
            raise UserError(f"views has {', '.join(map(str, wrong))}: angles are whole degrees from 0 to 359.")
        if len(set(self.views)) < len(self.views):
            twice = sorted({view for view in self.views if self.views.count(view) > 1})
            raise UserError(f"views has {', '.join(map(str, twice))} more than once: name each angle once.")
        if not self.seqs:
            raise UserError("seqs is empty: give at least one condition, such as nm:4.")
        for condition, takes in self.seqs.items():
            if condition not in CONDITIONS:
                raise UserError(f"seqs has an unknown condition '{condition}'. {did_you_mean(condition, CONDITIONS)}")
            if not 1 <= takes <= _MOST_TAKES:
                raise UserError(f"seqs has {takes} walks of {condition}: make 1 to {_MOST_TAKES}, or leave it out.")
        if self.frames is not None and self.frames < 1:
            raise UserError(f"frames is {self.frames}: a sequence needs at least 1.")
        if self.frames is not None and self.frames > _MOST_FRAMES:
            raise UserError(f"frames is {self.frames}: a sequence has at most {_MOST_FRAMES:,}.")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}: give 0 or a positive number.")
        if not 0 <= self.variety <= 1:
            raise UserError(f"variety is {self.variety}: give a level from 0 (all alike) to 1 (the widest variety).")
        if None not in [*map(choose_gait, self.gaits)] and self.variety:
            raise UserError(
                f"variety is {self.variety} and gait is {self.gait}: variety is the procedural gait's, and learned "
                "gaits vary as the recorded people did. Leave one out."
            )
        if self.val < 0 or self.num_train < 0 or self.num_train + self.val > self.ids:
            raise UserError(
                f"train is {self.num_train} and val is {self.val}, of {self.ids} people: neither may be negative, and "
                "together they must leave the rest to test on. Make more ids or lower them."
            )

    @property
    def gaits(self) -> list[str]:
        """One or more gaits, with which people take turns."""
        return [gait.strip() for gait in self.gait.split(",")]

    def gait_of(self, walk: WalkName) -> str:
        """The gait of the person who walks."""
        return self.gaits[(walk.number - 1) % len(self.gaits)]

    @property
    def num_train(self) -> int:
        """People to train on."""
        return (self.ids - self.val) * 2 // 3 if self.train is None else self.train

    def walks(self) -> list[WalkName]:
        """All walks, in order of person."""
        return [
            WalkName(number, condition, take)
            for number in range(1, self.ids + 1)
            for condition, takes in self.seqs.items()
            for take in range(1, takes + 1)
        ]

    def length(self, walk: WalkName) -> int:
        """How many frames a walk has."""
        return self.frames

    def recorded(self, walk: WalkName) -> RecordedMotion | None:
        """The motion to walk with; None makes one from the person's style of gait."""
        return None

    def describe(self) -> dict[str, Any]:
        """For ``dataset.json``: what decides over the dataset's bytes."""
        gaits = [*map(describe_gait, self.gaits)]
        return asdict(self) | {
            "views": list(self.views),
            "train": self.num_train,
            "gait": gaits if len(gaits) > 1 else gaits[0],
            "world": describe_world(self.world),
        }


def parse_views(text: str) -> tuple[int, ...]:
    """Views as typed: ``0,90,180``, ``0:180:18`` (both ends included) or ``0,18,…,180``.

    Raises:
        UserError: the text is none of these.
    """
    views: list[int] = []
    parts = [part.strip() for part in text.split(",")]
    try:
        for index, part in enumerate(parts):
            if part in ("…", "..."):
                first, last = views[-1], int(parts[index + 1])
                views += range(first + views[-1] - views[-2], last, views[-1] - views[-2])
            elif ":" in part:
                start, stop, step = map(int, part.split(":"))
                views += range(start, stop + 1, step)
            else:
                views.append(int(part))
    except (ValueError, IndexError) as error:
        raise UserError(
            f"Cannot read views '{text}'. Give degrees such as 0,90,180, or start:stop:step such as 0:180:18, or "
            "0,18,…,180."
        ) from error
    return tuple(views)


def parse_seqs(text: str) -> dict[str, int]:
    """Walks of each condition as typed: ``nm:4,bg:2,cl:2``.

    Raises:
        UserError: the text is not of this form, or names a condition twice.
    """
    seqs: dict[str, int] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\w+):(\d+)\s*", part)
        if not match or match[1] in seqs:
            what = "is there twice" if match else "is not condition:count"
            raise UserError(f"Cannot read seqs '{text}': '{part}' {what}. Give for example nm:4,bg:2,cl:2.")
        seqs[match[1]] = int(match[2])
    return seqs


def partition_notes(options: WalkerSet) -> list[str]:
    """What a user must know of the partition: which test people have a single walk."""
    counts = Counter(walk.label for walk in options.walks() if walk.number > options.num_train + options.val)
    lone = [label for label, count in counts.items() if count == 1]
    if not lone:
        return []
    return [
        f"of the people to test on, {len(lone)} have one walk only ({', '.join(lone[:5])}"
        f"{', …' if len(lone) > 5 else ''}). A probe and a gallery need two: of theirs one view is the probe, and "
        "other views of the same walk are its gallery."
    ]


def make_partition(options: WalkerSet, name: Callable[[WalkName, int], str] = sequence_name) -> dict[str, list[str]]:
    """The partition in OpenGait's form: lists of ids, and ``PROBE_SET`` of sequences as ``name`` names them.

    The first people train, the next validate (``VAL_SET`` only if there are any), the rest test. Of each test person
    the last walk of every condition is a probe, in all views; the other walks are the gallery, of which the first walk
    is always one. With a single walk a person, one view of it is the probe, another one from person to person.
    """
    labels = [WalkName(number, "nm", 1).label for number in range(1, options.ids + 1)]
    seen = options.num_train + options.val
    partition = {"TRAIN_SET": labels[: options.num_train], "TEST_SET": labels[seen:]}
    if options.val:
        partition["VAL_SET"] = labels[options.num_train : seen]
    probes = []
    for number in range(seen + 1, options.ids + 1):
        own = [walk for walk in options.walks() if walk.number == number]
        takes = {walk.condition: walk.take for walk in own}
        last = [walk for walk in own[1:] if walk.take == takes[walk.condition]]
        if last:
            probes += [name(walk, view) for walk in last for view in options.views]
        elif len(options.views) > 1:
            probes.append(name(own[0], options.views[number % len(options.views)]))
    return partition | {"PROBE_SET": probes}
