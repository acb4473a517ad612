"""Types of the arguments that the backbones share; a config is checked against them."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from opengait_meshgait.common.validation import mistake

Count = Annotated[int, Field(ge=1)]
TwoCounts = Annotated[Sequence[Count], Field(min_length=2, max_length=2)]
ThreeCounts = Annotated[Sequence[Count], Field(min_length=3, max_length=3)]
FourCounts = Annotated[Sequence[Count], Field(min_length=4, max_length=4)]


def _one(channels: int) -> int:
    if channels != 1:
        raise mistake(f"found {channels}; silhouettes have one channel: write 1, or leave it out.")
    return channels


InputChannels = Annotated[int, AfterValidator(_one)]
