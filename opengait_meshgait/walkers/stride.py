"""One stride: where the pelvis and the feet are at each phase of it, with the feet planted on the ground.

Everything is worked out once for a walk, on the grid :data:`PHASES`, as seen from a belt that moves at the walker's
mean speed. Phase 0 is the left foot's heel strike; a leg's own phase 0 is that of its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from opengait_meshgait.walkers.bones import PHASES, Foot, turn
from opengait_meshgait.walkers.style import GaitStyle, curve_at

SIDES = (1, -1)
"""Left and right, as the sign of x."""
LEG_JOINTS = {1: (1, 4, 7, 10), -1: (2, 5, 8, 11)}
"""Hip, knee, ankle and toe joint of each side."""
REFERENCE_LEG = 0.85
"""m. Speed and walk ratio of a style, and durations of learned strides, are for this leg."""
_MID_STANCE = (PHASES > 0.15) & (PHASES < 0.35)  # the foot is flat
TOE_RANGE = 0.6
"""How far the toes bend, rad."""
_STRAIGHTEST = np.deg2rad(4.0)  # knee flexion of the straightest leg


@dataclass(frozen=True)
class Stride:
    """Tables of one stride; the first axis of two is left, right.

    Attributes:
        length: m; duration: s.
        height: of the pelvis joint above the ground, m, [N].
        ankle: x, height above the ground, and z from the pelvis's even path, m, [2, N, 3].
        pitch: of the feet, toes up positive, rad, [2, N].
        flexion: of the toes, rad, [2, N].
    """

    length: float
    duration: float
    height: np.ndarray
    ankle: np.ndarray
    pitch: np.ndarray
    flexion: np.ndarray


def pelvis_rotation(style: GaitStyle, phase: np.ndarray) -> np.ndarray:
    """World rotation of the pelvis, [T, 3, 3]. The side whose heel strikes is in front, then the higher one."""
    cycle = 2 * np.pi * phase
    yaw = -np.deg2rad(style.pelvis_yaw) * np.cos(cycle)
    roll = np.deg2rad(style.pelvis_list) * np.sin(cycle + 0.5)
    tilt = np.deg2rad(style.pelvis_tilt + 1.2 * np.cos(2 * cycle))
    return turn("YZX", yaw, roll, tilt)


def pelvis_sway(style: GaitStyle, phase: np.ndarray) -> np.ndarray:
    """How far the pelvis is to the left, m: over the left foot in the middle of its stance."""
    return style.sway * np.sin(2 * np.pi * (phase - 0.05))


def leg_phase(style: GaitStyle, side: int, phase: np.ndarray) -> np.ndarray:
    """A leg's own phase, 0 … 1."""
    return np.mod(phase if side > 0 else phase + 0.5 + style.beat_uneven, 1)


