"""A sequence as pictures: a sheet of evenly spread frames, or a film in which the bodies turn."""

import functools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.inference.look import Look
from opengait_meshgait.visual.pixels import (
    ESTIMATED,
    HEIGHT,
    TRUE,
    WIDTH,
    draw_heatmaps,
    draw_markers,
    draw_mesh,
    draw_silhouette,
)

_FPS = 15
_SECONDS = 6  # that the film lasts at least, and a turn takes
_LINE, _LEFT = 36, 150  # px: height of a line of text, width of a sheet's left column


def write_sheet(path: str | Path, look: Look) -> None:
    """A PNG: one column a frame, its silhouette and all that the network finds in it below; bodies from two sides."""
    columns = [_panels(look, frame, {"": 0, ",\nfrom the right": 90}) for frame in range(len(look))]
    rows = []
    for label in columns[0]:
        rows.append(np.hstack([_text(label, _LEFT, HEIGHT), *(column[label] for column in columns)]))
    texts = [f"frame {number}" for number in look.numbers]
    rows.insert(0, np.hstack([_text(look.name, _LEFT, _LINE), *(_text(text, WIDTH, _LINE) for text in texts)]))
    if look.mean_error:
        errors = [_text(look.error(frame), WIDTH, _LINE) for frame in range(len(look))]
        rows.append(np.hstack([_text("marker error", _LEFT, _LINE), *errors]))
    done, picture = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    assert done
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture)


def write_film(path: str | Path, look: Look) -> None:
    """An MP4 (MPEG-4 part 2), 15 frames a second; short sequences are shown again until it lasts six seconds.

    Raises:
        UserError: OpenCV cannot write films here.
    """
    with atomic_path(path) as temporary:
        # OpenCV chooses the container by the file's name.
        film = temporary.with_suffix(".mp4")
        writer = None
        try:
            for picture in _film(look):
                if writer is None:
                    size = picture.shape[1::-1]
                    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"mp4v"), _FPS, size)
                    if not writer.isOpened():
                        raise UserError(
                            f"OpenCV {cv2.__version__} cannot write {path} here: its build has no FFMPEG with an "
                            "MPEG-4 encoder. `pip install opencv-python-headless` has it; .html and .png need none."
                        )
                writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            writer.release()
            film.replace(temporary)
        finally:
            film.unlink(missing_ok=True)


def _film(look: Look) -> Iterator[np.ndarray]:
    count = len(look) * -(-_SECONDS * _FPS // len(look))
    head = None
    for moment in range(count):
        frame = moment % len(look)
        panels = _panels(look, frame, {"": moment * 360 / (_SECONDS * _FPS)})
        if head is None:
            head = np.hstack([_text(label, WIDTH, _LINE) for label in panels])
        error = look.error(frame)
        foot = f"{look.name}, frame {look.numbers[frame]}" + (f", marker error {error}" if error else "")
        yield np.vstack([head, np.hstack([*panels.values()]), _text(foot, head.shape[1], _LINE)])


def _panels(look: Look, frame: int, sides: dict[str, float]) -> dict[str, np.ndarray]:
    """The pictures of a frame by what they show; bodies from some ``sides``, names and degrees."""
    found, truth = look.found, look.truth
    silhouette = found.silhouettes[frame]
    known = truth is not None and truth.known[frame]
    panels = {
        "silhouette": draw_silhouette(silhouette),
        "heatmaps": draw_heatmaps(found.heatmaps[frame], look.half_width, silhouette),
        "markers" if truth is None else "markers (red),\ntrue ones (green)": draw_markers(
            silhouette, found.markers[frame], truth.markers[frame] if known else None
        ),
    }
    if found.vertices is not None:
        for side, degrees in sides.items():
            panels[f"mesh{side}"] = draw_mesh(found.vertices[frame], found.faces, ESTIMATED, degrees)
    if truth is not None:
        blank = _text("not known", WIDTH, HEIGHT)
        for side, degrees in sides.items():
            mesh = draw_mesh(truth.vertices[frame], found.faces, TRUE, degrees) if known else blank
            panels[f"true mesh{side}"] = mesh
    return panels


@functools.lru_cache(maxsize=256)
def _text(text: str, width: int, height: int) -> np.ndarray:
    """Text in the middle of a white picture, uint8 ``[height, width, 3]``."""
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=9.5, color="#333", linespacing=1.3)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
