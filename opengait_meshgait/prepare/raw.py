"""Where the sequences of a raw dataset lie, and their bodies."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opengait_meshgait.common.containers import ARRAY_FILES
from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, subfolders
from opengait_meshgait.prepare.bodies import body_files
from opengait_meshgait.prepare.layouts import LAYOUTS, RawLayout

_PREPARED = {"<id>/<type>/<view>": "<id>/<type>/<view>"}


@dataclass(frozen=True, slots=True)
class RawSequence:
    """One sequence before it is prepared.

    Attributes:
        label: the person; with ``type`` and ``view`` the sequence's folder in the prepared dataset.
        type: walking condition, or camera.
        view: view, or number of the sequence.
        silhouettes: folder of its pictures, one a frame.
        bodies: folder of its bodies, one file a frame or for all, or that file; None where no bodies are asked for.
    """

    label: str
    type: str
    view: str
    silhouettes: str
    bodies: str | None

    @property
    def name(self) -> str:
        """``id/type/view``."""
        return f"{self.label}/{self.type}/{self.view}"


@dataclass(frozen=True, slots=True)
class RawDataset:
    """What was found.

    Attributes:
        sequences: sorted by name.
        without_silhouettes: bodies that belong to no sequence of silhouettes, by their folder.
        passed_over: folders, relative to the root, whose names the layout does not know.
    """

    sequences: list[RawSequence]
    without_silhouettes: list[str]
    passed_over: list[str]


@dataclass(slots=True)
class _Found:
    """Sequence folders by ``id/type/view``, and folders whose names do not fit."""

    places: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)


def find_raw(dataset: str, root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """The sequences of a raw dataset.

    Args:
        dataset: one of :data:`~opengait_meshgait.prepare.layouts.LAYOUTS`.
        root: its folder.
        bodies: the folder of its bodies; None: the dataset's own or, where it has none, the sequences' folders
            themselves, if one has bodies in it. In a folder that is given, bodies lie as in the dataset's own, as its
            silhouettes do, or as ``id/type/view``, which may be files, such as ``view.pkl``. One file is the bodies of
            the only sequence.
        with_bodies: whether bodies are asked for.

    Raises:
        UserError: there is no such folder, or no sequence in it; another layout than ``dataset`` is found there; or a
            folder in the dataset's own folder of bodies has another name.
    """
    layout = LAYOUTS[dataset]
    _require_folder(root, "raw dataset", f"Give the folder with {layout.describe()}.")
    # Those of other datasets also look like id/type/view, with wrong people.
    other = _looks_like(root, dataset) if dataset == "generic" else None
    found = _Found() if other else _find(root, layout.folders, layout.words)
    if not found.places:
        raise UserError(_nothing_found(dataset, root, other or _looks_like(root, dataset)))
    sequences = {
        name: str(inside) if layout.inside and (inside := Path(place, layout.inside)).is_dir() else place
        for name, place in sorted(found.places.items())
    }
    in_folders: dict[str, str] = {}
    if with_bodies and bodies is None and layout.bodies_folder is None:
        with_bodies = not layout.pickle and any(body_files(place, place) for place in sequences.values())
        in_folders = sequences
    elif with_bodies and bodies is not None and bodies.is_file():
        if len(sequences) > 1:
            raise UserError(
                f"{bodies} is one file, and {root} holds {len(sequences)} sequences. Give --bodies a folder with a "
                f"folder or a file for each, such as {next(iter(sequences))}{bodies.suffix}."
            )
        in_folders = dict.fromkeys(sequences, str(bodies))
    elif with_bodies:
        folder = bodies or root / str(layout.bodies_folder)
        remedy = "Give --bodies their folder, or take --silhouettes-only."
        in_folders = _find_bodies(layout, _require_folder(folder, f"bodies of {layout.title}", remedy))
    # A folder that is not there holds no bodies.
    usual = bodies or root / (layout.bodies_folder or "")
    return RawDataset(
        [
            _sequence(name, place, in_folders.get(name, _place(usual / name)) if with_bodies else None)
            for name, place in sequences.items()
        ],
        sorted(in_folders.keys() - sequences.keys()),
        sorted(found.passed_over),
    )


def _sequence(name: str, silhouettes: str, bodies: str | None) -> RawSequence:
    label, kind, view = name.split("/")
    return RawSequence(label, kind, view, silhouettes, bodies)


def _find(root: Path, folders: Mapping[str, str], words: Mapping[str, str]) -> _Found:
    found = _Found()
    for pattern, name in folders.items():
        levels = _levels(pattern, words)
        numbers: dict[str, int] = {}
        for parts, place in _walk(root, levels, {}, found.passed_over):
            person = parts.get("id", "")
            numbers[person] = numbers.get(person, 0) + 1
            parts["n"] = f"{numbers[person]:02d}"
            found.places[_fill(name, parts)] = place
    found.passed_over = [str(Path(place).relative_to(root)) for place in found.passed_over]
    return found


def _fill(name: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda word: parts[word[1]], name)


def _levels(pattern: str, words: Mapping[str, str]) -> list[tuple[re.Pattern[str], bool]]:
    """For each level of folders what their names are like, and whether none may have another name."""
    levels = []
    for level in pattern.split("/"):
        parts = re.split(r"<(\w+)>", level)
        parts[1::2] = [f"(?P<{word}>{words.get(word, '.+')})" for word in parts[1::2]]
        parts[::2] = map(re.escape, parts[::2])
        levels.append((re.compile("".join(parts)), level.startswith("<")))
    return levels


def _walk(
    folder: str | Path, levels: list[tuple[re.Pattern[str], bool]], parts: dict[str, str], passed_over: list[str]
) -> Iterator[tuple[dict[str, str], str]]:
    """What the names of folders say, and the folder, for each path that fits."""
    if not levels:
        yield dict(parts), str(folder)
        return
    (like, strict), *deeper = levels
    for entry in subfolders(folder):
        if match := like.fullmatch(entry.name):
            yield from _walk(entry.path, deeper, parts | match.groupdict(), passed_over)
        elif strict:
            passed_over.append(entry.path)


def _find_bodies(layout: RawLayout, folder: Path) -> dict[str, str]:
    """The folders of bodies by ``id/type/view``."""
    if layout.bodies:
        found = _find(folder, layout.bodies, layout.words)
        if found.passed_over:
            raise UserError(
                f"{folder / found.passed_over[0]}: {len(found.passed_over)} folders of bodies have another name than "
                f"the layout's, which is like {layout.bodies_example}. Rename them, or take them out."
            )
        return found.places
    return _find(folder, layout.folders, layout.words).places or _find(folder, _PREPARED, {}).places


def _place(folder: Path) -> str:
    """The folder of a sequence's bodies, or the one file that is there instead."""
    files = [] if folder.exists() else [folder.with_name(folder.name + ending) for ending in ARRAY_FILES]
    return str(next((path for path in files if path.is_file()), folder))


