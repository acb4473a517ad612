"""The body files of one sequence, and what they give for its frames."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from opengait_meshgait.common.containers import ARRAY_FILES
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import list_folder, pickle_kind
from opengait_meshgait.common.pictures import FrameKey, frame_key
from opengait_meshgait.prepare.joining import BodyJoin, Candidate, Reading
from opengait_meshgait.prepare.sources import silhouette_pickle

_PICTURES = (".png", ".jpg")


@dataclass(slots=True)
class Bodies:
    """The bodies that were found for a sequence's frames.

    Attributes:
        candidates: by frame, also such as have no silhouette. Frames with nobody are missing.
        shape: of one body, (85,) or (24, 3).
        unreadable: why others could not be read, one message each.
        source: which tracker's keys were read, or None.
        unread: names of body files that were left alone.
    """

    candidates: dict[FrameKey, list[Candidate]]
    shape: tuple[int, ...]
    unreadable: list[str] = field(default_factory=list)
    source: str | None = None
    unread: list[str] = field(default_factory=list)


def body_files(place: str | Path, silhouettes: str | Path) -> list[str]:
    """The files in a folder, or the one file, that may hold bodies, by their paths.

    Args:
        place: the folder or file; there may be nothing.
        silhouettes: folder of the silhouettes; where these are a pickle, it is not meant.
    """
    place = Path(place)
    if place.is_file():
        return [str(place)]
    if not place.is_dir():
        return []
    entries, own = list_folder(place), None
    if place == Path(silhouettes) and not any(entry.name.lower().endswith(_PICTURES) for entry in entries):
        own = silhouette_pickle(str(place))
    return [
        entry.path
        for entry in entries
        if entry.name.lower().endswith(ARRAY_FILES)
        and entry.path != own
        and pickle_kind(entry.name) not in ("weight", "sil")
    ]


def read_raw_bodies(place: str, silhouettes: str, frames: list[FrameKey], named: bool, reading: Reading) -> Bodies:
    """The bodies of some frames: files of one frame each, by their names, or files of all frames.

    Args:
        place: folder of ``.npz``, ``.npy``, ``.json``, ``.pt`` or pickles, or one such file; where it is absent, no
            frame has a body.
        silhouettes: folder of the silhouettes.
        frames: what they are joined by.
        named: whether ``frames`` are file names; else bodies are joined by their order.
        reading: how.

    Raises:
        UserError: no file belongs to any frame, a file of all frames cannot be joined, or files differ in kind.
    """
    files = body_files(place, silhouettes)
    # A file alone is of all frames, though its name be a number, unless it is a frame's.
    alone = files == [place] or (len(files) == 1 and _key(files[0]) not in frames)
    single, whole = ([], files) if alone else _sort_files(files, frames, named)
    join = BodyJoin(frames, named, reading)
    if single and not whole and not any(frame in frames for frame, *_ in single):
        raise UserError(join.strangers(place, len(files)))
    if single:
        for frame, path in single:
            join.add_frame(path, frame)
        unread = [Path(path).name for path in whole]
    else:
        for path in whole:
            join.add_sequence(path, len(whole))
        unread = []
    shapes = {candidate.row.shape for several in join.found.values() for candidate in several}
    if len(shapes) > 1:
        raise UserError(f"{place}: some files hold body parameters and others joints alone. Prepare the two apart.")
    sources = "; ".join(sorted(join.sources)) or None
    return Bodies(dict(join.found), shapes.pop() if shapes else (85,), join.unreadable, sources, unread)


def _sort_files(files: list[str], frames: list[FrameKey], named: bool) -> tuple[list[tuple[FrameKey, str]], list[str]]:
    """Those of one frame, or of somebody in it (``<frame>_<number>``), with the frame; and those of many frames."""
    if not named:
        files = sorted(files, key=_key)
        return (list(zip(frames, files)), []) if len(files) == len(frames) else ([], files)
    patterns = {_pattern(frame) for frame in frames}
    single: list[tuple[FrameKey, str]] = []
    whole: list[str] = []
    taken: dict[FrameKey, str] = {}
    for path in files:
        name = frame = _key(path)
        if _pattern(frame) not in patterns:
            frame = (*frame[:-3], "") if frame[-3::2] == ("_", "") else frame
            if _pattern(frame) not in patterns:
                whole.append(path)
                continue
        if name in taken:
            file, other = Path(path), Path(taken[name]).name
            raise UserError(f"{other} and {file.name} in {file.parent} are of the same frame: remove one of them.")
        taken[name] = path
        single.append((frame, path))
    return single, whole


def _key(path: str) -> FrameKey:
    # Not by pathlib, which takes as long as reading the file.
    return frame_key(path.rpartition(os.sep)[2].rpartition(".")[0])


def _pattern(frame: FrameKey) -> tuple[str, ...]:
    """What is not a number in a frame's name."""
    return tuple(part for part in frame if isinstance(part, str))
