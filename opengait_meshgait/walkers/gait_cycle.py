"""The cycle of a gait as one vector: Fourier coefficients of all joints' rotations, and the stride's duration."""

from dataclasses import dataclass

import numpy as np

from opengait_meshgait.body.layout import JOINT_FLIP, NUM_JOINTS
from opengait_meshgait.walkers.bones import matrices, rotation_vectors, shortest_turns, turn
from opengait_meshgait.walkers.contact import ankle_ways
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, Motion
from opengait_meshgait.walkers.stride import REFERENCE_LEG

GAIT_JOINTS = tuple(joint for joint in range(NUM_JOINTS) if joint not in (10, 11, 22, 23))
"""All but toes and hands: toes follow from the feet, hands from the wrists."""
HARMONICS = 5
"""Of the stride. The fifth still lowers the error in another stride of the same walk, the sixth hardly does."""
WAVES = 1 + 2 * HARMONICS
CYCLE_LENGTH = WAVES * len(GAIT_JOINTS) * 3 + 1
"""Numbers of a vector: coefficients of rotation vectors, rad, [WAVES, joints, 3], and the log of the duration, s."""
_FLIP = [GAIT_JOINTS.index(JOINT_FLIP[joint]) for joint in GAIT_JOINTS]
# Limbs that bend at a hinge: upper bone, lower bone and what follows; the direction of the bones in the rest pose, and
# that into which the lower one bends.
_HINGES = [
    ([GAIT_JOINTS.index(joint) for joint in chain], np.array(bone), np.array(way))
    for chain, bone, way in (
        ((1, 4, 7), (0.0, -1, 0), (0.0, 0, -1)),
        ((2, 5, 8), (0.0, -1, 0), (0.0, 0, -1)),
        ((16, 18, 20), (1.0, 0, 0), (0.0, 0, 1)),
        ((17, 19, 21), (-1.0, 0, 0), (0.0, 0, 1)),
    )
]
_HARDLY_BENT = 0.1  # sine of the bend
_WINDOW = 2.0  # strides: enough to see what repeats
_RATES = np.linspace(0.85, 1.15, 61)  # candidates for the beat of a window over that of the whole walk


@dataclass(frozen=True)
class Cycle:
    """About two strides of a walk, straightened.

    Attributes:
        phase: of each frame, strides; 0 is the left heel's strike, [T].
        rotations: of :data:`GAIT_JOINTS` against their parents, the pelvis against the direction of the walk,
            [T, 20, 3, 3].
        duration: of a stride, s, scaled to a leg of 0.85 m.
    """

    phase: np.ndarray
    rotations: np.ndarray
    duration: float

    def vector(self, reference: np.ndarray) -> np.ndarray:
        """The cycle [CYCLE_LENGTH]; rotations count from those of ``reference`` [20, 3, 3]."""
        away = rotation_vectors(reference.swapaxes(-1, -2) @ self.rotations).reshape(len(self.phase), -1)
        coefficients = np.linalg.lstsq(stride_waves(self.phase), away, rcond=None)[0]
        return np.append(coefficients.ravel(), np.log(self.duration))


def stride_waves(phase: np.ndarray, harmonics: int = HARMONICS) -> np.ndarray:
    """1, the cosines and the sines of the harmonics at ``phase`` [T], in strides: [T, 1 + 2 harmonics]."""
    cycle = 2 * np.pi * np.arange(1, harmonics + 1) * phase[:, None]
    return np.concatenate([np.ones((len(phase), 1)), np.cos(cycle), np.sin(cycle)], 1)


def mirror_vectors(vectors: np.ndarray) -> np.ndarray:
    """The cycles [..., CYCLE_LENGTH] of a walker's mirror image, whose left heel strikes half a stride later."""
    harmonic = np.concatenate([[0], *[np.arange(1, HARMONICS + 1)] * 2])
    signs = (-1.0) ** harmonic[:, None, None] * [1, -1, -1]
    turned = vectors[..., :-1].reshape(*vectors.shape[:-1], WAVES, len(GAIT_JOINTS), 3)[..., _FLIP, :] * signs
    return np.concatenate([turned.reshape(*vectors.shape[:-1], -1), vectors[..., -1:]], -1)


def mirror_rotations(rotations: np.ndarray) -> np.ndarray:
    """Rotations of :data:`GAIT_JOINTS` [..., 20, 3, 3] of a walker's mirror image."""
    across = np.diag([-1.0, 1, 1])
    return across @ rotations[..., _FLIP, :, :] @ across


