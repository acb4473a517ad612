"""Joins the bodies in files with the frames of a sequence: by name, by number, or by their order."""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from opengait_meshgait.body.layout import NUM_JOINTS, POSE, ROOT_TURN
from opengait_meshgait.common.containers import read_arrays
from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.pictures import FrameKey, frame_key
from opengait_meshgait.prepare.parameters import read_array, read_parameters
from opengait_meshgait.prepare.trackers import Place, Tracker, find_places

_TURN = np.diag([1.0, -1.0, -1.0])  # y up, z to the camera -> y down, z away: half a turn about x


@dataclass(frozen=True, slots=True)
class Reading:
    """How body files are read.

    Attributes:
        trackers: rows that are tried.
        shape_space: of the body to pose, ``SMPL`` or ``SMPL-X``; other betas are dropped.
        y_up: turn bodies from y up, z to the camera into camera orientation.
        first_frame: number of the picture that is a tracker's frame 0; None to see it from the pictures' names.
    """

    trackers: tuple[Tracker, ...]
    shape_space: str = "SMPL"
    y_up: bool = False
    first_frame: int | None = None


@dataclass(slots=True)
class Candidate:
    """A body in a frame.

    Attributes:
        person: whose it is, by the tracker; None if not known.
        row: float32 [85] or, of joints alone, [24, 3], in camera orientation.
    """

    person: Hashable | None
    row: np.ndarray


