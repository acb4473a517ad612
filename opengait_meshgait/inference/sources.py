"""Sequences of silhouettes, wherever they lie and whatever their size, as the network was trained on them."""

import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, pickle_kind, subfolders
from opengait_meshgait.common.pictures import picture_files, read_picture
from opengait_meshgait.data.layout import find_sequence, list_problems
from opengait_meshgait.data.reader import read_silhouettes
from opengait_meshgait.inference.silhouettes import (
    InputSilhouettes,
    SilhouetteSize,
    normalize_raw,
    normalize_sequence,
    prepared,
)

_FILES = (".png", ".pkl", ".npz", ".npy", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """One sequence that can be read.

    Attributes:
        label: the person; where nobody is named, the sequence's own name.
        type: walking condition, or empty.
        view: view, or empty.
        read: gives the silhouettes for a model of some size; of raw pictures, where asked for, the largest part alone.
            Raises UserError.
    """

    label: str
    type: str
    view: str
    read: Callable[[SilhouetteSize, bool], InputSilhouettes]

    @property
    def name(self) -> str:
        """``id-type-view``, or the label alone."""
        return "-".join(filter(None, (self.label, self.type, self.view)))


def find_sources(path: str | Path) -> list[Source]:
    """The sequences in a folder or a file, sorted by person, type and view.

    Args:
        path: ``id/type/view/*.pkl`` as data are prepared for training; ``id/type/view/*.png``, raw or normalised; the
            folder of one such sequence, or any folder of PNGs; an ``.npz`` of arrays [s, h, w], named as the people, or
            ``id/type/view``; or the ``.pkl`` of one sequence.

    Files and folders of a dataset that hold no sequence are named in a warning.

    Raises:
        UserError: there is nothing of the kind, or a mixture of several.
    """
    path = Path(path)
    if path.is_dir():
        found = _in_folder(path)
    elif path.suffix == ".npz" and path.is_file():
        found = _in_stacks(path)
    elif path.suffix == ".pkl" and path.is_file():
        found = [Source(path.stem, "", "", partial(_read_pickle, path))]
    else:
        state = "is missing" if not path.exists() else "is of an unknown kind"
        raise UserError(f"{path} {state}. Give a folder of id/type/view/, a folder of PNGs, an .npz or a .pkl.")
    return sorted(found, key=lambda source: (source.label, source.type, source.view))


def _in_folder(root: Path) -> list[Source]:
    """The sequences below a folder, pickles or pictures; where there is none, the one in the folder itself."""
    found: dict[str, list[Source]] = {"pickles": [], "pictures": []}
    problems, unread = [], _loose_files(root)
    for names, folder in _sequence_folders(root, unread):
        try:
            kind = _kind(folder)
            if kind == "pickles":
                read = partial(_read_pickle, find_sequence(folder, names).sils_path)
            elif kind == "pictures":
                read = partial(_read_pictures, folder)
            else:
                unread.append("/".join(names))
                continue
            found[kind].append(Source(*names, read))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError(list_problems(f"{len(problems)} sequences in {root} are unusable", problems))
    if all(found.values()):
        examples = " and ".join(f"{len(sources)} of {kind} ({sources[0].name})" for kind, sources in found.items())
        raise UserError(f"{root} mixes sequences: {examples}. Embed the two apart, or prepare those of pictures.")
    sources = found["pickles"] or found["pictures"]
    if not sources:
        return [_in_one_folder(root, unread)]
    if unread:
        logger.warning("%s: not read, for no sequence id/type/view is there: %s.", root, list_names(unread, 5))
    return sources


def _sequence_folders(root: Path, unread: list[str]) -> Iterator[tuple[tuple[str, str, str], Path]]:
    """The folders ``id/type/view``; files that lie above them are added to ``unread``."""
    for person in subfolders(root):
        unread += [f"{person.name}/{name}" for name in _loose_files(person.path)]
        for type_ in subfolders(person.path):
            unread += [f"{person.name}/{type_.name}/{name}" for name in _loose_files(type_.path)]
            for view in subfolders(type_.path):
                yield (person.name, type_.name, view.name), Path(view.path)


def _loose_files(folder: str | Path) -> list[str]:
    return [entry.name for entry in list_folder(folder) if entry.name.lower().endswith(_FILES) and entry.is_file()]


def _kind(folder: Path) -> str | None:
    """``pictures``, ``pickles`` or None; pickles beside pictures may be bodies, unless they are called silhouettes.

    Raises:
        UserError: there are both.
    """
    pickles = [entry.name for entry in list_folder(folder) if entry.name.endswith(".pkl")]
    if not picture_files(folder):
        return "pickles" if pickles else None
    if silhouettes := [name for name in pickles if pickle_kind(name) == "sil"]:
        raise UserError(f"{folder} holds PNGs and {silhouettes[0]}: take out one of the two.")
    return "pictures"


def _in_one_folder(root: Path, unread: list[str]) -> Source:
    """The sequence in the folder itself."""
    kind, name = _kind(root), root.resolve().name
    below = [path for path in unread if "/" in path]
    if kind is None:
        around = below or [entry.name for entry in list_folder(root)]
        raise UserError(
            f"{root} holds no sequences: looked for id/type/view/*.pkl, id/type/view/*.png and *.png; found "
            f"{list_names(around, 5)}."
        )
    if below:
        raise UserError(
            f"{root} holds {kind} and more in folders that do not lie as id/type/view ({list_names(below, 3)}): give "
            "the folder of one sequence, or lay all of them out as id/type/view."
        )
    if kind == "pictures":
        return Source(name, "", "", partial(_read_pictures, root))
    return Source(name, "", "", partial(_read_pickle, find_sequence(root).sils_path))


def _in_stacks(path: Path) -> list[Source]:
    try:
        archive = np.load(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no .npz archive, or is truncated. Make it again.") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UserError(f"{path} holds a single array without a name, as np.save writes it: save it with np.savez.")
    names = archive.files
    if "embeddings" in names:
        raise UserError(f"{path} holds embeddings already: give it to `meshgait identify`.")
    if not names:
        raise UserError(f"{path} is empty: expected arrays [s, h, w] of silhouettes, one a sequence.")
    sources = []
    for name in names:
        # What is behind a third slash belongs to the view, so that no two names become one.
        label, type_, view = (*name.split("/", 2), "", "")[:3]
        sources.append(Source(label, type_, view, partial(_read_stack, archive, name, f"{path} ({name})")))
    return sources


def _read_pictures(folder: Path, size: SilhouetteSize, largest: bool) -> InputSilhouettes:
    paths = list(picture_files(folder).values())
    if size.fit(read_picture(paths[0])[None]) is None:
        # Raw ones may be large: one after the other.
        return normalize_raw(map(read_picture, paths), size, str(folder), largest)
    return normalize_sequence(list(map(read_picture, paths)), size, str(folder), largest)


def _read_pickle(path: str | Path, size: SilhouetteSize, largest: bool) -> InputSilhouettes:
    return prepared(read_silhouettes(path), size, path)


def _read_stack(
    archive: np.lib.npyio.NpzFile, key: str, name: str, size: SilhouetteSize, largest: bool
) -> InputSilhouettes:
    try:
        return normalize_sequence(archive[key], size, name, largest)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{name} cannot be read: {error}") from error