def at(table: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """A periodic table [N] or [N, 3] at ``phase``."""
    columns = [np.interp(phase, PHASES, column, period=1) for column in np.atleast_2d(table.T)]
    return np.stack(columns, -1) if table.ndim > 1 else columns[0]


def make_foot(dressed: np.ndarray, weights: np.ndarray, joints: np.ndarray, side: int) -> Foot:
    """The foot of a body with vertices ``dressed`` [V, 3] and joints [24, 3] in the rest pose, weights [V, 24]."""
    *_, ankle, toe = LEG_JOINTS[side]
    share = weights[:, [ankle, toe]].sum(1)
    low = (share > 0.9) & (dressed[:, 1] < joints[ankle, 1] - 0.02)
    return Foot(dressed[low] - joints[ankle], joints[toe] - joints[ankle], weights[low, toe] / share[low])


def bend_toes(foot: np.ndarray) -> np.ndarray:
    """World rotations of the toes, [T, 3, 3], of a foot turned so: they stay on the ground while the heel is up."""
    heel_up = np.maximum(-np.arcsin(np.clip(foot[:, 1, 2], -1, 1)), 0)
    return foot @ turn("X", -TOE_RANGE * np.tanh(heel_up / TOE_RANGE))


def make_stride(style: GaitStyle, joints: np.ndarray, feet: tuple[Foot, Foot]) -> Stride:
    """Work out a stride of a body with these joints in the rest pose, m, [24, 3], and feet, left and right."""
    legs = [_Leg(style, side, joints, foot) for side, foot in zip(SIDES, feet)]
    length, duration = _pace(style, legs[0].upper + legs[0].lower)
    for leg in legs:
        leg.plant(style, length)
    height = _pelvis_height(style, legs)
    for leg in legs:
        leg.swing(style, height)
    height -= max(0.0, *(leg.overreach(height) for leg in legs))
    # From the leg's own phase to the common one.
    own = [leg_phase(style, leg.side, PHASES) for leg in legs]
    ankle, pitch, flexion = (
        np.stack([at(getattr(leg, name), phase) for leg, phase in zip(legs, own)])
        for name in ("ankle", "pitch", "flexion")
    )
    return Stride(length, duration, height, ankle, pitch, flexion)


def _pace(style: GaitStyle, leg: float | np.floating) -> tuple[float, float]:
    """Length, m, and duration, s, of a stride: speed scales with the root of the leg's length, the ratio with it."""
    speed = style.speed * np.sqrt(leg / REFERENCE_LEG)
    step = np.sqrt(60 * speed * style.walk_ratio * leg / REFERENCE_LEG)
    return 2 * step, 2 * step / speed


class _Leg:
    """One leg over its own stride: all tables are on the grid of its own phase."""

    def __init__(self, style: GaitStyle, side: int, joints: np.ndarray, foot: Foot):
        hip, knee, ankle, _ = LEG_JOINTS[side]
        self.side = side
        self.upper = np.linalg.norm(joints[knee] - joints[hip])
        self.lower = np.linalg.norm(joints[ankle] - joints[knee])
        # The pelvis's phase at each phase of the leg.
        self.common = PHASES if side > 0 else np.mod(PHASES - 0.5 - style.beat_uneven, 1)
        self.hip = pelvis_rotation(style, self.common) @ (joints[hip] - joints[0])
        self.hip[:, 0] += pelvis_sway(style, self.common)
        uneven = 1 + side * style.leg_uneven
        angles = {}
        for name in ("hip", "knee", "ankle"):
            curve = getattr(style, name)
            angles[name] = np.deg2rad(curve[0] + uneven * (curve_at(curve, PHASES) - curve[0]))
        self.thigh, self.knee = angles["hip"], np.maximum(angles["knee"], _STRAIGHTEST)
        flat = _ramp(PHASES, 0.01, 0.08) - _ramp(PHASES, style.heel_off, style.heel_off + 0.12)
        pitch = self.thigh - angles["knee"] + angles["ankle"]
        self.pitch = (pitch - pitch[_MID_STANCE].mean()) * (1 - flat)
        # While the heel rises the toes stay on the ground as far as they bend; in the air they straighten again.
        released = _ramp(PHASES, style.stance - 0.02, style.stance + 0.12)
        self.flexion = TOE_RANGE * np.tanh(np.maximum(-self.pitch, 0) / TOE_RANGE) * (1 - released)
        self.ground, self.roll = foot.height_and_roll(self.pitch, self.flexion)
        self.toe_off = int(style.stance * len(PHASES))
        self.ankle = np.zeros((len(PHASES), 3))

    def plant(self, style: GaitStyle, length: float) -> None:
        """The ankle over a planted foot: on the belt it moves back evenly, but for what the foot rolls."""
        yaw = np.deg2rad(style.toe_out) * self.side
        roll = self.roll - self.roll[len(PHASES) // 5]
        self.ankle[:, 0] = self.side * style.step_width / 2 + roll * np.sin(yaw)
        self.ankle[:, 1] = self.ground
        since_strike = np.where(PHASES < 0.9, PHASES, PHASES - 1)
        self.ankle[:, 2] = length * (style.reach - since_strike) + roll * np.cos(yaw)

    def wanted_height(self) -> np.ndarray:
        """Height of the pelvis that gives the knee of a planted leg its angle, m, [N]."""
        return self._height_over_ankle(self.knee)

    def overreach(self, height: np.ndarray) -> float:
        """How far the pelvis is too high for the straightest planted leg, m."""
        planted = slice(self.toe_off + 1)
        return float((at(height, self.common) - self._height_over_ankle(np.array(_STRAIGHTEST)))[planted].max())

    def _height_over_ankle(self, knee: np.ndarray) -> np.ndarray:
        square = self.upper**2 + self.lower**2 + 2 * self.upper * self.lower * np.cos(knee)
        across = self.ankle[:, [0, 2]] - self.hip[:, [0, 2]]
        rise = np.sqrt(np.maximum(square - (across**2).sum(1), 0.01))
        return self.ankle[:, 1] + rise - self.hip[:, 1]

    def swing(self, style: GaitStyle, height: np.ndarray) -> None:
        """The ankle between toe-off and heel strike: as the leg's angles say, bent to join the planted ends."""
        shank = self.thigh - self.knee
        down = self.upper * np.cos(self.thigh) + self.lower * np.cos(shank)
        ahead = self.upper * np.sin(self.thigh) + self.lower * np.sin(shank)
        free = self.ankle.copy()
        free[:, 1] = at(height, self.common) + self.hip[:, 1] - down
        free[:, 2] = self.hip[:, 2] + ahead
        gap = self.ankle - free
        first, last = self.toe_off, len(PHASES)
        # Feet meet the ground with some speed left: half of it is the most that does not overshoot.
        slopes = [gap[first] - gap[first - 1], (gap[1] - gap[0]) / 2]
        bridge = CubicHermiteSpline([first, last], gap[[first, 0]], slopes)
        self.ankle[first:] = free[first:] + bridge(np.arange(first, last))
        progress = (np.arange(first, last) - first) / (last - first)
        lift = self.ground[first:] + style.clearance * np.sin(np.pi * progress) ** 0.7
        self.ankle[first:, 1] = np.maximum(self.ankle[first:, 1], lift)


def _pelvis_height(style: GaitStyle, legs: list[_Leg]) -> np.ndarray:
    """Height over the stride, m, [N]: what the planted legs want, smoothed to four harmonics."""
    wanted, weight = np.zeros(len(PHASES)), np.zeros(len(PHASES))
    for leg in legs:
        phase = leg_phase(style, leg.side, PHASES)
        # The leading leg, near straight at heel strike, has the say over the trailing one, whose knee gives way.
        early = np.mod(phase + 0.03, 1)
        bears = _ramp(early, 0.0, 0.05) - _ramp(early, style.stance - 0.17, style.stance - 0.06)
        wanted += bears * at(leg.wanted_height(), phase)
        weight += bears
    spectrum = np.fft.rfft(wanted / weight)
    spectrum[5:] = 0
    return np.fft.irfft(spectrum, len(PHASES))


def _ramp(phase: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 before ``start``, 1 after ``end``, smooth in between."""
    t = np.clip((phase - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