def _fits(root: Path, layout: RawLayout) -> bool:
    """Whether there is a sequence in ``root``, as far as it can be read."""
    try:
        return any(any(_walk(root, _levels(pattern, layout.words), {}, [])) for pattern in layout.folders)
    except UserError:
        return False


def _looks_like(root: Path, dataset: str) -> str | None:
    """Which other dataset lies so; for ``generic``, of those whose sequences are not ``id/type/view``."""
    others = (name for name in LAYOUTS if name not in (dataset, "generic"))
    if dataset == "generic":
        others = (name for name in others if LAYOUTS[name].folders != _PREPARED)
    return next((name for name in others if _fits(root, LAYOUTS[name])), None)


def _nothing_found(dataset: str, root: Path, other: str | None) -> str:
    """Why there is no sequence, in words."""
    layout = LAYOUTS[dataset]
    around = [root.absolute().parent, *(Path(folder.path) for folder in subfolders(root)[:100])]
    beside = None if other or dataset == "generic" else next((place for place in around if _fits(place, layout)), None)
    if other:
        advice = f"It lies like {LAYOUTS[other].title}: `meshgait prepare {other}`."
    elif beside:
        advice = f"The layout begins in {beside}: give that folder."
    else:
        advice = f"`meshgait prepare --help` lists the layouts; {LAYOUTS['generic'].describe()}, is `generic`."
    found = list_names(entry.name for entry in list_folder(root))
    return f"No sequence found: looked for {layout.describe()}, in {root}, which holds: {found}. {advice}"


def _require_folder(path: Path, what: str, remedy: str) -> Path:
    """``path``, which must be a folder; the message lists what is in the one above it."""
    if path.is_dir():
        return path
    above = path.parent
    found = [entry.name for entry in list_folder(above)] if above.is_dir() else []
    around = f"{above} holds: {list_names(found)}" if above.is_dir() else f"{above} is no folder either"
    raise UserError(f"No {what}: {path} is not a folder. {around}. {remedy}")
