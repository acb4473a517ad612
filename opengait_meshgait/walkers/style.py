"""What makes one person's gait differ from another's."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.walkers.bones import matrices

# Sagittal angles of the leg over one stride, degrees, as a mean and five harmonics (cosine, sine, cosine, …); phase 0
# is the heel strike of the same leg. Least-squares fits to the natural-cadence means of D. A. Winter, "The Biomechanics
# and Motor Control of Human Gait" (1991). The table reached us second-hand and not from the book, so take these as
# curves of Winter's kind and not as his data.
_CURVES = {
    "hip": (6.99, 15.37, -4.40, -2.83, -1.27, -0.30, 1.54, -0.01, -0.23, -0.26, 0.18),
    "knee": (24.77, -3.88, -19.94, -15.38, 8.63, -1.12, 4.99, -1.16, 0.72, -0.44, 1.00),
    "ankle": (-0.47, -0.59, 7.97, 1.74, -6.59, -3.69, 0.24, 1.98, 0.09, 0.40, -1.15),
}
# How much each curve's mean (degrees) and amplitude (relative) differ between people.
_CURVE_SPREAD = {"hip": (2.5, 0.08), "knee": (2.5, 0.07), "ankle": (2.0, 0.12)}
_HARMONIC_SPREAD = 0.3  # degrees, of each coefficient on its own

# Standard deviations between people at variety 1, degrees about each axis: how joints are held, how they swing.
_HABIT_SPREAD = {
    **dict.fromkeys(("spine1", "spine2", "spine3"), (2.0, 1.0)),
    **dict.fromkeys(("neck", "head"), (3.0, 0.7)),
    **dict.fromkeys(("left_collar", "right_collar"), (3.0, 1.4)),
    **dict.fromkeys(("left_shoulder", "right_shoulder"), (6.0, 2.0)),
}
_HELD, _SWUNG = np.deg2rad([_HABIT_SPREAD.get(name, (0.0, 0.0)) for name in JOINT_NAMES]).T


def _trait(mean: float, spread: float, low: float, high: float, looser: float = 0.0):
    """A number that is normal over people, cut off at ``low`` and ``high``; at variety 1 ``looser`` times farther."""
    return field(metadata={"mean": mean, "spread": spread, "range": (low, high), "looser": looser})


@dataclass(frozen=True)
class GaitStyle:
    """One person's way of walking. Angles in degrees, lengths in metres, phases in strides.

    Attributes:
        hip, knee, ankle: Fourier coefficients [11] of the leg's sagittal angles, flexion positive.
        speed: m/s for a leg of 0.85 m; others walk at the same Froude number.
        walk_ratio: step length over cadence, m per (step/min), for that leg.
        stance: the part of a stride for which a foot is on the ground.
        heel_off: phase at which the heel begins to rise.
        reach: phase at which the pelvis passes over the planted foot: small means short in front, long behind.
        step_width: between the ankles; toe_out: yaw of the feet; clearance: of the swinging foot over the ground.
        sway: of the pelvis to the stance side; pelvis_yaw, pelvis_list, pelvis_tilt: its rotations.
        lean, slouch: of the trunk; trunk_yaw, trunk_roll: its swing; head: pitch of the head, down positive.
        arm_swing, arm_mean: at the shoulder, forward positive; arm_out: abduction; arm_twist: inward.
        elbow, elbow_swing: flexion; arm_lag: behind the opposite leg; shoulders: height of the shoulders.
        leg_uneven, arm_uneven: left over right, relative; beat_uneven: of the right heel strike from half a stride.
    """

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    speed: float = _trait(1.30, 0.10, 1.05, 1.55, looser=1.5)
    walk_ratio: float = _trait(0.0064, 0.0005, 0.0052, 0.0076)
    stance: float = _trait(0.615, 0.010, 0.595, 0.64)
    heel_off: float = _trait(0.38, 0.03, 0.30, 0.44)
    reach: float = _trait(0.235, 0.010, 0.215, 0.255)
    step_width: float = _trait(0.085, 0.028, 0.02, 0.16)
    toe_out: float = _trait(7.0, 5.0, -6.0, 20.0)
    clearance: float = _trait(0.022, 0.007, 0.012, 0.045)
    sway: float = _trait(0.020, 0.008, 0.004, 0.045)
    pelvis_yaw: float = _trait(5.0, 2.2, 0.5, 11.0)
    pelvis_list: float = _trait(4.0, 1.5, 0.5, 8.0)
    pelvis_tilt: float = _trait(4.0, 3.0, -3.0, 11.0)
    lean: float = _trait(3.0, 3.0, -4.0, 11.0)
    slouch: float = _trait(6.0, 6.0, -4.0, 22.0)
    trunk_yaw: float = _trait(7.0, 3.5, 0.0, 16.0)
    trunk_roll: float = _trait(2.0, 1.5, -1.0, 6.0)
    head: float = _trait(2.0, 6.0, -10.0, 18.0)
    arm_swing: float = _trait(20.0, 8.0, 3.0, 40.0)
    arm_mean: float = _trait(-2.0, 5.0, -14.0, 12.0)
    arm_out: float = _trait(9.0, 4.0, 2.0, 22.0)
    arm_twist: float = _trait(10.0, 10.0, -15.0, 35.0)
    elbow: float = _trait(23.0, 9.0, 5.0, 55.0)
    elbow_swing: float = _trait(11.0, 5.0, 1.0, 26.0)
    arm_lag: float = _trait(0.0, 0.025, -0.06, 0.06)
    shoulders: float = _trait(0.0, 4.0, -8.0, 10.0)
    leg_uneven: float = _trait(0.0, 0.02, -0.05, 0.05)
    arm_uneven: float = _trait(0.0, 0.15, -0.4, 0.4)
    beat_uneven: float = _trait(0.0, 0.006, -0.015, 0.015)

    @classmethod
    def draw(cls, rng: np.random.Generator, variety: float = 0.0) -> "GaitStyle":
        """A new person's style."""
        curves: dict[str, Any] = {name: np.array(curve) for name, curve in _CURVES.items()}
        traits = {trait.name: trait.metadata["mean"] for trait in _traits()}
        return cls(**curves, **traits)._spread(rng, 1.0, variety)

    def vary(self, rng: np.random.Generator, variety: float = 0.0) -> "GaitStyle":
        """The same person's style in another walk."""
        return self._spread(rng, within_person(variety), variety)

    def _spread(self, rng: np.random.Generator, amount: float, variety: float) -> "GaitStyle":
        changed = {}
        for name, (offset, gain) in _CURVE_SPREAD.items():
            curve = getattr(self, name) + rng.normal(0, _HARMONIC_SPREAD * amount, 11)
            curve[1:] *= np.exp(rng.normal(0, gain * amount))
            curve[0] += rng.normal(0, offset * amount)
            changed[name] = curve
        for trait in _traits():
            mean, spread, (low, high) = (trait.metadata[key] for key in ("mean", "spread", "range"))
            wider = variety * trait.metadata["looser"]
            value = getattr(self, trait.name) + rng.normal(0, spread * (1 + wider) * amount)
            changed[trait.name] = float(np.clip(value, low - wider * (mean - low), high + wider * (high - mean)))
        return replace(self, **changed)


