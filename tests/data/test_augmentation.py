import dataclasses

import pytest
import torch
from torch.nn.functional import avg_pool2d

from opengait_meshgait.body.crop import crop_frame, flip_crop, to_crop, to_pixels
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_FLIP
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.body.supervision import BodyFlips, BodyTargets
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.augmentation import PairedAugmentation

BODY = load_body()
PICKED = torch.arange(0, BODY.num_vertices, 40)
MARKERS = torch.cat([PICKED, BODY.mirror[PICKED]])
FLIPS = BodyFlips(torch.tensor(JOINT_FLIP), torch.arange(len(MARKERS)).roll(len(PICKED)), BODY.mirror)
AFFINE = {"probability": 1.0, "degrees": 15, "scale": [0.8, 1.1], "translate": 0.1}
PERSPECTIVE = {"probability": 1.0, "distortion": 0.2}
ERASING = {"probability": 1.0, "area": [0.05, 0.15]}
SEEDS = torch.arange(6)


def batch(n: int = 6, s: int = 3) -> tuple[torch.Tensor, BodyTargets]:
    """Silhouettes of walkers at 64 x 44, and their bodies in crop space."""
    generator = torch.Generator().manual_seed(0)
    pose = torch.randn(n * s, 24, 3, generator=generator) * 0.1
    pose[:, 0] = torch.tensor([torch.pi, 0, 0])  # from y up to y down
    pose[:, 0] += torch.randn(n * s, 3, generator=generator) * torch.tensor([0.1, 0.1, 0.1])
    pose[:, 16, 2] -= 1.2
    pose[:, 17, 2] += 1.2
    pose[:, 1, 0] -= 0.5
    pose[:, 5, 0] += 0.8
    vertices, joints = BODY(pose.flatten(1), torch.zeros(n * s, 10))
    frame = crop_frame(vertices, BODY.faces, joints[:, 0])
    vertices, joints = to_crop(vertices, frame), to_crop(joints, frame)
    fine = rasterize(to_pixels(vertices) * 4, BODY.faces, 256, 176)  # grey edges, as normalised silhouettes have
    sils = avg_pool2d(fine.float(), 4)
    fields = [joints, vertices[:, MARKERS], vertices, frame.height, torch.ones(n * s), torch.ones(n * s)]
    return sils.unflatten(0, (n, s)), BodyTargets(*(field.unflatten(0, (n, s)) for field in fields))


SILS, TARGETS = batch()


def augmentation(flip=0.5, affine=None, perspective=None, erasing=None, flips=None):
    return PairedAugmentation({"flip": flip, "affine": affine, "perspective": perspective, "erasing": erasing}, flips)


def overlap(sils: torch.Tensor, targets: BodyTargets) -> torch.Tensor:
    """IoU [n * s] of the bodies, drawn anew, with the silhouettes."""
    drawn = rasterize(to_pixels(targets.vertices.flatten(0, 1)), BODY.faces, 64, 44)
    seen = sils.flatten(0, 1) > 0.5
    return (drawn & seen).sum((1, 2)) / (drawn | seen).sum((1, 2))


@pytest.mark.parametrize(
    "changes",
    [
        {"flip": 1.0},
        {"affine": {"probability": 1.0, "degrees": 20}},
        {"affine": {"probability": 1.0, "scale": [0.7, 0.8]}},
        {"affine": {"probability": 1.0, "translate": 0.15}},
        {"affine": AFFINE},
        {"perspective": PERSPECTIVE},
        {"flip": 1.0, "affine": AFFINE, "perspective": PERSPECTIVE},
    ],
    ids=["flip", "rotation", "scale", "translation", "affine", "perspective", "all"],
)
def test_the_augmented_body_lies_on_the_augmented_silhouette(changes):
    sils, targets = augmentation(**{"flip": 0.0, **changes}, flips=FLIPS)(SILS, TARGETS, SEEDS)
    iou = overlap(sils, targets)
    assert iou.min() > 0.93 and iou.mean() > 0.95
    # And it has moved: neither half of the pair may stay behind.
    assert overlap(sils, TARGETS).mean() < 0.7 and overlap(SILS, targets).mean() < 0.7
    assert sils.min() >= 0 and sils.max() <= 1 + 1e-6 and sils.dtype == SILS.dtype


