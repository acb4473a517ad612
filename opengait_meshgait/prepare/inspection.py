"""Looks at a prepared dataset before a training: all folders are listed, the pickles of a sample are read."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opengait_meshgait.body.layout import head_below_feet
from opengait_meshgait.body.supervision import BodyTargets
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.silhouettes import judge_silhouettes
from opengait_meshgait.data.layout import (
    SPLITS,
    SequenceInfo,
    Survey,
    check_alike,
    holds_joints,
    list_problems,
    shorten,
)
from opengait_meshgait.data.reader import read_sequence, usable_bodies
from opengait_meshgait.data.transforms import Transform
from opengait_meshgait.recipe.preparation import check_class_num

# Heights that a person's posed body has in the picture, m: a child that bends down to a very tall man.
_PLAUSIBLE = (0.5, 2.5)


def check_identities(surveys: Mapping[str, Survey], class_num: int) -> str:
    """How many ids each split has (``train``, ``val``, ``test``), in words; their folders and classes suffice.

    Raises:
        UserError: ids without sequences, or fewer classes than people to train on.
    """
    people = {split: survey.present for split, survey in surveys.items()}
    problems = [
        f"{SPLITS[split]}: {len(survey.absent)} of {len(survey.absent) + len(people[split])} ids have no sequence: "
        f"{shorten(survey.absent)}. The folder of ids has {shorten(survey.folders)}. Prepare them, or take them out "
        "of the partition; a training leaves them out."
        for split, survey in surveys.items()
        if survey.absent
    ]
    classes = len(people.get("train", ()))
    try:
        check_class_num(class_num, classes)
    except UserError as error:
        problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    found = ", ".join(f"{len(ids):,} in {SPLITS[split]}" for split, ids in people.items())
    notes = [f"ids {found}, all with sequences"]
    if class_num > classes and "train" in people:
        notes.append(f"{class_num - classes} of {class_num} classes (class_num) have nobody to learn from")
    known = set(people.get("train", ())).intersection(people.get("test", ()))
    if known:
        notes.append(f"{len(known)} ids are in TRAIN_SET and in TEST_SET, whose figures will flatter")
    return "; ".join(notes)


def count_modalities(surveys: Collection[Survey]) -> str:
    """How many sequences have silhouettes, bodies and weights, in words.

    Raises:
        UserError: sequences that lack a file, or have several for one purpose; the first are named.
    """
    seqs = [info for survey in surveys for info in survey.found]
    problems = [problem for survey in surveys for problem in survey.problems]
    counts = Counter(kind for info in seqs for kind in _kinds(info))
    found = f"{len(seqs):,} sequences can be used: " + ", ".join(f"{n:,} with {kind}" for kind, n in counts.items())
    if problems:
        total = len(seqs) + len(problems)
        heading = f"{len(problems):,} of {total:,} sequences cannot be used, and no training begins with them"
        raise UserError(f"{list_problems(heading, problems)}\n{found}. Prepare the others again, or take them out.")
    for survey in surveys:
        if any(info.bodies_path for info in survey.found):
            check_alike(survey.found)
    return found


@dataclass(frozen=True)
class Sample:
    """What reading some of the sequences has shown.

    Attributes:
        total: how many sequences there are.
        lengths: frames of each sequence that was read, by its name.
        sizes: height and width of the silhouettes, px, and how many sequences have them.
        problems: what is wrong with those that cannot be read.
        bodiless: names of those whose bodies are all zeros, not finite or without weight.
        example: of those read, and of those with bodies if there are any, the one of median length; None where there is
            none.
    """

    total: int
    lengths: dict[str, int]
    sizes: Counter[tuple[int, ...]]
    problems: list[str]
    bodiless: list[str]
    example: SequenceInfo | None


def read_sample(seqs: Sequence[SequenceInfo], number: int = 64) -> Sample:
    """Read an evenly spread sample of so many sequences, all files of each."""
    sizes: Counter = Counter()
    lengths, infos, problems, bodiless = {}, {}, [], []
    for index in np.unique(np.linspace(0, len(seqs) - 1, min(number, len(seqs))).round().astype(int)):
        info = seqs[index]
        try:
            sils, bodies, weights = read_sequence(info.sils_path, info.bodies_path, info.weights_path)
            judge_silhouettes(sils, info.sils_path)
        except UserError as error:
            problems.append(str(error))
            continue
        lengths[info.name], infos[info.name] = len(sils), info
        sizes[sils.shape[1:]] += 1
        if bodies is not None and not usable_bodies(bodies, weights).any():
            bodiless.append(info.name)
    ordered = sorted(lengths.keys() - bodiless or lengths, key=lambda name: (lengths[name], name))
    example = infos[ordered[len(ordered) // 2]] if ordered else None
    return Sample(len(seqs), lengths, sizes, problems, bodiless, example)


def check_lengths(sample: Sample, frames: int | None) -> str:
    """Shortest, median and longest sequence of a sample, and how many are short, in words.

    Args:
        sample: of the sequences.
        frames: that a training takes of each sequence; None for all.

    Raises:
        UserError: sequences that cannot be read, or silhouettes of several sizes.
    """
    number = len(sample.lengths) + len(sample.problems)
    heading = f"read {number:,} of {sample.total:,} sequences"
    problems = []
    if sample.problems:
        problems.append(list_problems(f"{len(sample.problems)} of them cannot be used", sample.problems))
    if len(sample.sizes) > 1:
        sizes = ", ".join(f"{count} of {h}x{w} px" for (h, w), count in sample.sizes.most_common())
        problems.append(f"silhouettes are of several sizes ({sizes}). Prepare the whole dataset with one size.")
    if problems:
        raise UserError("\n".join([f"{heading}:", *problems]))
    lengths = sorted(sample.lengths.values())
    notes = [f"{heading}: {lengths[0]} to {lengths[-1]} frames, median {lengths[len(lengths) // 2]}"]
    for limit, what in ((2, "have one frame only"), (frames or 0, f"have fewer than {frames} and give some twice")):
        short = [name for name, length in sample.lengths.items() if length < limit]
        if short:
            notes.append(f"{len(short)} {what} {shorten(short)}")
    if sample.bodiless:
        notes.append(
            f"{len(sample.bodiless)} of the {len(lengths)} have no valid body in any frame {shorten(sample.bodiless)}"
        )
    return "; ".join(notes)


def describe_silhouettes(sils: np.ndarray, transform: Transform) -> str:
    """Shape, range and area of silhouettes uint8 [T, h, w], as stored and as the network sees them."""
    seen = transform(torch.from_numpy(sils))
    stored = f"silhouettes {_shape(sils)} {sils.dtype}, {(sils > 127).mean():.0%} of the picture"
    return f"{stored}; the network sees {_shape(seen)} from {seen.min():g} to {seen.max():g}"


def check_bodies(targets: BodyTargets) -> str:
    """The share of valid frames and the height of the bodies of one sequence (n = 1), in words.

    Raises:
        UserError: no frame is valid, the heights are no person's, or most bodies stand on their heads.
    """
    valid = targets.joint_weights[0] > 0
    joints, heights = targets.joints[0][valid], targets.height[0][valid]
    if not valid.any():
        raise UserError(
            f"none of its {len(valid)} bodies is valid: each is all zeros, holds numbers that are not finite, or has "
            "weight 0. Nothing can be learned from such bodies: prepare them again."
        )
    height = heights.median().item()
    if not _PLAUSIBLE[0] <= height <= _PLAUSIBLE[1]:
        raise UserError(
            f"its bodies are {height:.2f} m high; expected {_PLAUSIBLE[0]} to {_PLAUSIBLE[1]} m. Is the body file in "
            "metres, and are the frames cam 3, pose 72, betas 10?"
        )
    inverted = head_below_feet(joints)
    if inverted.float().mean() > 0.5:
        raise UserError(
            f"the head is below the feet in {inverted.sum()} of {len(joints)} valid frames. The pose's root must turn "
            "the body into camera orientation: x right, y down, z away."
        )
    weights = targets.joint_weights[0].mean()
    joints_alone = "" if targets.mesh_weights.any() else "; joints alone, nothing for markers and meshes to learn from"
    share = f"{valid.float().mean():.0%} of its frames have a valid body, mean weight {weights:.2f}"
    return f"{share}, {height:.2f} m high{joints_alone}"


def _kinds(info: SequenceInfo) -> Iterator[str]:
    yield "silhouettes"
    if info.bodies_path:
        yield "joints alone" if holds_joints(info.bodies_path) else "body parameters"
    if info.weights_path:
        yield "weights"


def _shape(array: np.ndarray | torch.Tensor) -> str:
    return "x".join(str(size) for size in array.shape)
