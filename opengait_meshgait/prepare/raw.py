"""Where the sequences of a raw dataset lie: Gait3D, OUMVLP, or any that lies as ``id/type/view``."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, subfolders
from opengait_meshgait.prepare.sources import holds_bodies

_GENERIC_LAYOUT = "<id>/<type>/<view>/ with *.png or a pickle of silhouettes, and .npz or .pkl of bodies"
_OUMVLP_SILHOUETTES = re.compile(r"Silhouette_(\d{3})-(\d{2})")
_OUMVLP_BODIES = re.compile(r"(\d{3})[_-](\d{2})")


@dataclass(frozen=True, slots=True)
class RawSequence:
    """One sequence before it is prepared.

    Attributes:
        label: the person; with ``type`` and ``view`` the sequence's folder in the prepared dataset.
        type: walking condition, or camera.
        view: view, or number of the sequence.
        silhouettes: folder of its pictures, one a frame.
        bodies: folder of its bodies, one file a frame or one for all; None where no bodies are asked for.
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
        layout: what was looked for, for messages.
        without_silhouettes: bodies that belong to no sequence of silhouettes, by their folder.
    """

    sequences: list[RawSequence]
    layout: str
    without_silhouettes: list[str]


Finder = Callable[[Path, Path | None, bool], RawDataset]
"""From the dataset's folder, that of its bodies (None: the usual one) and whether bodies are asked for, to its
sequences. Raises a UserError where a folder is missing."""


def find_gait3d(root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """Gait3D (Zheng et al., "Gait Recognition in the Wild with Dense 3D Representations and A Benchmark", CVPR 2022).

    ``root`` has the folders ``2D_Silhouettes`` and ``3D_SMPLs``.
    """
    silhouettes = _require_folder(
        root / "2D_Silhouettes", "silhouettes of Gait3D", "Give the folder that holds 2D_Silhouettes."
    )
    if with_bodies:
        remedy = "Give --bodies the folder of 3D_SMPLs, or take --silhouettes-only."
        bodies = _require_folder(bodies or root / "3D_SMPLs", "bodies of Gait3D", remedy)
    layout = "2D_Silhouettes/<id>/<camera>/<sequence>/*.png and 3D_SMPLs/<id>/<camera>/<sequence>/*.npz"
    return _join_folders(silhouettes, bodies if with_bodies else None, f"{root}/{layout}")


def find_oumvlp(root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """OUMVLP (Takemura et al., 2018) with OUMVLP-Mesh (Li et al., 2022): ``id/SS/VVV`` when prepared, as in OpenGait.

    ``root`` has the folders ``Silhouette_VVV-SS``, V for the view and S for the sequence, and usually ``OUMVLP-Mesh``,
    ``<id>/<VVV_SS>/*.json``. The name of a body folder must say view and sequence.
    """
    _require_folder(root, "silhouettes of OUMVLP", "Give the folder that holds Silhouette_000-00 and the others.")
    bodies = bodies or root / "OUMVLP-Mesh"
    body_folders: dict[tuple[str, ...], str] = {}
    if with_bodies:
        remedy = "Give --bodies the folder of OUMVLP-Mesh, or take --silhouettes-only."
        _require_folder(bodies, "bodies of OUMVLP", remedy)
        for person in subfolders(bodies):
            for folder in subfolders(person.path):
                if not (match := _OUMVLP_BODIES.fullmatch(folder.name)):
                    raise UserError(
                        f"{folder.path}: the name of a folder of OUMVLP-Mesh should be view and sequence, like 090_00."
                    )
                body_folders[(person.name, *match.groups())] = folder.path
    sequences = []
    for folder in subfolders(root):
        if match := _OUMVLP_SILHOUETTES.fullmatch(folder.name):
            view, sequence = match.groups()
            for person in subfolders(folder.path):
                usual = str(bodies / person.name / f"{view}_{sequence}")
                place = body_folders.pop((person.name, view, sequence), usual)
                sequences.append(RawSequence(person.name, sequence, view, person.path, place if with_bodies else None))
    sequences.sort(key=lambda sequence: sequence.name)
    layout = "Silhouette_VVV-SS/<id>/*.png and OUMVLP-Mesh/<id>/<VVV_SS>/*.json"
    return RawDataset(sequences, f"{root}/{layout}", ["/".join(names) for names in body_folders])


def find_generic(root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """Any dataset that lies as ``id/type/view``, pictures or OpenGait's pickles.

    Without ``bodies``, they are asked for only where the first sequence has some beside its silhouettes.
    """
    _require_folder(root, "silhouettes", f"Give a folder with {_GENERIC_LAYOUT}.")
    if with_bodies and bodies is None:
        first = next(_three_levels(root), None)
        bodies = root if first and holds_bodies(first[-1]) else None
    elif with_bodies:
        _require_folder(bodies, "bodies", "Give --bodies a folder that lies as id/type/view.")
    return _join_folders(root, bodies if with_bodies else None, f"{root}/{_GENERIC_LAYOUT}")


FINDERS: dict[str, Finder] = {"gait3d": find_gait3d, "oumvlp": find_oumvlp, "generic": find_generic}


def _three_levels(root: str | Path) -> Iterator[tuple[str, str, str, str]]:
    """The folders ``root/a/b/c``, as (a, b, c, path)."""
    for first in subfolders(root):
        for second in subfolders(first.path):
            for third in subfolders(second.path):
                yield first.name, second.name, third.name, third.path


def _join_folders(silhouettes: Path, bodies: Path | None, layout: str) -> RawDataset:
    """The sequences of two folders, which may be the same, that both lie as ``id/type/view``."""
    sequences = [
        RawSequence(label, kind, view, path, None if bodies is None else str(bodies / label / kind / view))
        for label, kind, view, path in _three_levels(silhouettes)
    ]
    known = {sequence.name for sequence in sequences}
    alone = [] if bodies in (None, silhouettes) else ["/".join(names) for *names, _ in _three_levels(bodies)]
    return RawDataset(sequences, layout, [name for name in alone if name not in known])


def _require_folder(path: Path, what: str, remedy: str) -> Path:
    """``path``, which must be a folder; the message lists what is in the one above it."""
    if path.is_dir():
        return path
    above = path.parent
    found = [entry.name for entry in list_folder(above)] if above.is_dir() else []
    around = f"{above} holds: {list_names(found)}" if above.is_dir() else f"{above} is no folder either"
    raise UserError(f"No {what}: {path} is not a folder. {around}. {remedy}")
