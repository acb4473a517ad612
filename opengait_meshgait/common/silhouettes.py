"""What a silhouette is, a white person on black, and what is none: one judgement for all who read pictures."""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import has_person, normalize_silhouette

_BLACK, _WHITE = 16, 240  # grey levels; outlines lie between, photographs nearly wholly
_MOST_GREY = 0.6  # of what is not black; outlines of silhouettes 64 px high have 0.2, damaged ones 0.32
_MOST_EDGE = 0.7  # of the box around what is not black; people have up to 0.4, damaged ones 0.63, white grounds 0.74
_LEAST_WIDTH = 16  # of the thickest part, as a share of the height, 1 / 16; damaged people reach a tenth
_MOST_WIDTH = 1.5  # of the box, to its height; people who stride, in coats, with bags, cut off: below 1.1, who lie: 2
_LEAST_HEIGHT, _MOST_AREA = 0.9, 0.2  # of the largest part, to the whole; of the second, to the largest


def spread_mask(sils: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Masks of two levels, 0 and another one, as black and white: of 0 and 1, or of a palette's colour read as grey.

    Args:
        sils: uint8, one picture or several.

    Returns:
        The same, or a copy with 255 in place of the other level; and that level, or None where nothing was changed.
    """
    level = _mask_level(_histogram(sils.reshape(len(sils), -1)))
    return (sils, None) if level is None else (_black_and_white(sils), level)


def largest_part(picture: np.ndarray) -> tuple[np.ndarray, bool]:
    """The largest connected part of a picture.

    Args:
        picture: uint8 [h, w].

    Returns:
        A copy without the other parts, and whether they matter: the whole is higher by a tenth than the largest part,
        or the second has more than a fifth of its area. Specks and other people then change the person's height and
        place when the picture is normalised.
    """
    left, top, width, height = cv2.boundingRect(picture)
    box = picture[top : top + height, left : left + width]
    outlines, _ = cv2.findContours((box > 127).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(outlines) < 2:
        return picture, False
    *_, second, largest = sorted(outlines, key=cv2.contourArea)
    matters = cv2.boundingRect(largest)[3] < _LEAST_HEIGHT * height or cv2.contourArea(
        second
    ) > _MOST_AREA * cv2.contourArea(largest)
    # A pixel wider than the outline, for the grey around it.
    part = cv2.drawContours(np.zeros(picture.shape, np.uint8), [largest], 0, 255, cv2.FILLED, offset=(left, top))
    return picture & cv2.dilate(part, np.ones((3, 3), np.uint8)), matters


class SilhouetteJudge:
    """Looks at the pictures of one sequence, and says why they are no silhouettes.

    A sequence is judged as a whole: single frames of real ones are as bad as can be.
    """

    def __init__(self) -> None:
        self._masks: set[int] = set()
        self._levels = np.zeros(256)  # of what is dim
        self._seen = self._dim = self._grey = self._bright = self._edged = self._normalized = self._thin = 0
        self._lying = 0

    def look(self, picture: np.ndarray) -> np.ndarray:
        """Take a picture, uint8 [h, w], into account; returned with 0 and 255 where it is a mask of other levels."""
        left, top, width, height = cv2.boundingRect(picture)
        if not height:
            return picture
        box = picture[top : top + height, left : left + width]
        brightest, level = cv2.minMaxLoc(box)[1], None
        if brightest < _WHITE:  # which hardly any is, and counting all levels takes long
            histogram = _histogram(box)
            histogram[0] += picture.size - box.size
            level = _mask_level(histogram)
        if level is not None:
            picture, box = _black_and_white(picture), _black_and_white(box)
        dim = level is None and brightest < 128
        # Would it hold a person if all that is not black in it were white? If not, outlines are all there is.
        if has_person(_black_and_white(box) if dim else box):
            self._seen += 1
            self._lying += width > _MOST_WIDTH * height
            self._dim += dim
            if dim:
                self._levels += histogram
            if level is not None:
                self._masks.add(level)
            self._bright += cv2.countNonZero(cv2.inRange(box, _BLACK, 255))
            self._grey += cv2.countNonZero(cv2.inRange(box, _BLACK, _WHITE - 1))
            around = np.concatenate([box[0], box[-1], box[:, 0], box[:, -1]]) > 127
            self._edged += int(np.count_nonzero(around)) > _MOST_EDGE * len(around)
        return picture

    def look_normalized(self, silhouette: np.ndarray) -> None:
        """Take a picture, uint8 [h, w], that is as high as its person into account."""
        side = len(silhouette) // _LEAST_WIDTH
        self._normalized += 1
        self._thin += not (cv2.erode(silhouette, np.ones((side, side), np.uint8)) > 127).any()

    def refuse(self, name: str) -> None:
        """Refuse what was seen, if it is no sequence of silhouettes.

        Args:
            name: of the sequence, for the message.

        Raises:
            UserError: label maps, photographs, white around the person, people who lie, or lines.
        """
        if not self._seen:
            return
        levels = np.flatnonzero(self._levels)
        if len(self._masks) > 1 or (self._masks and self._dim):
            others = [level for level in levels if 0 < level < 128]
            labels = ", ".join(map(str, sorted({*self._masks, *map(int, others)})[:8]))
            raise UserError(
                f"{name} holds masks with several labels ({labels}), and which of them is the person cannot be told. "
                "Write pictures of one person each, white on black."
            )
        if self._dim == self._seen:
            raise UserError(
                f"{name} holds values from {levels[0]} to {levels[-1]}; silhouettes reach from 0 to 255, or are masks "
                "of two values. It may be a map of labels: write pictures of one person each, white on black."
            )
        if self._grey > _MOST_GREY * self._bright:
            raise UserError(
                f"{name} holds grey pictures: {self._grey / self._bright:.0%} of what is not black in them is neither "
                "black nor white. Photographs, depth maps and energy images are no silhouettes: segment the person "
                "first, white on black."
            )
        if 2 * self._edged > self._seen:
            raise UserError(
                f"{name}: in {self._edged} of {self._seen} pictures white reaches all around, so that it is a "
                "background or a rectangle and no person. Silhouettes are white people on black: invert black people "
                "on white (255 - picture), and cut no boxes."
            )
        if 2 * self._lying > self._seen:
            raise UserError(
                f"{name}: in {self._lying} of {self._seen} pictures the person lies: what is white is far wider than "
                "high. Turn the pictures by 90°; arrays have the axes [s, h, w]."
            )
        if 2 * self._thin > self._normalized:
            raise UserError(
                f"{name}: in {self._thin} of {self._normalized} pictures nothing is thicker than 1/{_LEAST_WIDTH} of "
                "the height. Outlines and skeletons are no silhouettes: fill the person. If people are small beside "
                "specks, --largest leaves these out."
            )


def judge_silhouettes(sils: np.ndarray, name: str) -> np.ndarray:
    """Normalised silhouettes, uint8 [T, h, w], if they are some.

    Raises:
        UserError: as :meth:`SilhouetteJudge.refuse`.
    """
    judge = SilhouetteJudge()
    for picture in sils:
        judge.look(picture)
        if has_person(picture):
            judge.look_normalized(picture)
    judge.refuse(name)
    return sils


@dataclass(slots=True)
class NormalizedSilhouettes:
    """The raw pictures of one sequence, normalised one after the other.

    Attributes:
        size: height and width of the results, px.
        largest: take of each picture the largest connected part alone.
        normalize: from a picture and ``size`` to a silhouette, or None.
        kept: the numbers of the frames that are in ``pictures``.
        pictures: uint8 [size, size] each.
        too_little: frames with hardly anything in them.
        no_centre: frames whose median column OpenGait cannot use.
        several_parts: frames with parts that change the person's height or place, see :func:`largest_part`.
    """

    size: int
    largest: bool = False
    normalize: Callable[[np.ndarray, int], np.ndarray | None] = normalize_silhouette
    kept: list[int] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)
    too_little: int = 0
    no_centre: int = 0
    several_parts: int = 0
    _judge: SilhouetteJudge = field(default_factory=SilhouetteJudge)

    def add(self, frame: int, picture: np.ndarray) -> None:
        """Normalise a picture, uint8 [h, w]."""
        picture = self._judge.look(picture)
        if not has_person(picture):
            self.too_little += 1
            return
        alone, several = largest_part(picture)
        self.several_parts += several
        silhouette = self.normalize(alone if self.largest else picture, self.size)
        if silhouette is None:
            self.no_centre += 1
            return
        self._judge.look_normalized(silhouette)
        self.kept.append(frame)
        self.pictures.append(silhouette)

    def stacked(self, name: str) -> np.ndarray:
        """All silhouettes, uint8 [T, size, size].

        Raises:
            UserError: what was added is no silhouettes, see :meth:`SilhouetteJudge.refuse`.
        """
        self._judge.refuse(name)
        return np.stack(self.pictures) if self.pictures else np.empty((0, self.size, self.size), np.uint8)


def _histogram(picture: np.ndarray) -> np.ndarray:
    """How often each level occurs in a picture, uint8 [h, w]; [256]."""
    return cv2.calcHist([picture], [0], None, [256], [0, 256]).ravel()


def _mask_level(histogram: np.ndarray) -> int | None:
    """The other level of a mask of 0 and one more that is not white; None for all other pictures."""
    present = np.flatnonzero(histogram)
    return int(present[-1]) if len(present) == 2 and present[0] == 0 and present[1] < _WHITE else None


def _black_and_white(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, np.uint8(255), np.uint8(0))
