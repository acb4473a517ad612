"""Where the sequences of a raw dataset lie."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.folders import entries, folders

_SHOWN = 12


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


def three_levels(root: str | Path) -> Iterator[tuple[str, str, str, str]]:
    """The folders ``root/a/b/c``, as (a, b, c, path)."""
    for first in folders(root):
        for second in folders(first.path):
            for third in folders(second.path):
                yield first.name, second.name, third.name, third.path


def pair(silhouettes: Path, bodies: Path | None, layout: str) -> RawDataset:
    """The sequences of two folders that both lie as ``id/type/view``.

    Args:
        silhouettes: the folder of pictures.
        bodies: the folder of bodies, which may be the same; None where none are asked for.
        layout: what was looked for, for messages.
    """
    sequences = [
        RawSequence(*names, path, None if bodies is None else str(bodies.joinpath(*names)))
        for *names, path in three_levels(silhouettes)
    ]
    known = {sequence.name for sequence in sequences}
    alone = [] if bodies in (None, silhouettes) else ["/".join(names) for *names, _ in three_levels(bodies)]
    return RawDataset(sequences, layout, [name for name in alone if name not in known])


def require_folder(path: Path, what: str, remedy: str) -> Path:
    """``path``, which must be a folder.

    Raises:
        UserError: it is none; the message lists what is in the folder above it.
    """
    if path.is_dir():
        return path
    above = path.parent
    found = [entry.name for entry in entries(above)] if above.is_dir() else []
    around = f"{above} holds: {listed(found)}" if above.is_dir() else f"{above} is no folder either"
    raise UserError(f"No {what}: {path} is not a folder. {around}. {remedy}")


def listed(names: Iterable[str]) -> str:
    """The first few of some names."""
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (f" … ({len(names)} in all)" if len(names) > _SHOWN else "") or "nothing"
