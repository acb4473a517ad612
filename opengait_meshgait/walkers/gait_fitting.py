"""Learning a gait model from recordings."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.layout import NUM_BETAS, NUM_JOINTS
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.bones import Foot
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND, walk
from opengait_meshgait.walkers.gait_cycle import Cycle, cut_cycles, mirror_rotations, mirror_vectors
from opengait_meshgait.walkers.gait_model import WalkingModel
from opengait_meshgait.walkers.person import Person
from opengait_meshgait.walkers.recorded import RecordedMotion
from opengait_meshgait.walkers.recorded_people import read_people
from opengait_meshgait.walkers.retarget import JOINT_NUMBERS, leg_length, retarget
from opengait_meshgait.walkers.stride import SIDES, make_foot

BROADEN = 0.3
"""How much of the variance between people is the procedural walkers': some people are like none of those recorded."""
PROCEDURAL_PEOPLE = 150
"""Of whom that share comes."""
_PROCEDURAL_FRAMES = 75
_FACTORS = {"between": 64, "within": 32}
_SHORTEST = 1.2  # strides; a cycle cannot be told from less


def learn_gait(
    collections: Sequence[Iterable[str | Path]], body: BodyModel, broaden: float = BROADEN, person: str | None = None
) -> WalkingModel:
    """The model of the people in these recordings; see :func:`fit_gait`.

    Args:
        collections, person: see :func:`~opengait_meshgait.walkers.recorded_people.read_people`.

    Raises:
        UserError: a file cannot be used, or there are fewer than two people.
    """
    people = read_people(collections, person)
    return fit_gait([motion for walks in people.values() for _, motion in walks], body, broaden)


def fit_gait(recordings: Sequence[RecordedMotion], body: BodyModel, broaden: float = BROADEN) -> WalkingModel:
    """Fit the two Gaussians.

    Every person counts once, and so does his or her mirror image. With few people the covariance between them has few
    directions; so a share of it is the procedural walkers'.

    Args:
        recordings: walks of at least two people.
        body: on which they are fitted.
        broaden: share of the procedural walkers' covariance, 0 … 1.

    Raises:
        UserError: there are fewer than two people, or a walk is too short.
    """
    people: dict[str, list[list[Cycle]]] = defaultdict(list)
    for recording in recordings:
        people[recording.person].append(_recorded_cycles(recording, body))
    if len(people) < 2:
        raise UserError(
            f"The recordings are of {len(people)} people ({', '.join(people)}); at least 2 are needed, to learn how "
            "people differ. The name of a file up to its first _ names the person, unless it holds a subject; --person "
            "says otherwise."
        )
    reference = _mean_rotations([cycle for walks in people.values() for cycles in walks for cycle in cycles])
    walks = [[np.stack([cycle.vector(reference) for cycle in cycles]) for cycles in walks] for walks in people.values()]
    means = np.stack([np.mean([walk.mean(0) for walk in walks], 0) for walks in walks])
    mean = _with_mirrored(means).mean(0)
    covariance = (1 - broaden) * _covariance(means - mean, len(means) - 1)
    if broaden:
        styles = np.stack([cycle.vector(reference) for cycle in _procedural_cycles(body)])
        centre = _with_mirrored(styles).mean(0)
        covariance += broaden * _covariance(styles - centre, len(styles) - 1)
    strides = np.concatenate([walk - walk.mean(0) for walks in walks for walk in walks])
    within = np.concatenate([walk - mean for walks, mean in zip(walks, means) for walk in walks])
    num_walks = sum(map(len, walks))
    changes = _covariance(within, len(within) - len(means))
    wavering = _covariance(strides, len(strides) - num_walks)
    return WalkingModel(
        reference,
        mean,
        _factors(covariance, _FACTORS["between"]),
        _factors(changes, _FACTORS["within"]),
        float(np.sqrt(np.clip(np.trace(wavering) / max(np.trace(changes), 1e-12), 0, 1))),
        tuple({"file": each.file, "sha256": each.sha256, "person": each.person} for each in recordings),
    )


def _recorded_cycles(recording: RecordedMotion, body: BodyModel) -> list[Cycle]:
    frames = recording.length(FRAMES_PER_SECOND)
    joints = _joints(body)
    motion = retarget(recording, joints, _feet(body), frames)
    if np.ptp(motion.phase) < _SHORTEST:
        raise UserError(
            f"{recording.name} holds {np.ptp(motion.phase):.1f} strides, and a gait is learned from {_SHORTEST} or "
            "more. Leave it out."
        )
    leg = leg_length(recording.world()[1][0], recording.skeleton.joints)
    return cut_cycles(motion, joints, body.parents, leg)


def _procedural_cycles(body: BodyModel) -> list[Cycle]:
    """One of each of a crowd of walkers at variety 1."""
    joints, feet = _joints(body), _feet(body)
    leg = leg_length(joints, JOINT_NUMBERS)
    cycles = []
    for number in range(1, PROCEDURAL_PEOPLE + 1):
        person, rng = Person.draw(0, number, variety=1.0), np.random.default_rng(number)
        motion = walk(person.style, joints, feet, _PROCEDURAL_FRAMES, rng)
        motion = motion.turned(person.habits.at(motion.phase), body.parents)
        cycles.append(cut_cycles(motion, joints, body.parents, leg)[0])
    return cycles


def _joints(body: BodyModel) -> np.ndarray:
    """Of the mean person in the rest pose, m, [24, 3]."""
    return body.joints(torch.zeros(3 * NUM_JOINTS), torch.zeros(NUM_BETAS)).numpy()


def _feet(body: BodyModel) -> tuple[Foot, Foot]:
    left, right = (make_foot(body.v_template.numpy(), body.weights.numpy(), _joints(body), side) for side in SIDES)
    return left, right


def _mean_rotations(cycles: Sequence[Cycle]) -> np.ndarray:
    """Of the joints over all cycles and their mirror images, [20, 3, 3]."""
    frames = np.concatenate([cycle.rotations for cycle in cycles])
    frames = np.concatenate([frames, mirror_rotations(frames)]).swapaxes(0, 1)
    return np.stack([Rotation.from_matrix(joint).mean().as_matrix() for joint in frames])


def _with_mirrored(vectors: np.ndarray) -> np.ndarray:
    return np.concatenate([vectors, mirror_vectors(vectors)])


def _covariance(deviations: np.ndarray, freedom: int) -> np.ndarray:
    """Of deviations [N, D] and those of the mirror images, [D, D]; 0 where nothing is free to differ."""
    both = _with_mirrored(deviations)
    return both.T @ both / (2 * max(freedom, 1))


def _factors(covariance: np.ndarray, most: int) -> np.ndarray:
    """Up to ``most`` vectors [K, D], the largest first, whose outer products add up to the covariance nearly."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values[::-1][:most] > 1e-6 * values[-1]
    return (np.sqrt(np.maximum(values[::-1], 0)) * vectors[:, ::-1])[:, :most][:, kept].T
