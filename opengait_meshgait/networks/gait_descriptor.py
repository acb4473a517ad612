"""The gait descriptor: build and stride of a person, and the viewing angle, from virtual markers."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opengait_meshgait.networks.packing import Lengths, Packing, mean_over_time, share_out

# Strides, in frames: at 25 frames/s, 0.8 to 1.44 s. The first one, the first beyond the last one, the step.
_PERIODS = (20, 36.5, 0.5)
# Within so many frames a walker is taken to keep the beat.
_WINDOW = 32
# Frames' worth of no motion that each amplitude is drawn towards, so that a few frames make no wild ones.
_RIDGE = 1.0
ANGLE_TERMS = 4
"""Functions of the angle that :class:`GaitDescriptor` gives."""


def descriptor_size(markers: int) -> int:
    """Numbers that :class:`GaitDescriptor` gives for so many markers."""
    return 15 * markers + 1


class GaitDescriptor(nn.Module):
    """Build and gait of each sequence, in the body's own frame, which does not depend on the camera.

    The body's mean, and its motion as a Fourier series over the stride. Left and right make the same motion half a
    stride apart, so the motion that both sides share has the second harmonic, and the motion in which they are opposite
    has the first: half a stride determines all of it. Phase 0 is where the legs are farthest apart, the left one
    behind.

    Long sequences are cut into windows. Every window has its own beat, so that it may change; amplitudes are averaged
    at equal phase.
    """

    waves: Tensor  # [33, 2, 2 · periods, 32]
    mirror: Tensor
    energy: Tensor
    periods: Tensor

    def __init__(self) -> None:
        super().__init__()
        periods = torch.arange(*_PERIODS)
        waves = _waves(periods)
        # By length of the window. Halved, because the motions are twice as large.
        self.register_buffer("waves", waves.unflatten(1, (2, 2)).flatten(2, 3) / 2, persistent=False)
        self.register_buffer("mirror", torch.tensor([-1.0, 1.0, 1.0]), persistent=False)
        self.register_buffer("energy", waves.square().sum(-1) + _RIDGE, persistent=False)
        self.register_buffer("periods", periods / 100, persistent=False)

    def forward(self, markers: Tensor, side: Tensor, flip: Tensor, seqL: Lengths = None) -> tuple[Tensor, Tensor]:
        """Describe sequences.

        Args:
            markers: ``[n, s, K, 3]``, crop space, or packed ``[1, sum of lengths, K, 3]``; the frames in their order.
            side: ``[K]``, 1 for markers on the body's left, -1 on its right, 0 between.
            flip: int ``[K]``, the marker on the other side of the body that is each one's mirror image.
            seqL: int ``[1, n]``, lengths of the packed sequences.

        Returns:
            The descriptor ``[n, 15·K + 1]``, float32: means, then cosine and sine amplitudes of the first and of the
            second harmonic, each ``[K, 3]`` in crop heights; the period of a stride in hundreds of frames. And the
            angle a from the picture's right to the body's left, as the camera sees it on average over the sequence:
            cos a, sin a, cos 2a and sin 2a, ``[n, 4]``, float32.
        """
        with torch.autocast(markers.device.type, enabled=False):
            side = side.float()
            packing = None if seqL is None else Packing.of(seqL, markers)
            points, left = body_frame(markers.float(), side)
            cosine, sine = F.normalize(mean_over_time(left, packing), dim=-1).unbind(-1)
            angle = torch.stack([cosine, sine, 1 - 2 * sine**2, 2 * sine * cosine], dim=-1)
            return self._describe(points, side, flip, packing), angle

    def _describe(self, points: Tensor, side: Tensor, flip: Tensor, packing: Packing | None) -> Tensor:
        windows, mean = _windows(points, packing), mean_over_time(points, packing)
        points = points.flatten(0, 1)[windows.frames]
        mirrored = points[..., flip, :] * self.mirror
        motions = torch.stack([points - mirrored, points + mirrored], dim=1).flatten(3)  # opposite, shared
        # Where a window has no frame, its waves are 0.
        waves, energy = self.waves[windows.length], self.energy[windows.length]
        products = (waves @ motions).view(*energy.shape, -1)  # [w, 4, periods, K·3]
        best = (products.square().sum(-1) / energy).sum(1).argmax(-1)
        chosen = torch.arange(best.shape[0], device=best.device), slice(None), best
        amplitudes = (products[chosen] / energy[chosen][..., None]).unflatten(2, (-1, 3)).unflatten(1, (2, 2))
        # Legs and arms swing against each other, above and below the centre.
        lever = (side * mean[..., 1])[windows.owner]
        cosine, sine = (lever[:, None] * amplitudes[:, 0, ..., 2]).sum(-1).unbind(1)
        turned = torch.stack(_turn(amplitudes, torch.atan2(sine, cosine)), dim=2).flatten(1)
        parts = windows.share @ torch.cat([turned, self.periods[best, None]], dim=1)
        return torch.cat([mean.flatten(1), parts], dim=1)


def body_frame(markers: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
    """Markers from crop space into the body's own frame.

    Args:
        markers: ``[..., K, 3]``, crop space: x right, y down, z away from the camera.
        side: ``[K]``, 1 for markers on the body's left, -1 on its right, 0 between. Where there are none on either
            side, nothing is turned.

    Returns:
        ``[..., K, 3]`` around their centre, x to the body's left, y down, z backward; and the body's left in x and z of
        crop space, ``[..., 2]``, length 1.
    """
    markers = markers - markers.mean(-2, keepdim=True)
    left = (side[:, None] * markers).sum(-2)
    # Added, so that a body without sides or seen edge-on still has a direction.
    left = F.normalize(torch.stack([left[..., 0] + 1e-6, left[..., 2]], dim=-1), dim=-1)
    cosine, sine = left[..., :1], left[..., 1:]
    x, y, z = markers.unbind(-1)
    return torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], dim=-1), left


@dataclass(frozen=True)
class _Windows:
    """The windows into which sequences are cut, evenly.

    Attributes:
        owner: the sequence of each window, int64 ``[w]``.
        length: its frames, int64 ``[w]``.
        frames: their places among those of all sequences, and any behind them, int64 ``[w, 32]``.
        share: of its sequence's frames, for the sequence that has it, else 0, ``[n, w]``.
    """

    owner: Tensor
    length: Tensor
    frames: Tensor
    share: Tensor


def _windows(points: Tensor, packing: Packing | None) -> _Windows:
    """For ``points [n, s, K, 3]``, or packed ``[1, sum of lengths, K, 3]``."""
    sequences, frames = points.shape[:2]
    device = points.device
    if packing is None:
        number, length = (frames + _WINDOW - 1) // _WINDOW, frames
        windows = torch.arange(sequences * number, device=device)
        owner = windows // number
        within = windows - owner * number  # the ONNX exporter cannot translate a remainder of a size that varies
        first = owner * length
    else:
        sequences = len(packing.lengths)
        needed = (packing.lengths + _WINDOW - 1) // _WINDOW
        owner, within = share_out(needed, (frames + (_WINDOW - 1) * sequences) // _WINDOW)
        # Windows that no sequence needs are behind the last one's last.
        number, length, first = torch.stack([needed, packing.lengths, packing.start])[:, owner].unbind()
    # Frame i of the sequence belongs to window number · i / length, rounded down.
    borders = (torch.stack([within, within + 1]) * length + (number - 1)) // number
    begin, end = (torch.minimum(borders, length) if isinstance(length, Tensor) else borders).unbind()
    count = end - begin
    slots = torch.arange(_WINDOW, device=device)
    places = ((first + begin)[:, None] + slots).clamp(max=points.shape[0] * frames - 1)
    own = owner == torch.arange(sequences, device=device)[:, None]
    return _Windows(owner, count, places, own * (count / length).to(points.dtype))


def _waves(periods: Tensor) -> Tensor:
    """Cosine and sine of the first harmonic, then of the second, ``[33, 4, periods, 32]``, for windows of 0 to 32
    frames; time 0 is the middle of the window, and behind its frames there are zeros."""
    slots, count = torch.arange(_WINDOW), torch.arange(_WINDOW + 1)[:, None, None]
    held = (slots < count).float()
    angle = 2 * torch.pi * (slots - (count - 1) / 2) / periods[:, None]
    # A window's mean is no motion. Sines have none, around the middle of the window.
    second = (2 * angle).cos()
    second = second - (second * held).sum(-1, keepdim=True) / held.sum(-1, keepdim=True).clamp(min=1)
    return torch.stack([angle.cos(), angle.sin(), second, (2 * angle).sin()], dim=1) * held[:, None]


def _turn(amplitudes: Tensor, phase: Tensor) -> list[Tensor]:
    """Amplitudes ``[w, harmonics, 2, K, 3]`` of the same motions when time begins at ``phase [w]``: cosine, sine."""
    cosine, sine = amplitudes.unbind(2)
    phase = torch.stack([phase, 2 * phase], dim=1)[..., None, None]
    c, s = phase.cos(), phase.sin()
    return [cosine * c + sine * s, sine * c - cosine * s]