def test_erasing_blackens_one_rectangle_and_leaves_the_body():
    sils, targets = augmentation(flip=0.0, erasing=ERASING)(torch.ones_like(SILS), TARGETS, SEEDS)
    black = sils == 0
    assert torch.equal(black, black[:, :1].expand_as(black))
    for erased in black[:, 0]:
        rows, columns = erased.any(1).sum(), erased.any(0).sum()
        assert erased.sum() == rows * columns
        assert 0.03 < erased.sum() / erased.numel() < 0.18
    assert all(torch.equal(getattr(targets, f.name), getattr(TARGETS, f.name)) for f in dataclasses.fields(targets))
    assert not torch.equal(black[0], black[1])


def test_all_together_with_erasing_keep_the_body_where_it_was():
    both = augmentation(1.0, AFFINE, PERSPECTIVE, ERASING, FLIPS)(SILS, TARGETS, SEEDS)
    without = augmentation(1.0, AFFINE, PERSPECTIVE, None, FLIPS)(SILS, TARGETS, SEEDS)
    assert torch.equal(both[1].vertices, without[1].vertices)
    left = both[0] != 0
    assert torch.equal(both[0][left], without[0][left]) and not torch.equal(*[b[0] for b in (both, without)])


def test_probabilities_of_zero_change_nothing():
    parts = [{**part, "probability": 0.0} for part in (AFFINE, PERSPECTIVE, ERASING)]
    sils, targets = augmentation(0.0, *parts, FLIPS)(SILS, TARGETS, SEEDS)
    assert torch.equal(sils, SILS)
    assert all(torch.equal(getattr(targets, f.name), getattr(TARGETS, f.name)) for f in dataclasses.fields(targets))


def test_flipping_exchanges_left_and_right_and_twice_is_identity():
    mirror = augmentation(flip=1.0, flips=FLIPS)
    once, twice = mirror(SILS, TARGETS, SEEDS), None
    assert torch.equal(once[0][..., 1:], SILS[..., 1:].flip(-1))  # column 22 of 44 stays where it is
    assert torch.equal(once[1].joints, flip_crop(TARGETS.joints, FLIPS.joints))
    assert torch.equal(once[1].markers, once[1].vertices[..., MARKERS, :])  # markers flip as their vertices do
    assert torch.equal(once[1].joints[..., 1, 1:], TARGETS.joints[..., 2, 1:])
    twice = mirror(*once, SEEDS)
    assert torch.equal(twice[0], SILS) and not SILS[..., 0].any()
    assert all(torch.equal(getattr(twice[1], f.name), getattr(TARGETS, f.name)) for f in dataclasses.fields(TARGETS))


def test_one_draw_a_sequence_and_another_for_the_next():
    same = BodyTargets(*(getattr(TARGETS, f.name)[:1, :1].repeat(6, 3, *[1] * (getattr(TARGETS, f.name).ndim - 2))
                         for f in dataclasses.fields(TARGETS)))  # fmt: skip
    sils, targets = augmentation(0.5, AFFINE, PERSPECTIVE, ERASING, FLIPS)(SILS[:1, :1].repeat(6, 3, 1, 1), same, SEEDS)
    assert torch.equal(sils, sils[:, :1].expand_as(sils))
    torch.testing.assert_close(targets.markers, targets.markers[:, :1].expand_as(targets.markers))
    for k in range(5):
        assert not torch.equal(sils[k], sils[k + 1]) and not torch.equal(targets.markers[k], targets.markers[k + 1])


def test_a_sequence_depends_on_its_seed_alone():
    augment = augmentation(0.5, AFFINE, PERSPECTIVE, ERASING, FLIPS)
    whole = augment(SILS, TARGETS, SEEDS)
    torch.manual_seed(123)
    again = augment(SILS, TARGETS, SEEDS.tolist())
    assert torch.equal(whole[0], again[0]) and torch.equal(whole[1].vertices, again[1].vertices)
    part = BodyTargets(*(getattr(TARGETS, f.name)[2:3] for f in dataclasses.fields(TARGETS)))
    alone = augment(SILS[2:3], part, SEEDS[2:3])
    torch.testing.assert_close(alone[0][0], whole[0][2], atol=1e-4, rtol=0)
    torch.testing.assert_close(alone[1].vertices[0], whole[1].vertices[2])
    assert not torch.equal(augment(SILS, TARGETS, SEEDS + 6)[0], whole[0])


