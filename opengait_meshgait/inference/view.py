"""What a network finds in one sequence, as a page, a film, a sheet of pictures or a mesh."""

from pathlib import Path

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference.look import Look, Seen, look, read_seen
from opengait_meshgait.inference.mesh_file import upright, write_obj
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.visual.strip import write_film, write_sheet

ENDINGS = {
    ".html": "a page that plays the sequence, with bodies to turn by mouse",
    ".mp4": "a film in which the bodies turn",
    ".png": "a sheet of evenly spread frames",
    ".obj": "the mesh of one frame",
}
_SHEET, _PAGE, _FILM = 8, 100, 720  # frames at most


def check_ending(out: Path, frame: int | None) -> None:
    """See to it, before the work, that ``out`` is of a kind that there is.

    Raises:
        UserError: another ending, or a ``frame`` for a kind that shows more than one.
    """
    if out.suffix.lower() not in ENDINGS:
        kinds = ", ".join(f"{ending} ({what})" for ending, what in ENDINGS.items())
        raise UserError(f"--out {out} ends in '{out.suffix}', and there is {kinds}.")
    if frame is not None and out.suffix.lower() != ".obj":
        raise UserError(f"--frame is for the mesh of one frame, and {out} shows many: leave it out, or write an .obj.")


def write_view(model: GaitModel, source: str | Path, out: str | Path, frame: int | None = None) -> Look:
    """Write what the network finds in a sequence.

    Args:
        model: with a heatmap branch.
        source: see :func:`~opengait_meshgait.inference.look.read_seen`.
        out: the file; its ending says what it will be, see :data:`ENDINGS`. Whole or absent, whatever happens.
        frame: of an ``.obj``, from 0; None: the middle one.

    Returns:
        What was shown.

    Raises:
        UserError: an unknown ending, a sequence that cannot be used, no heatmap branch, no such frame, or no mesh for
            an ``.obj``.
    """
    out = Path(out)
    check_ending(out, frame)
    if model.net.HeatmapEstimator is None:
        raise UserError(
            f"{model.source} knows silhouettes only (heatmap_cfg: null): it finds no markers and no body to look at. "
            "Give a checkpoint with a heatmap branch."
        )
    ending = out.suffix.lower()
    if ending == ".obj" and model.no_body:
        raise UserError(f"{model.no_body}: there is no mesh for {out}. The markers are in .html, .mp4 and .png.")
    seen = read_seen(source)
    shown = look(model, seen, _frames(seen, ending, frame))
    try:
        _write(shown, out)
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    return shown


def _frames(seen: Seen, ending: str, frame: int | None) -> np.ndarray:
    """Which frames of the sequence to show."""
    length = len(seen.silhouettes)
    if ending == ".obj":
        chosen = length // 2 if frame is None else frame
        if not 0 <= chosen < length:
            raise UserError(f"{seen.name} has the frames 0 to {length - 1}, and --frame is {chosen}.")
        return np.array([chosen])
    if ending == ".png":
        return np.unique(np.linspace(0, length - 1, min(length, _SHEET)).round().astype(int))
    most = _PAGE if ending == ".html" else _FILM
    if length > most:
        seen.notes.append(f"the first {most} of {length} frames")
    return np.arange(min(length, most))


def _write(shown: Look, out: Path) -> None:
    ending = out.suffix.lower()
    if ending == ".html":
        # plotly takes a second to load, which the others need not wait for.
        from opengait_meshgait.visual.player import write_page

        write_page(out, shown)
    elif ending == ".mp4":
        write_film(out, shown)
    elif ending == ".png":
        write_sheet(out, shown)
    else:
        found = shown.found
        comment = f"{shown.name}, frame {shown.numbers[0]}; m for a stature of {found.stature:g} m, y up"
        write_obj(out, upright(found.vertices[0]) * np.float32(found.stature), found.faces, comment)
