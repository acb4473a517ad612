"""OUMVLP (Takemura et al., 2018) with OUMVLP-Mesh (Li et al., 2022)."""

import re
from pathlib import Path

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.folders import folders
from opengait_meshgait.prepare.raw import RawDataset, RawSequence, require_folder

LAYOUT = "Silhouette_VVV-SS/<id>/*.png and OUMVLP-Mesh/<id>/<VVV_SS>/*.json"
_SILHOUETTES = re.compile(r"Silhouette_(\d{3})-(\d{2})")
_BODIES = re.compile(r"(\d{3})[_-](\d{2})")


def find(root: Path, bodies: Path | None, with_bodies: bool) -> RawDataset:
    """The sequences of OUMVLP, ``id/SS/VVV`` when prepared, as OpenGait's OUMVLP has them.

    Args:
        root: the folder with ``Silhouette_VVV-SS``, V for the view and S for the sequence.
        bodies: the folder of OUMVLP-Mesh, ``<id>/<VVV_SS>/*.json``; None for ``OUMVLP-Mesh`` in ``root``.
        with_bodies: whether bodies are asked for.

    Raises:
        UserError: a folder is missing, or a body folder's name says no view and sequence.
    """
    require_folder(root, "silhouettes of OUMVLP", "Give the folder that holds Silhouette_000-00 and the others.")
    bodies = bodies or root / "OUMVLP-Mesh"
    body_folders: dict[tuple[str, ...], str] = {}
    if with_bodies:
        remedy = "Give --bodies the folder of OUMVLP-Mesh, or take --silhouettes-only."
        require_folder(bodies, "bodies of OUMVLP", remedy)
        body_folders = {
            (person.name, *_view_and_sequence(folder.name, folder.path)): folder.path
            for person in folders(bodies)
            for folder in folders(person.path)
        }
    sequences = []
    for folder in folders(root):
        if match := _SILHOUETTES.fullmatch(folder.name):
            view, sequence = match.groups()
            for person in folders(folder.path):
                place = body_folders.pop(
                    (person.name, view, sequence), str(bodies / person.name / f"{view}_{sequence}")
                )
                sequences.append(RawSequence(person.name, sequence, view, person.path, place if with_bodies else None))
    sequences.sort(key=lambda sequence: sequence.name)
    return RawDataset(sequences, f"{root}/{LAYOUT}", ["/".join(names) for names in body_folders])


def _view_and_sequence(name: str, path: str) -> tuple[str, str]:
    match = _BODIES.fullmatch(name)
    if not match:
        raise UserError(f"{path}: the name of a folder of OUMVLP-Mesh should be view and sequence, like 090_00.")
    return match.groups()