def test_about_half_of_the_sequences_are_changed():
    sils = SILS[:1, :1].expand(400, 1, 64, 44)
    for part in (
        {"flip": 0.5},
        {"affine": {**AFFINE, "probability": 0.5}},
        {"erasing": {**ERASING, "probability": 0.5}},
    ):
        changed, _ = augmentation(**{"flip": 0.0, **part})(sils, None, range(400))
        assert 150 < (changed != sils).flatten(1).any(1).sum() < 250


def test_scale_keeps_proportions_and_metres():
    halve = augmentation(flip=0.0, affine={"probability": 1.0, "scale": [0.5, 0.5]})
    _, targets = halve(SILS, TARGETS, SEEDS)
    before, after = torch.cdist(TARGETS.joints, TARGETS.joints), torch.cdist(targets.joints, targets.joints)
    torch.testing.assert_close(after, before / 2, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(after * targets.height[..., None, None], before * TARGETS.height[..., None, None])


def test_invalid_frames_stay_zero():
    targets = dataclasses.replace(TARGETS, joints=TARGETS.joints.clone(), mesh_weights=TARGETS.mesh_weights * 0)
    targets.joint_weights = TARGETS.joint_weights * 0.3
    targets.joint_weights[1, 2] = 0
    targets.joints[1, 2] = 0
    _, moved = augmentation(1.0, AFFINE, flips=FLIPS)(SILS, targets, SEEDS)
    assert not moved.joints[1, 2].any() and moved.joints[1, 1].any()
    assert not moved.markers.any() and not moved.vertices.any()
    assert torch.equal(moved.joint_weights, targets.joint_weights) and not moved.mesh_weights.any()


def test_silhouettes_alone():
    sils, targets = augmentation(1.0, AFFINE)(SILS, None, SEEDS)
    assert targets is None and not torch.equal(sils, SILS)


@pytest.mark.parametrize(
    "cfg, message",
    [
        ({"flip": 1.5}, r"flip: found 1.5 .*expected less than or equal to 1"),
        ({"flip": True}, r"flip: found True \(true or false\); expected a number"),
        ({"affine": 0.5}, r"affine: found 0.5 .*expected a mapping"),
        ({"affine": {"probability": 1, "degree": 5}}, "affine.degree: unknown key. Did you mean 'degrees'"),
        ({"affine": {"degrees": 5}}, "affine.probability: missing. Of changing a sequence"),
        ({"affine": {"probability": 1, "degrees": "5"}}, r"affine.degrees: found '5' \(text\); expected a number"),
        ({"affine": {"probability": 1, "scale": 0.9}}, r"affine.scale: found 0.9 .*expected a list"),
        ({"affine": {"probability": 1, "scale": [0.9]}}, r"affine.scale: found .*expected at least 2 items, not 1"),
        (
            {"affine": {"probability": 1, "scale": [1.1, 0.9]}},
            r"affine.scale: found .*smaller number first",
        ),
        (
            {"affine": {"probability": 1, "translate": -0.1}},
            "affine.translate: found -0.1 .*greater than or",
        ),
        ({"perspective": {"probability": 1, "distortion": 0.7}}, "perspective.distortion: found .*or equal to 0.5"),
        ({"erasing": {"probability": 2}}, "erasing.probability"),
        ({"erasing": {"probability": 1, "area": [0, 2]}}, "erasing.area.1: found 2 .*less than or equal to 1"),
        ({"flips": 3}, "flips: the body model fills it in: take it out"),
    ],
)
def test_bad_configs(cfg, message):
    with pytest.raises(UserError, match=f"augment_cfg cannot be used:\n  {message}"):
        PairedAugmentation(cfg)


def test_bad_calls():
    with pytest.raises(ValueError, match="without flips"):
        augmentation(flip=0.5)(SILS, TARGETS, SEEDS)
    with pytest.raises(ValueError, match="5 seeds"):
        augmentation()(SILS, None, SEEDS[:5])
    with pytest.raises(ValueError, match=r"\[6, 64, 44\]"):
        augmentation()(SILS[:, 0], None, SEEDS)
