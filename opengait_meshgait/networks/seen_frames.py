"""What a heatmap estimator knows of sequences before it draws their volumes, which are by far larger."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from opengait_meshgait.networks.chunks import FrameWindow, joined
from opengait_meshgait.networks.estimator import HeatmapEstimator
from opengait_meshgait.networks.packing import Lengths
from opengait_meshgait.networks.soft_argmax import VolumeExtent


class SeenFrames:
    """Frames as the estimator saw them, window by window.

    Of a sequence of several windows the maps, 70 KB a frame at gait3d.yaml's widths, are not kept but made once more
    where they are needed: less than a tenth of a network's work. Those made of a backbone's maps are kept.

    Args:
        estimator: that looks.
        frames: all of them, ``[n, s, 1, H, W]``, or packed.
        windows: into which they are cut.

    Attributes:
        extent: the box that the volumes span.
    """

    extent: VolumeExtent

    def __init__(self, estimator: HeatmapEstimator, frames: Tensor, windows: Sequence[FrameWindow]):
        self.estimator, self.frames, self.windows = estimator, frames, windows
        self._kept = len(windows) == 1 or estimator.reads == "backbone"
        self._maps: list[tuple[Tensor, ...]] = []
        self._described: list[Tensor] = []
        self._related: Tensor | None = None

    def look(self, seen: Tensor) -> None:
        """Look at the next window, at its frames or at the backbone's maps of them, ``[n, w, c, H, W]``."""
        self.extent = self.estimator.extent(*seen.shape[-2:])
        *maps, described = self.estimator.encode(seen)
        self._described.append(described)
        if self._kept:
            self._maps.append(tuple(maps))

    def relate(self, seqL: Lengths) -> None:
        """All windows are seen: let the frames know of each other."""
        self._related = self.estimator.know_sequence(joined(self._described), seqL)
        self._described.clear()

    def each_window(self) -> Iterator[tuple[Tensor, ...]]:
        """What :meth:`HeatmapEstimator.draw` needs of the frames of each window."""
        for number, window in enumerate(self.windows):
            maps = self._maps[number] if self._kept else self.estimator.encode(self.frames[:, window.frames])[:2]
            yield *maps, self._related[:, window.frames]

    def some(self, shown: Tensor) -> tuple[Tensor, ...]:
        """The same of the frames ``shown``, int ``[m]``."""
        if self._kept:
            maps = [joined(each)[:, shown] for each in zip(*self._maps)]
        else:
            maps = self.estimator.encode(self.frames[:, shown])[:2]
        return *maps, self._related[:, shown]
