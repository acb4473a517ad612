"""Memory that PyTorch asks the C library for."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3)


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next tensor of this process instead of giving them back to the system.

    On a CPU every tensor of more than 32 MiB, such as the heatmaps of a batch, comes from the system and is cleared
    page by page otherwise, which takes longer than computing it. Without glibc, nothing happens.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, -1)
