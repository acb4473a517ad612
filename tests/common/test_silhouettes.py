"""What is a silhouette, however it is stored; and what is none, however alike it looks."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.common.silhouettes import (
    NormalizedSilhouettes,
    judge_silhouettes,
    largest_part,
    spread_mask,
)

RNG = np.random.default_rng(0)


def person(height=90, width=60, x=30):
    """Head, body, and legs of which one is ahead."""
    picture = np.zeros((height, width), np.uint8)
    cv2.circle(picture, (x, 12), 6, 255, -1)
    cv2.ellipse(picture, (x, 38), (9, 22), 0, 0, 360, 255, -1)
    for foot in (x - 10, x + 8):
        cv2.line(picture, (x, 50), (foot, 82), 255, 6)
    return picture


def photograph():
    return cv2.GaussianBlur(RNG.integers(0, 256, (90, 60), dtype=np.uint8), (5, 5), 0)


def labels(*values):
    """One person in several parts, each with a value of its own."""
    picture = (person() > 0).astype(np.uint8)
    for part, value in zip(np.array_split(picture, len(values)), values):
        part *= np.uint8(value)
    return picture


def normalized(pictures, largest=False):
    found = NormalizedSilhouettes(64, largest)
    for frame, picture in enumerate(pictures):
        found.add(frame, picture)
    return found


@given(st.integers(1, 254), st.booleans())
def test_masks_of_two_levels_become_black_and_white(level, stack):
    mask = (person() > 0).astype(np.uint8)
    mask = np.stack([mask, mask]) if stack else mask
    spread, found = spread_mask(mask * np.uint8(level))
    assert found == (level if level < 240 else None)
    np.testing.assert_array_equal(spread, mask * np.uint8(255 if level < 240 else level))
    expected = normalize_silhouette(person())
    for picture in normalized([person() // 255 * level]).pictures:
        assert np.abs(picture.astype(int) - expected).max() <= 255 - (level if level >= 240 else 255)


def test_everything_else_stays_as_it_is():
    for picture in (person(), cv2.GaussianBlur(person(), (3, 3), 0), np.zeros((9, 9), np.uint8), photograph()):
        assert spread_mask(picture)[0] is picture
    full = np.ones((9, 9), np.uint8)  # no black: whether it is a mask cannot be seen
    assert spread_mask(full) == (full, None)


@pytest.mark.parametrize(
    "frames",
    [
        [person()],
        [person() // 255],
        [cv2.GaussianBlur(person(), (5, 5), 0)],
        [person()[5:86, 18:42]],  # cut to its box
        [person(x=5)],  # walks into the picture
        [np.zeros((90, 60), np.uint8), person()],
        [person(), ~person(), person()],  # one bad frame of three
        [person(), *[cv2.resize(person(), (8, 12), interpolation=cv2.INTER_AREA)] * 9],
        [normalize_silhouette(person())[:, 10:54]],
    ],
    ids=["plain", "0/1", "soft", "cut", "edge", "one empty", "one inverted", "tiny", "64x44"],
)
def test_silhouettes(frames):
    normalized(frames).stacked("x")
    assert judge_silhouettes(np.stack(frames[:1]), "x") is not None


BAD = {
    "inverted": (lambda: ~person(), "invert black people on white"),
    "inverted 0/1": (lambda: 1 - person() // 255, "invert black people on white"),
    "inverted and cut": (lambda: ~person()[5:86, 18:42], "white reaches all around"),
    "inverted and padded": (lambda: np.pad(~person(), ((0, 0), (40, 40))), "white reaches all around"),
    "a box": (lambda: np.pad(np.full((50, 20), 255, np.uint8), 20), "rectangle"),
    "all white": (lambda: np.full((90, 60), 255, np.uint8), "rectangle"),
    "a photograph": (photograph, "grey pictures"),
    "a cut-out": (lambda: np.where(person() > 0, photograph(), 0).astype(np.uint8), "grey pictures"),
    "an energy image": (lambda: cv2.GaussianBlur(person(), (31, 31), 0), "grey pictures"),
    "an outline": (lambda: cv2.Canny(person(), 50, 150), "nothing is thicker"),
    "a skeleton": (
        lambda: cv2.line(cv2.line(person() * 0, (30, 5), (30, 50), 255), (30, 50), (20, 85), 255),
        "thicker",
    ),
    "lying": (lambda: np.rot90(person()), "the person lies"),
    "body parts": (lambda: labels(1, 2, 3), "values from 0 to 3"),
    "bright body parts": (lambda: labels(50, 120, 200), "grey pictures"),
}


@pytest.mark.parametrize("case", BAD)
def test_no_silhouettes(case):
    make, message = BAD[case]
    frames = [make() for _ in range(3)]
    with pytest.raises(UserError, match=f"here.*{message}"):
        normalized(frames).stacked("here")
    with pytest.raises(UserError, match=message):
        judge_silhouettes(np.stack([spread_mask(frame)[0] for frame in frames]), "here")


def test_masks_of_several_people_are_told_apart():
    with pytest.raises(UserError, match=r"several labels \(1, 2\)"):
        normalized([person() // 255, person() // 255 * 2]).stacked("x")
    both = np.hstack([person() // 255, person() // 255 * 2])
    with pytest.raises(UserError, match=r"several labels \(1, 2\)"):
        normalized([person() // 255] * 5 + [both]).stacked("x")


def test_what_becomes_of_frames_is_counted():
    tiny = cv2.resize(person(), (6, 9), interpolation=cv2.INTER_AREA)
    found = normalized(
        [person(), tiny, np.zeros((9, 9), np.uint8), np.pad(np.full((90, 1), 255, np.uint8), ((0, 0), (0, 30)))]
    )
    assert (found.kept, found.too_little, found.no_centre, found.several_parts) == ([0], 2, 1, 0)
    np.testing.assert_array_equal(found.stacked("x"), [normalize_silhouette(person())])
    assert normalized([]).stacked("x").shape == (0, 64, 64)


def test_the_largest_part():
    alone = person(height=130)
    blank = np.zeros_like(alone)
    speck = alone.copy()
    speck[-3:, 55:58] = 255
    dust = alone.copy()
    dust[40, 2] = 255
    pair = np.hstack([blank, alone, np.pad(alone[:60], ((0, 70), (0, 0)))])
    for picture, expected, matters in (
        (alone, alone, False),
        (speck, alone, True),
        (dust, alone, False),
        (pair, np.hstack([blank, alone, blank]), True),
    ):
        kept, found = largest_part(picture)
        assert found == matters
        np.testing.assert_array_equal(kept, expected)
        kept, found = largest_part(np.asfortranarray(picture))
        assert found == matters
        np.testing.assert_array_equal(kept, expected)
    soft = cv2.GaussianBlur(alone, (3, 3), 0)
    assert np.abs(largest_part(np.maximum(soft, speck & ~alone))[0].astype(int) - soft).max() < 128
    expected = normalize_silhouette(alone)
    np.testing.assert_array_equal(normalized([speck], largest=True).pictures, [expected])
    kept = normalized([speck, pair, alone])
    assert kept.several_parts == 2 and (kept.pictures[0] != expected).any()
