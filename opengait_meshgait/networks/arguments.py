"""Checks that the backbones share on the numbers a config gives them."""

from collections.abc import Sequence

from opengait_meshgait.common.errors import UserError


def require_counts(owner: str, name: str, values: Sequence[int], count: int) -> None:
    """Refuse anything but ``count`` whole numbers of at least 1.

    Raises:
        UserError: tells which argument of ``owner`` it is, what was found and how many are needed.
    """
    listed = isinstance(values, Sequence) and not isinstance(values, str)
    if not listed or len(values) != count or not all(isinstance(v, int) and v >= 1 for v in values):
        found = list(values) if listed else values
        raise UserError(f"{owner} needs {count} whole numbers of at least 1 as {name}, and got {found}.")
