"""Walkers who walk as recorded: which file is whose walk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND
from opengait_meshgait.walkers.options import WalkerSet
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.recorded import RecordedMotion, load_recording
from opengait_meshgait.walkers.recorded_people import read_people
from opengait_meshgait.walkers.world import load_world


@dataclass(frozen=True)
class Recording:
    """A file with the hash of its bytes, the recorded person, the walk it becomes and its frames at 25 frames/s."""

    path: Path
    sha256: str
    person: str
    walk: WalkName
    frames: int

    def describe(self) -> dict[str, Any]:
        """For ``dataset.json``."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "person": self.person,
            "id": self.walk.label,
            "type": self.walk.type,
            "frames": self.frames,
        }


def choose_walkers(
    motion: Sequence[Iterable[str | Path]] | None = None,
    person: str | None = None,
    world: str | Path = "studio",
    noise: float | None = None,
    **options: Any,
) -> WalkerSet:
    """People who walk by themselves or, with ``motion``, as recorded in these files.

    Args:
        motion: collections of files.
        person: who walks in them, see :func:`~opengait_meshgait.walkers.recorded_people.read_people`.
        world: a name or a file, see :func:`~opengait_meshgait.walkers.world.load_world`.
        noise: damage all silhouettes at this level, 0 … 1, in place of the world's probability and levels.
        options: others of :class:`WalkerSet`; None for a default.

    Raises:
        UserError: an option is out of range, or contradicts ``motion``; a file cannot be used.
    """
    if noise is not None and not 0 <= noise <= 1:
        raise UserError(f"noise is {noise}: give a level from 0 (whole) to 1 (heavy).")
    given = {name: value for name, value in options.items() if value is not None}
    given["world"] = load_world(world) if noise is None else load_world(world).damaged(noise)
    if motion is None:
        if person is not None:
            raise UserError("--person says who walks in the files of --motion: give both.")
        return WalkerSet(**given)
    for name in ("ids", "seqs", "variety", "gait"):
        if name in given:
            raise UserError(
                f"--{name} and --motion contradict each other: the recordings say who walks, and how. Give one."
            )
    return RecordedSet.of_files(*motion, person=person, **given)


@dataclass(frozen=True)
class RecordedSet(WalkerSet):
    """A crowd that walks as recorded; see :meth:`of_files`. ``ids`` and ``seqs`` say what the recordings give.

    Attributes:
        frames: the most of each walk; None takes every recording whole.
        recordings: all walks, in order of person.
    """

    frames: int | None = None
    recordings: tuple[Recording, ...] = field(default=(), kw_only=True)

    @classmethod
    def of_files(cls, *collections: Iterable[str | Path], person: str | None = None, **options: Any) -> "RecordedSet":
        """The crowd of these recordings.

        The recorded people, in order of their names, are numbered from 1; the files of each, in order of their names,
        are the walks nm-01, nm-02, …

        Args:
            collections, person: see :func:`~opengait_meshgait.walkers.recorded_people.read_people`.
            options: those of :class:`WalkerSet`, but ids, seqs and variety.

        Raises:
            UserError: a file cannot be used, or it is not clear whose it is, or an option is out of range.
        """
        people = read_people(collections, person)
        recordings = tuple(
            Recording(
                path,
                motion.sha256,
                name,
                WalkName(number, "nm", take),
                motion.length(FRAMES_PER_SECOND),
            )
            for number, (name, walks) in enumerate(people.items(), start=1)
            for take, (path, motion) in enumerate(walks, start=1)
        )
        most = max(map(len, people.values()), default=0)
        return cls(ids=len(people), seqs={"nm": most}, recordings=recordings, **options)

    def walks(self) -> list[WalkName]:
        return [recording.walk for recording in self.recordings]

    def length(self, walk: WalkName) -> int:
        recorded = self._recording(walk).frames
        return recorded if self.frames is None else min(self.frames, recorded)

    def recorded(self, walk: WalkName) -> RecordedMotion:
        return load_recording(self._recording(walk).path)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"recordings": [recording.describe() for recording in self.recordings]}

    def _recording(self, walk: WalkName) -> Recording:
        return next(recording for recording in self.recordings if recording.walk == walk)
