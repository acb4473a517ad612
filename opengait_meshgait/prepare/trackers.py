"""Where trackers keep bodies in their files: a row of :data:`TRACKERS` each, chosen by name or found by the keys."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from opengait_meshgait.common.errors import UserError, did_you_mean, list_names
from opengait_meshgait.prepare.parameters import BodyKeys

FRAME, PERSON = "<frame>", "<person>"


@dataclass(frozen=True, slots=True)
class Tracker:
    """How a tracker's file is made.

    Attributes:
        name: of the tracker.
        keys: the names of the numbers.
        inside: keys that lead to them from the top. :data:`FRAME` stands for the frames' names, and may be missing
            where each frame has a file of its own; :data:`PERSON` for the people's numbers. Lists on the way hold
            people.
        people: name of a list of people's numbers, beside the list of people.
        frames: names of a list of the frames' numbers, counted from 0.
        pictures: name of a list of what the frames' pictures are called.
        aliases: other programs that write the same.
        recording: whether these are recordings, whose bodies stand in a room of their own: no camera has seen them,
            unless the user says so.
    """

    name: str
    keys: BodyKeys
    inside: tuple[str, ...] = ()
    people: str = ""
    frames: tuple[str, ...] = ()
    pictures: str = ""
    aliases: tuple[str, ...] = ()
    recording: bool = False

    def describe(self, place: "Place", shape_space: str) -> str:
        """What is read from which keys of a place, in words; ``shape_space`` is that of the body to pose."""
        way = [step for step in self.inside if step not in (FRAME, PERSON)]
        used = self.keys.used(place.content)
        listed = [self.pictures if place.pictures is not None else place.frames_key]
        text = f"{self.name}: {' / '.join([*way, ', '.join(filter(None, [*used, *listed]))])}"
        own = self.keys.shape_space(place.content)
        dropped = f"; betas dropped: they are {own}'s, and the body is {shape_space}'s"
        return text if own in (shape_space, None) else text + dropped


_ROOT_AND_POSE = BodyKeys(root="global_orient", pose=("body_pose",), betas=("betas",), cam=("cam",))
# fmt: off
TRACKERS = (
    Tracker("ROMP", BodyKeys(("smpl_thetas",), ("smpl_betas",), ("cam",)), (FRAME,), people="track_ids",
            aliases=("BEV",)),
    Tracker("4D-Humans", _ROOT_AND_POSE, (FRAME, "smpl"), people="tid", aliases=("PHALP", "TokenHMR")),
    Tracker("WHAM", BodyKeys(("pose",), ("betas",)), (PERSON,), frames=("frame_ids",), aliases=("VIBE",)),
    Tracker("GVHMR", replace(_ROOT_AND_POSE, counts=(22,)), ("smpl_params_incam",)),
    Tracker("TRAM", BodyKeys(("pred_rotmat",), ("pred_shape",)), frames=("frame",)),
    Tracker("PromptHMR", BodyKeys(("rotmat", "pose"), ("shape",), counts=(55, 22)), ("people", PERSON, "smplx_cam"),
            frames=("frames",)),
    Tracker("SMPLer-X", replace(_ROOT_AND_POSE, counts=(22,)), (FRAME,), aliases=("SMPLest-X",)),
    Tracker("HMR2", _ROOT_AND_POSE, (FRAME,), frames=("frame_ids", "frame"), pictures="frames",
            aliases=("CameraHMR",)),
    Tracker("SAM-3D-Body", BodyKeys(joints=("pred_joint_coords",), counts=(127,)), (FRAME,)),
    Tracker("AMASS", BodyKeys(("poses",), ("betas",), counts=(52, 55)), recording=True),
    Tracker("smplcodec", BodyKeys(("bodyPose",), ("shapeParameters",), counts=(24, 22)), recording=True),
    Tracker("SMPL", BodyKeys(("poses", "pose", "smpl_thetas", "thetas"), ("betas", "smpl_betas", "shape"),
                             ("cam", "camera"), ("joints", "hc3d")),
            (FRAME,), frames=("frame_ids", "frame"), pictures="frames"),
)
# fmt: on
"""Earlier rows are tried first. Keys of the world's frame, such as ``pose_world`` and ``smpl_params_global``, are in
none: bodies must be seen as the camera does. The last row is for files of one's own, arrays of frames and ROMP's first
version."""

# The datasets that come with bodies, by whom and under which names. OUMVLP-Mesh documents its joints alone: the others
# are named by the user.
_KEYS = {
    "gait3d": ("ROMP", replace(TRACKERS[-1].keys, joints=(), cam_needed=True)),
    "oumvlp": ("OUMVLP-Mesh", BodyKeys(joints=("hc3d",))),
}


def trackers_of(dataset: str, name: str | None, named: Mapping[str, str | None]) -> tuple[Tracker, ...]:
    """The rows that a dataset's files are tried by.

    Args:
        dataset: as ``meshgait prepare`` calls it.
        name: of a tracker; None to find it out.
        named: names that the user gives, or None, for any of ``pose``, ``betas``, ``cam`` and ``joints``.

    Raises:
        UserError: no such tracker; a pose is named without its betas, where these are not known either.
    """
    given: dict[str, Any] = {field: (key,) for field, key in named.items() if key is not None}
    if name is not None:
        if given:
            raise UserError("--tracker says what the keys are called: leave it out, or --pose-key and the others.")
        return (_tracker(name),)
    own = TRACKERS[-1]
    if dataset not in _KEYS and not given:
        return TRACKERS
    title, keys = _KEYS.get(dataset, (own.name, own.keys))
    keys = replace(keys, **given, cam_needed=keys.cam_needed or "cam" in given)
    if bool(keys.pose) != bool(keys.betas):
        raise UserError("A pose needs its shape, and a shape its pose: give both --pose-key and --betas-key.")
    return (replace(own, name="your keys" if given else title, keys=keys),)


def _tracker(name: str) -> Tracker:
    known = {alias: row for row in TRACKERS for alias in (row.name, *row.aliases)}
    found = next((row for alias, row in known.items() if _spelled(alias) == _spelled(name)), None)
    if found is None:
        raise UserError(f"No tracker is called {name!r}. {did_you_mean(name, known)}")
    return found


def _spelled(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


@dataclass(frozen=True, slots=True)
class Place:
    """Numbers in a file, and whose they are.

    Attributes:
        content: the mapping that holds them.
        frame: the name of the one frame they are of; None where they are of all frames, or of the file's.
        person: number of the one person they are of, None if not known.
        frames: of each body the number of its frame, counted from 0, or None.
        frames_key: what they are called there.
        pictures: of each body the name of its frame's picture, or None.
        people: of each body, or each of a list's items, the person's number, or None.
    """

    content: Mapping
    frame: str | None = None
    person: Hashable | None = None
    frames: Any | None = None
    frames_key: str = ""
    pictures: Any | None = None
    people: Any | None = None


def find_places(content: Any, trackers: tuple[Tracker, ...]) -> tuple[Tracker, list[Place]]:
    """Where the numbers lie in what a file holds.

    Args:
        content: as :func:`~opengait_meshgait.common.containers.read_arrays` reads it.
        trackers: rows to try.

    Returns:
        The row that fits, and the places, none where nobody was found.

    Raises:
        ValueError: no row fits.
    """
    if isinstance(content, Mapping) and "results" in content:
        content = content["results"]
    if _is_nobody(content):
        return trackers[0], []
    misfit = None
    for row in trackers:
        if places := list(_descend(Place(content), row.inside, row)):
            if all(row.keys.fit(place.content) for place in places):
                return row, places
            misfit = row, places
    if misfit:  # under the right names: the caller will say what is wrong with the numbers
        return misfit
    if not isinstance(content, Mapping | list):
        raise ValueError(f"it holds a {type(content).__name__}, and no mapping or array of numbers")
    names = list_names(map(str, _outline(content)))
    if len(trackers) > 1:
        known = ", ".join(alias for row in trackers for alias in (row.name, *row.aliases))
        raise ValueError(
            f"no tracker's keys in the camera's frame among its keys: {names}. Known are {known}. Name the pose by "
            "--pose-key (and --betas-key), or the joints by --joints-key, or leave bodies alone by --silhouettes-only"
        )
    [row] = trackers
    way = "".join(f" in {step}" for step in row.inside if step not in (FRAME, PERSON))
    wanted = " or ".join((*row.keys.pose, *row.keys.joints))
    raise ValueError(
        f"no {wanted}{way} among its keys: {names}. Name the pose by --pose-key (and --betas-key), or the joints by "
        "--joints-key"
    )


def _descend(place: Place, steps: tuple[str, ...], row: Tracker) -> Iterator[Place]:
    content = place.content
    if isinstance(content, list):
        people = place.people if place.people is not None and len(place.people) == len(content) else None
        for number, item in enumerate(content):
            if isinstance(item, Mapping):
                person = place.person if people is None else _person(people[number])
                yield from _descend(replace(place, content=item, person=person, people=None), steps, row)
        return
    if not isinstance(content, Mapping):
        return
    if key := next((name for name in row.frames if name in content), ""):
        place = replace(place, frames=content[key], frames_key=key)
    if row.pictures in content or row.people in content:
        pictures, people = content.get(row.pictures, place.pictures), content.get(row.people, place.people)
        place = replace(place, pictures=pictures, people=people)
    if not steps:
        if row.keys.found_in(content):
            yield place
        return
    step, *rest = steps
    if step == PERSON:
        for key, item in content.items():
            if str(key).isdigit():
                yield from _descend(replace(place, content=item, person=_person(key)), tuple(rest), row)
    elif step != FRAME:
        if step in content:
            yield from _descend(replace(place, content=content[step]), tuple(rest), row)
    elif content and all(_is_frame(key, item) for key, item in content.items()):
        for key, item in content.items():
            yield from _descend(replace(place, content=item, frame=PurePath(key).stem), tuple(rest), row)
    else:
        yield from _descend(place, tuple(rest), row)


def _is_frame(key: Any, item: Any) -> bool:
    """Whether this names a frame, and holds its people."""
    people = item if isinstance(item, list) else [item]
    if not isinstance(key, str) or not all(one is None or isinstance(one, Mapping) for one in people):
        return False
    return any(map(str.isdigit, PurePath(key).stem))


def _person(number: Any) -> Hashable:
    return str(np.asarray(number).item()) if np.ndim(number) == 0 else None


def _is_nobody(content: Any) -> bool:
    return content is None or (isinstance(content, Mapping | list | np.ndarray) and not len(content))


def _outline(content: Any) -> list[Any]:
    """The keys at the top, or of the first of a list."""
    if isinstance(content, list):
        return _outline(content[0]) if content else []
    return list(content) if isinstance(content, Mapping) else []
