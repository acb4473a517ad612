"""Mesh-Gait for OpenGait: gait recognition that learns 3D from plain silhouettes."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``load``, on first use: torch takes seconds to import, and `meshgait --help` needs none of it."""
    if name == "load":
        from opengait_meshgait.inference import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
