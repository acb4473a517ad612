"""Raw silhouettes become the 64 x 64 pictures that gait datasets hold."""

import cv2
import numpy as np

_LEAST_MASS = 10_000  # grey levels; with fewer, some 39 white pixels, OpenGait calls the frame empty


def has_person(image: np.ndarray) -> bool:
    """Whether a silhouette, uint8 [h, w], has more in it than the 10000 grey levels below which OpenGait drops it."""
    return cv2.sumElems(image)[0] > _LEAST_MASS


def normalize_silhouette(image: np.ndarray, size: int = 64) -> np.ndarray | None:
    """Height-normalise and centre a silhouette, byte for byte as OpenGait's ``datasets/pretreatment.py`` does.

    The rows that hold the person are scaled to ``size``, one scale for both axes, with OpenCV's bicubic filter. The
    first column at which the running mass exceeds half of the whole, the median column, becomes column ``size // 2``;
    ``size`` columns around it are kept, with black where the picture ends.

    Args:
        image: grey levels, uint8 [h, w].
        size: height and width of the result, px, even.

    Returns:
        uint8 [size, size], or None for a frame that OpenGait drops: a sum of at most 10000, or a median column that
        is the very first (or none: a picture so narrow that scaling leaves no column, on which OpenGait stops).

    Raises:
        ValueError: ``image`` is not uint8 [h, w], or ``size`` is odd.
    """
    if size % 2:
        raise ValueError(f"size must be even, got {size}")
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 [h, w], got {image.dtype} {list(image.shape)}")
    if not has_person(image):
        return None
    _, top, _, height = cv2.boundingRect(image)
    image = image[top : top + height]
    # int(size * (w / h)), and not size * w // h: the two differ by rounding, and with them the bytes.
    width = int(size * (image.shape[1] / image.shape[0]))
    if width == 0:
        return None
    image = cv2.resize(image, (width, size), interpolation=cv2.INTER_CUBIC)
    mass = image.sum(axis=0).cumsum()
    centre = int(np.argmax(mass > mass[-1] / 2))
    if centre == 0:
        return None
    half = size // 2
    if centre <= half or centre + half >= width:
        image = cv2.copyMakeBorder(image, 0, 0, half, half, cv2.BORDER_CONSTANT)
        centre += half
    return image[:, centre - half : centre + half]
