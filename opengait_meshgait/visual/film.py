"""A sequence as a film in which the bodies turn."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.visual.drawing import draw_text
from opengait_meshgait.visual.frames import BodyFrames, draw_frame

_FPS = 15
_SECONDS = 6  # that the film lasts at least, and a turn takes


def write_film(path: str | Path, shown: BodyFrames) -> None:
    """An MP4 (MPEG-4 part 2), 15 frames a second; short sequences are repeated until it lasts six seconds.

    Raises:
        UserError: OpenCV cannot write films here.
    """
    with atomic_path(path) as temporary:
        # OpenCV chooses the container by the file's name.
        film = temporary.with_suffix(".mp4")
        writer = None
        try:
            for picture in _pictures(shown):
                if writer is None:
                    size = picture.shape[1::-1]
                    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"mp4v"), _FPS, size)
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


def _pictures(shown: BodyFrames) -> Iterator[np.ndarray]:
    for moment in range(len(shown) * -(-_SECONDS * _FPS // len(shown))):
        place = moment % len(shown)
        degrees = moment * 360 / (_SECONDS * _FPS)
        panels = draw_frame(shown.frames[place], {"": degrees}, shown.has_truth)
        head, row = np.hstack([*map(draw_text, panels)]), np.hstack([*panels.values()])
        error = shown.error(place)
        foot = f"{shown.name}, frame {shown.numbers[place]}" + (f", marker error {error}" if error else "")
        yield np.vstack([head, row, draw_text(foot, row.shape[1])])
