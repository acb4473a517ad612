"""The gait descriptor: build and stride of a person, and the viewing angle, from virtual markers."""

import torch
import torch.nn.functional as F
from torch import Tensor

from opengait_meshgait.networks.layers import pool_sequences

# Strides, in frames: at 25 frames/s, 0.8 to 1.44 s.
_PERIODS = torch.arange(20, 36.5, 0.5)
# Within so many frames a walker is taken to keep the beat.
_WINDOW = 32
# Frames' worth of no motion that each amplitude is drawn towards, so that a few frames make no wild ones.
_RIDGE = 1.0
ANGLE_TERMS = 4
"""Functions of the angle that :func:`viewing_angle` gives."""


def descriptor_size(markers: int) -> int:
    """Numbers that :func:`gait_descriptor` gives for so many markers."""
    return 15 * markers + 1


def viewing_angle(markers: Tensor, side: Tensor, seqL: Tensor | None = None) -> Tensor:
    """The angle from which the camera sees the body, on average over a sequence.

    Args:
        markers: ``[n, s, K, 3]``, crop space, or packed ``[1, sum of lengths, K, 3]``.
        side: ``[K]``, 1 for markers on the body's left, -1 on its right, 0 between.
        seqL: int ``[1, n]``, lengths of the packed sequences.

    Returns:
        cos a, sin a, cos 2a and sin 2a of the angle a from the picture's right to the body's left, ``[n, 4]``, float32.
    """
    with torch.autocast(markers.device.type, enabled=False):
        left = F.normalize(pool_sequences(_left(markers.float(), side.float()), seqL, lambda x: x.mean(1)), dim=-1)
        cosine, sine = left.unbind(-1)
        return torch.stack([cosine, sine, cosine**2 - sine**2, 2 * cosine * sine], dim=-1)


def gait_descriptor(markers: Tensor, side: Tensor, flip: Tensor, seqL: Tensor | None = None) -> Tensor:
    """Build and gait of each sequence, in the body's own frame, which does not depend on the camera.

    The body's mean, and its motion as a Fourier series over the stride. Left and right make the same motion half a
    stride apart, so the motion that both sides share has the second harmonic, and the motion in which they are opposite
    has the first: half a stride determines all of it. Phase 0 is where the legs are farthest apart, the left one
    behind.

    Args:
        markers, side, seqL: as for :func:`viewing_angle`, the frames in their order.
        flip: int ``[K]``, the marker on the other side of the body that is each one's mirror image.

    Returns:
        ``[n, 15·K + 1]``, float32: means, then cosine and sine amplitudes of the first and of the second harmonic, each
        ``[K, 3]`` in crop heights; the period of a stride in hundreds of frames.
    """
    with torch.autocast(markers.device.type, enabled=False):
        side = side.float()
        points = body_frame(markers.float(), side)
        return pool_sequences(points, seqL, lambda sequence: _over_strides(sequence, side, flip))


def body_frame(markers: Tensor, side: Tensor) -> Tensor:
    """Markers from crop space into the body's own frame.

    Args:
        markers: ``[..., K, 3]``, crop space: x right, y down, z away from the camera.
        side: ``[K]``, 1 for markers on the body's left, -1 on its right, 0 between. Where there are none on either
            side, nothing is turned.

    Returns:
        ``[..., K, 3]`` around their centre, x to the body's left, y down. Its z points backward.
    """
    left = _left(markers, side)
    cosine, sine = left[..., :1], left[..., 1:]
    x, y, z = (markers - markers.mean(-2, keepdim=True)).unbind(-1)
    return torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], dim=-1)


def _left(markers: Tensor, side: Tensor) -> Tensor:
    """The body's left in x and z of crop space, ``[..., 2]``, length 1."""
    left = (side[:, None] * (markers - markers.mean(-2, keepdim=True))).sum(-2)[..., [0, 2]]
    # Added, so that a body without sides or seen edge-on still has a direction.
    return F.normalize(left + left.new_tensor([1e-6, 0.0]), dim=-1)


def _over_strides(points: Tensor, side: Tensor, flip: Tensor) -> Tensor:
    """Sequences ``[n, s, K, 3]`` in the body's frame to their description.

    Every window has its own beat, so that it may change in a long sequence; amplitudes are averaged at equal phase.
    """
    mirrored = points[:, :, flip] * points.new_tensor([-1.0, 1.0, 1.0])
    opposite, shared = ((points - mirrored) / 2).flatten(2), ((points + mirrored) / 2).flatten(2)
    windows, time = _windows(points)
    share = windows / windows.sum(1, keepdim=True)
    periods = _PERIODS.to(points)
    angle = 2 * torch.pi * time / periods[:, None]
    # A window's mean is no motion. Sines have none, around the middle of the window.
    second = (2 * angle).cos()
    waves = [(angle.cos(), opposite), (angle.sin(), opposite)]
    waves += [(second - second @ share.T @ windows, shared), ((2 * angle).sin(), shared)]
    found = [_amplitudes(wave, motion, windows) for wave, motion in waves]
    best = torch.stack([gain for _, gain in found]).sum(0).argmax(1, keepdim=True)  # [n, 1, windows]
    amplitudes = [torch.take_along_dim(every, best[..., None], 1)[:, 0].unflatten(2, (-1, 3)) for every, _ in found]
    # Legs and arms swing against each other, above and below the centre.
    lever = (side * points[..., 1].mean(1))[:, None]
    sine, cosine = ((lever * amplitudes[place][..., 2]).sum(-1)[..., None, None] for place in (1, 0))
    phase = torch.atan2(sine, cosine)
    turned = _turn(amplitudes[0], amplitudes[1], phase) + _turn(amplitudes[2], amplitudes[3], 2 * phase)
    weight = windows.mean(1)
    parts = [points.mean(1), *(torch.einsum("w,nwkc->nkc", weight, part) for part in turned)]
    return torch.cat([*(part.flatten(1) for part in parts), periods[best[:, 0]] @ weight[:, None] / 100], dim=1)


def _windows(points: Tensor) -> tuple[Tensor, Tensor]:
    """Which frames are in which window, 1 or 0, ``[windows, s]``; frames since the middle of its window, ``[s]``."""
    frames = torch.arange(points.shape[1], device=points.device)
    number = (points.shape[1] + _WINDOW - 1) // _WINDOW
    windows = torch.arange(number, device=points.device)[:, None] == frames * number // points.shape[1]
    windows, frames = windows.to(points.dtype), frames.to(points.dtype)
    return windows, frames - (windows @ frames / windows.sum(1)) @ windows


def _amplitudes(wave: Tensor, motion: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each wave ``[p, s]`` is in ``motion [n, s, c]``, window by window.

    Returns:
        Amplitudes ``[n, p, w, c]``, and how much of the motion they explain ``[n, p, w]``.
    """
    waves = wave[:, None] * windows
    energy = waves.square().sum(-1) + _RIDGE
    products = (waves.flatten(0, 1) @ motion).unflatten(1, energy.shape)
    return products / energy[..., None], products.square().sum(-1) / energy


def _turn(cosine: Tensor, sine: Tensor, phase: Tensor) -> list[Tensor]:
    """The same motion's amplitudes when time begins at ``phase``."""
    return [cosine * phase.cos() + sine * phase.sin(), sine * phase.cos() - cosine * phase.sin()]
