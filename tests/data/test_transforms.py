"""Silhouettes become what the network takes: 0…1, and 44 of 64 columns."""

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.transforms import build_transforms

CUT = {"type": "BaseSilCuttingTransform"}
PLAIN = {"type": "BaseSilTransform"}
KEEP = {"type": "NoOperation"}


def sils(width, height=64):
    return (
        torch.arange(256, dtype=torch.uint8)
        .repeat(2 * 3 * height * width)[: 2 * 3 * height * width]
        .reshape(2, 3, height, width)
    )


@pytest.mark.parametrize(("width", "cut"), [(64, 10), (128, 20), (44, 0), (100, 10)])
def test_cutting_takes_ten_columns_of_every_64_from_each_side(width, cut):
    transform, _ = build_transforms([CUT], with_bodies=False)
    x = sils(width)
    y = transform(x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, x[..., cut : width - cut] / 255, rtol=0, atol=0)


def test_cutting_by_number_and_not_at_all():
    x = sils(64)
    assert build_transforms([CUT | {"cutting": 3, "img_w": 64}], False)[0](x).shape[-1] == 58
    assert build_transforms([CUT | {"cutting": 0}], False)[0](x).shape[-1] == 64
    torch.testing.assert_close(build_transforms([PLAIN], False)[0](x), x / 255)


def test_bodies_pass_untouched():
    _, transform = build_transforms([CUT, KEEP], with_bodies=True)
    smpls = torch.randn(2, 3, 85)
    assert transform(smpls) is smpls
    # A YAML that OpenGait takes for folders with both files serves without bodies, too.
    assert build_transforms([CUT, KEEP], with_bodies=False)[1] is None


@pytest.mark.parametrize(
    ("cfgs", "with_bodies", "message"),
    [
        ([], False, "has 0 entries, and one"),
        ([CUT], True, r"has 1 entries, and two \(silhouettes, then bodies\)"),
        ([CUT, KEEP, KEEP], True, "has 3 entries"),
        ([KEEP, CUT], True, "NoOperation is a transform of bodies, and stands where silhouettes are"),
        ([CUT, CUT], True, "BaseSilCuttingTransform is a transform of silhouettes, and stands where bodies are"),
        ([{"type": "BaseSilCutting"}], False, "Unknown transform 'BaseSilCutting'. Did you mean 'BaseSilCuttingTran"),
        (
            [CUT | {"divisor": 255}],
            False,
            "BaseSilCuttingTransform has no such argument. Did you mean 'divsor'",
        ),
        ([CUT | {"divsor": 1.0}], False, "leave divsor at 255"),
        ([CUT | {"divsor": 0}], False, "leave divsor at 255"),
        ([CUT | {"cutting": -1}], False, "cutting must be at least 0"),
    ],
)
def test_bad_lists(cfgs, with_bodies, message):
    with pytest.raises(UserError, match=message):
        build_transforms(cfgs, with_bodies)


def test_widths_that_do_not_fit():
    with pytest.raises(UserError, match="img_w is 128, and the silhouettes are 64 px wide"):
        build_transforms([CUT | {"img_w": 128}], False)[0](sils(64))
    with pytest.raises(UserError, match="Cutting 32 px from each side of silhouettes 64 px wide leaves nothing"):
        build_transforms([CUT | {"cutting": 32}], False)[0](sils(64))