@dataclass(frozen=True)
class Habits:
    """How a person holds and swings trunk, head and arms, beside the style of gait: rotations added to its own.

    Attributes:
        turns: rotation vectors, rad, [3, 24, 3]: held all the time, and times cosine and sine of the stride.
    """

    turns: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, variety: float) -> "Habits":
        """A new person's; none at 0."""
        return cls(np.zeros((3, len(JOINT_NAMES), 3)))._spread(rng, variety)

    def vary(self, rng: np.random.Generator, variety: float) -> "Habits":
        """The same person's in another walk."""
        return self._spread(rng, within_person(variety) * variety)

    def at(self, phase: np.ndarray) -> np.ndarray:
        """Rotation matrices at phases [T], in strides: [T, 24, 3, 3]."""
        cycle = 2 * np.pi * phase
        waves = np.stack([np.ones_like(cycle), np.cos(cycle), np.sin(cycle)], 1)
        return matrices(np.einsum("tw,wjc->tjc", waves, self.turns))

    def _spread(self, rng: np.random.Generator, amount: float) -> "Habits":
        spread = amount * np.stack([_HELD, _SWUNG, _SWUNG])[..., None]
        return Habits(self.turns + spread * rng.normal(size=self.turns.shape))


def within_person(variety: float) -> float:
    """Of the spread between people, what is left between two walks of one person."""
    return 0.15 + 0.35 * variety


def _traits() -> list:
    return [entry for entry in fields(GaitStyle) if entry.metadata]


def curve_at(coefficients: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """A Fourier curve at ``phase``, in the unit of its coefficients."""
    harmonic = 2 * np.pi * np.arange(1, len(coefficients) // 2 + 1) * phase[..., None]
    return coefficients[0] + np.cos(harmonic) @ coefficients[1::2] + np.sin(harmonic) @ coefficients[2::2]