def cut_cycles(motion: Motion, joints: np.ndarray, parents: tuple[int, ...], leg: float) -> list[Cycle]:
    """Windows of two strides of a walk, each a stride after the one before; a shorter walk is one window.

    A turn of the whole body in the course of a window is taken out of it, so that turning walks have cycles too.

    Args:
        motion: of at least a stride.
        joints: of the body that moved, in the rest pose, m, [24, 3].
        parents: of the joints.
        leg: length of the walker's leg from hip to ankle, m.
    """
    local = motion.local(parents)
    ankles = ankle_ways(motion.pelvis, motion.world, joints)
    rate = np.polyfit(np.arange(len(motion.phase)), motion.phase, 1)[0]
    length = min(len(motion.phase), round(_WINDOW / rate) + 1)
    left = len(motion.phase) - length
    starts = np.linspace(0, left, round(left * rate) + 1).round().astype(int)
    return [
        _cycle(local[part], motion.pelvis[part], (ankles[0] - ankles[1])[part], rate, leg)
        for part in (slice(start, start + length) for start in starts)
    ]


def _cycle(local: np.ndarray, pelvis: np.ndarray, apart: np.ndarray, rate: float, leg: float) -> Cycle:
    """One window; ``apart`` is the left ankle from the right one, [T, 3], ``rate`` the usual beat, strides a frame."""
    time = np.arange(len(local)) - (len(local) - 1) / 2
    angles = rotation_vectors(local[:, GAIT_JOINTS[1:]]).reshape(len(time), -1)
    errors = [_misfit(stride_waves(candidate * time), angles) for candidate in rate * _RATES]
    beat = float(rate * _RATES[np.argmin(errors)])
    straight = turn("Y", -_heading_trend(local[:, 0], pelvis, beat * time))
    ahead = (straight @ apart[..., None])[:, 2, 0]
    _, cosine, sine = np.linalg.lstsq(stride_waves(beat * time, 1), ahead, rcond=None)[0]
    phase = beat * time - np.arctan2(sine, cosine) / (2 * np.pi)
    rotations = local[:, GAIT_JOINTS].copy()
    rotations[:, 0] = straight @ local[:, 0]
    for chain, bone, way in _HINGES:
        _untwist(rotations, chain, bone, way)
    return Cycle(phase, rotations, np.sqrt(REFERENCE_LEG / leg) / (beat * FRAMES_PER_SECOND))


def _heading_trend(pelvis: np.ndarray, way: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """Direction in which a person walks, rad, [T]: that of the way, turning as the pelvis [T, 3, 3] does on average."""
    yaw = np.unwrap(np.arctan2(pelvis[:, 0, 2], pelvis[:, 2, 2]))
    trend = np.stack([strides, strides**2], 1)
    fitted = np.linalg.lstsq(np.concatenate([stride_waves(strides), trend], 1), yaw, rcond=None)[0]
    turned = trend @ fitted[-2:]
    step = (turn("Y", -turned[:-1]) @ np.diff(way, axis=0)[..., None]).sum(0)[:, 0]
    return turned + np.arctan2(step[0], step[2])


def _misfit(waves: np.ndarray, values: np.ndarray) -> float:
    """Mean square of what ``waves`` leave of ``values`` [T, N]."""
    return float(((values - waves @ np.linalg.lstsq(waves, values, rcond=None)[0]) ** 2).mean())


def _untwist(rotations: np.ndarray, chain: list[int], bone: np.ndarray, way: np.ndarray) -> None:
    """Twist a limb's bones about themselves, all frames alike, until the lower one bends into direction ``way``.

    Skeletons differ in how they attribute twist to bones. Nothing but twist changes, and nothing of the last joint in
    the world. A limb that is nearly straight keeps its twist, for it does not show a way.
    """
    upper, lower, last = chain
    bent = (rotations[:, lower] @ bone).mean(0)
    bent -= bent @ bone * bone
    sure = bent @ bent / (bent @ bent + _HARDLY_BENT**2)
    twist = matrices(sure * rotation_vectors(shortest_turns(bent, way)))
    rotations[:, upper] = rotations[:, upper] @ twist.T
    rotations[:, lower] = twist @ rotations[:, lower] @ twist.T
    rotations[:, last] = twist @ rotations[:, last]