class BodyJoin:
    """Collects a sequence's bodies from its files."""

    def __init__(self, frames: list[FrameKey], named: bool, reading: Reading):
        self.frames, self.named, self.reading = frames, named, reading
        self.found: defaultdict[FrameKey, list[Candidate]] = defaultdict(list)
        self.unreadable: list[str] = []
        self.sources: set[str] = set()
        self._trackers = reading.trackers

    def add_frame(self, path: str, frame: FrameKey) -> None:
        """A file of one frame. One that cannot be read is noted."""
        try:
            parts = self._read(path)
        except UserError as error:
            self.unreadable.append(str(error))
            return
        for place, rows in parts:
            self._add_people(path, frame, place, rows)

    def add_sequence(self, path: str, of: int) -> None:
        """A file of all frames; where there are several, ``of`` so many, each must say which frames."""
        before = len(self.found)
        for place, rows in self._read(path):
            if place.frame is not None:
                if not self.named:
                    raise UserError(f"{path} names its frames, and those of a pickle of silhouettes have no names.")
                self._add_people(path, frame_key(place.frame), place, rows)
                continue
            keys = self._frames_of(path, place, len(rows), of)
            person = place.person if place.person is not None or of == 1 else Path(path).name
            for frame, row in zip(keys, rows):
                self._add(f"{path}, frame {_name(frame)}", frame, person, row)
        known = set(self.frames)
        if len(self.found) > before and not any(frame in known for frame in self.found):
            raise UserError(
                f"None of the bodies in {path} is of a frame that is called like a silhouette: they are of "
                f"{list_names(map(_name, self.found), 3)}; {self._called()}"
            )

    def strangers(self, folder: str, number: int) -> str:
        """What is wrong where so many files have no frame."""
        return f"None of the {number} body files in {folder} is called like a silhouette: {self._called()}"

    def _read(self, path: str) -> list[tuple[Place, np.ndarray]]:
        content = read_arrays(path)
        try:
            if not isinstance(content, np.ndarray):
                tracker, places = find_places(content, self._trackers)
                if tracker.recording and places and len(self._trackers) > 1:
                    raise ValueError(
                        f"it is a recording as of {tracker.name}, whose bodies stand in a room and not as a camera "
                        "sees them. Make walkers of it: `meshgait walkers --motion`. If you have turned them into the "
                        f"camera's orientation, say --tracker {tracker.name}"
                    )
                if places and tracker is not self._trackers[0]:  # the next file will be of the same
                    self._trackers = (tracker, *(other for other in self._trackers if other != tracker))
                parts = [(p, read_parameters(p.content, tracker.keys, self.reading.shape_space)) for p in places]
                self.sources.update(tracker.describe(place, self.reading.shape_space) for place in places)
                return parts
            rows = read_array(content)
            self.sources.add(f"arrays of {'85 numbers' if rows.ndim == 2 else '24 joints'}")
            return [(Place({}), rows)]
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: {error}.") from error

    def _add_people(self, path: str, frame: FrameKey, place: Place, rows: np.ndarray) -> None:
        """All bodies of one frame."""
        people = np.ravel(place.people) if place.people is not None else ()
        for number, row in enumerate(rows):
            self._add(path, frame, str(people[number]) if len(people) == len(rows) else place.person, row)

    def _add(self, where: str, frame: FrameKey, person: Hashable | None, row: np.ndarray) -> None:
        if bad := np.size(row) - np.isfinite(row).sum():
            self.unreadable.append(f"{where}: {bad} of its numbers are not finite.")
        # Trackers write zeros where they found nobody.
        elif (row if row.shape == (NUM_JOINTS, 3) else row[POSE]).any():
            row = row.astype(np.float32)
            self.found[frame].append(Candidate(person, _turned(row) if self.reading.y_up else row))

    def _frames_of(self, path: str, place: Place, number: int, of: int) -> list[FrameKey]:
        """The frames of one person's bodies in a file of all frames."""
        if place.frames is None and place.pictures is None:
            if of > 1:
                raise UserError(self.strangers(str(Path(path).parent), of))
            if number != len(self.frames):
                raise UserError(
                    f"{path} holds {number} bodies, and there are {len(self.frames)} silhouettes. Without names of "
                    "frames they cannot be joined: add an array 'frames' of the pictures' names, or store one file a "
                    "frame."
                )
            return self.frames
        if place.pictures is not None:
            keys = [frame_key(Path(str(name)).stem) for name in np.ravel(place.pictures)]
        else:
            keys = self._numbered(path, np.ravel(place.frames))
        if len(keys) != number or len(set(keys)) != len(keys):
            raise UserError(
                f"{path} names {len(keys)} frames, {len(set(keys))} of them different, for {number} bodies."
            )
        return keys

    def _numbered(self, path: str, numbers: np.ndarray) -> list[FrameKey]:
        """The frames that a tracker counts from 0, by the numbers in the pictures' names."""
        places = {_last_number(frame): frame for frame in self.frames}
        first = self.reading.first_frame
        if first is None:
            first = min(places, key=lambda place: -1 if place is None else place, default=0)
        if None in places or len(places) != len(self.frames) or (self.reading.first_frame is None and first > 1):
            raise UserError(
                f"{path} counts frames from 0, and the pictures' names do not say which is the first: {self._called()} "
                "Give --first-frame, the number of the video's first picture; each name must end in its number."
            )
        if numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
            raise UserError(f"{path} has frames that are no numbers: {list_names(map(str, numbers), 3)}.")
        return [places.get(int(number) + first, ("frame", int(number))) for number in numbers]

    def _called(self) -> str:
        first = f"{_name(self.frames[0])} and {_name(self.frames[-1])}" if self.frames else "none"
        return f"the {len(self.frames)} silhouettes are called like {first}."


def _name(frame: FrameKey) -> str:
    return "".join(map(str, frame))


def _last_number(frame: FrameKey) -> int | None:
    return next((part for part in reversed(frame) if isinstance(part, int)), None)


def _turned(row: np.ndarray) -> np.ndarray:
    """A body with y up in camera orientation."""
    if row.shape == (NUM_JOINTS, 3):
        return row @ _TURN
    turned = row.copy()
    turned[ROOT_TURN] = cv2.Rodrigues(_TURN @ cv2.Rodrigues(row[ROOT_TURN].astype(float))[0])[0].ravel()
    return turned
