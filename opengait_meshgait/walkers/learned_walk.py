"""A walk in a learned gait: rotations from the model, the way of the pelvis from the feet on the ground."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from opengait_meshgait.body.layout import JOINT_NAMES, NUM_JOINTS
from opengait_meshgait.walkers.bones import Foot, matrices, rotation_vectors, turn
from opengait_meshgait.walkers.contact import lift_feet, stand_on_ground
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, Burden, Motion
from opengait_meshgait.walkers.gait_cycle import GAIT_JOINTS, WAVES, stride_waves
from opengait_meshgait.walkers.gait_model import LearnedGait, WalkingModel, draw_normal
from opengait_meshgait.walkers.retarget import JOINT_NUMBERS, leg_length, walking_direction
from opengait_meshgait.walkers.stride import LEG_JOINTS, REFERENCE_LEG, SIDES, bend_toes

_AT = {JOINT_NAMES[joint]: place for place, joint in enumerate(GAIT_JOINTS)}
_ARMS = [[_AT[f"{side}_{joint}"] for joint in ("collar", "shoulder", "elbow")] for side in ("left", "right")]
_HINGES = [_AT[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "elbow")]
_LEANING = {"spine1": 1 / 3, "spine2": 1 / 3, "spine3": 1 / 3, "neck": -1 / 2, "head": -1 / 2}  # the face stays ahead
_STRAIGHTEST = np.deg2rad(2.0)  # flexion of knees and elbows
_STANDING_KNEE = np.deg2rad(4.0)
_MEMORY = 0.5  # correlation of one stride's deviation with the next one's
_FADE = 1.0  # s, between standing and walking


def walk_learned(
    gait: LearnedGait,
    joints: np.ndarray,
    parents: tuple[int, ...],
    feet: tuple[Foot, Foot],
    frames: int,
    rng: np.random.Generator,
    burden: Burden | None = None,
    stop: float = 0.0,
) -> Motion:
    """Walk ``frames`` frames of 1/25 s, straight ahead.

    Args:
        gait: of this walk.
        joints: of the body in the rest pose, m, [24, 3].
        parents: of the joints.
        feet: left and right.
        frames: T.
        rng: draws where in the stride the walk begins, how strides differ and whether it stops.
        burden: what is carried or worn.
        stop: probability that the person stands at first and begins to walk, or walks and comes to stand.
    """
    pace = _pace(frames, rng, stop)
    vectors = _strides(gait, frames, rng)
    duration = np.exp(vectors[:, -1]) * np.sqrt(leg_length(joints, JOINT_NUMBERS) / REFERENCE_LEG)
    phase = rng.random() + np.cumsum(pace / duration) / FRAMES_PER_SECOND
    coefficients = vectors[:, :-1].reshape(frames, WAVES, len(GAIT_JOINTS), 3)
    local = _rotations(gait.model, coefficients, phase, pace, burden or Burden())
    world = np.empty((frames, NUM_JOINTS, 3, 3))
    world[:, 0] = local[:, 0]
    for joint, parent in enumerate(parents[1:], start=1):
        world[:, joint] = world[:, parent]
        if joint in GAIT_JOINTS:  # hands go with the wrists
            world[:, joint] = world[:, parent] @ local[:, GAIT_JOINTS.index(joint)]
    for *_, ankle, toe in LEG_JOINTS.values():
        world[:, toe] = bend_toes(world[:, ankle])
    pelvis = stand_on_ground(world, joints, feet)
    world = lift_feet(pelvis, world, joints, feet)
    ahead = turn("Y", -walking_direction(pelvis, world[:, 0]))[0]
    pelvis = pelvis @ ahead.T
    return Motion(phase, pelvis - pelvis.mean(0) * [1, 0, 1], ahead @ world)


def _pace(frames: int, rng: np.random.Generator, stop: float) -> np.ndarray:
    """0 while the person stands, 1 while it walks, [T]."""
    if rng.random() >= stop:
        return np.ones(frames)
    last = (frames - 1) / FRAMES_PER_SECOND
    stands = rng.uniform(0, max(last - _FADE, 0))
    t = np.clip((np.arange(frames) / FRAMES_PER_SECOND - stands) / _FADE, 0, 1)
    pace = t * t * (3 - 2 * t)
    return pace if rng.random() < 0.5 else pace[::-1]


def _strides(gait: LearnedGait, frames: int, rng: np.random.Generator) -> np.ndarray:
    """The gait's vector at each frame, [T, D]: it wavers from stride to stride."""
    model = gait.model
    strides = np.arange(frames) / FRAMES_PER_SECOND / np.exp(gait.vector[-1])
    deviations = [draw_normal(rng, len(model.within))]
    for _ in range(int(np.ceil(strides[-1])) + 1):
        new = draw_normal(rng, len(model.within))
        deviations.append(_MEMORY * deviations[-1] + np.sqrt(1 - _MEMORY**2) * new)
    now = PchipInterpolator(np.arange(len(deviations)), deviations)(strides)
    return gait.vector + model.waver * now @ model.within


def _rotations(
    model: WalkingModel, coefficients: np.ndarray, phase: np.ndarray, pace: np.ndarray, burden: Burden
) -> np.ndarray:
    """Of the modelled joints against their parents, [T, 20, 3, 3], from coefficients [T, WAVES, 20, 3]."""
    swing = np.ones(len(GAIT_JOINTS))
    for arm, factor in zip(_ARMS, burden.arm_swing):
        swing[arm] = factor
    held = coefficients[:, 0].copy()
    for joint, standing in _standing_legs(model, held[:, 0]).items():
        held[:, joint] += (1 - pace[:, None]) * (standing - held[:, joint])
    waves = pace[:, None] * stride_waves(phase)[:, 1:]
    away = held + np.einsum("tw,twjc->tjc", waves, coefficients[:, 1:]) * swing[:, None]
    turned = _bent(model, model.reference @ matrices(away))
    lean = np.deg2rad(burden.lean)
    for joint, share in _LEANING.items():
        turned[:, _AT[joint]] = turn("X", share * lean) @ turned[:, _AT[joint]]
    for (_, shoulder, _), side, out in zip(_ARMS, SIDES, burden.arm_out):
        turned[:, shoulder] = turn("Z", side * np.deg2rad(out)) @ turned[:, shoulder]
    return turned


def _standing_legs(model: WalkingModel, pelvis: np.ndarray) -> dict[int, np.ndarray]:
    """Rotation vectors [T, 3] of the leg's joints when they stand under a pelvis held so, [T, 3]."""
    level = (model.reference[0] @ matrices(pelvis)).swapaxes(-1, -2)
    legs = {}
    for side in ("left", "right"):
        hip, knee, ankle = (_AT[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        half = turn("X", -_STANDING_KNEE / 2)
        for joint, rotation in ((hip, level @ half), (knee, turn("X", _STANDING_KNEE)), (ankle, half)):
            legs[joint] = rotation_vectors(model.reference[joint].T @ rotation)
    return legs


def _bent(model: WalkingModel, turned: np.ndarray) -> np.ndarray:
    """Rotations [T, 20, 3, 3] with knees and elbows bent a little at least, and the way they bend on average."""
    vectors = rotation_vectors(turned[:, _HINGES])
    axes = rotation_vectors(model.reference[_HINGES])
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    missing = np.maximum(_STRAIGHTEST - (vectors * axes).sum(-1, keepdims=True), 0)
    turned[:, _HINGES] = matrices(vectors + missing * axes)
    return turned
