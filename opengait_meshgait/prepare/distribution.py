"""How well the bodies of a dataset fit, in a few lines."""

import numpy as np

_BINS = 10
_LONGEST = 40  # characters of a bar


def distribution(ious: np.ndarray) -> str:
    """A histogram by tenths with bars and counts, the mean and the 5th, 50th and 95th percentile.

    Args:
        ious: of all frames that have a body, float [N] in 0 … 1; with none, one line says so.
    """
    ious = np.asarray(ious, float)
    if not len(ious):
        return "IoU of bodies and silhouettes: no frame has a body."
    # A value on a bin's edge belongs above it, also where 0.7 * 10 rounds to less than 7; 1 belongs to the last bin.
    counts = np.bincount(np.clip(np.floor(ious * _BINS + 1e-6).astype(int), 0, _BINS - 1), minlength=_BINS)
    width = len(f"{counts.max():,}")
    lines = [f"IoU of bodies and silhouettes, {len(ious):,} frames:"]
    for index, count in enumerate(counts):
        bar = "#" * int(np.ceil(_LONGEST * count / counts.max()))
        lines.append(f"  {index / _BINS:.1f}-{(index + 1) / _BINS:.1f}  {count:>{width},}  {bar}".rstrip())
    low, middle, high = np.percentile(ious, [5, 50, 95])
    lines.append(f"  mean {ious.mean():.3f}, 5 % below {low:.3f}, half below {middle:.3f}, 95 % below {high:.3f}")
    return "\n".join(lines)
