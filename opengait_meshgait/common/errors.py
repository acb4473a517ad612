"""Errors a user can fix: what was found, what was expected, what to do next."""

import difflib
import errno
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in the user's data, files or configuration.

    The command line prints its message without a traceback and exits with code 1.
    """


# What a place refuses whatever the program does: no room, no permission, a name that is too long.
_PLACES = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO}
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def place_refused(error: OSError) -> str | None:
    """What to say of a full disk, a place that may not be written or a name that is too long; None of others."""
    if error.errno not in _PLACES:
        return None
    where = f"{error.filename}: " if error.filename else ""
    instead = "Make room, and run the same command again." if error.errno in _FULL else "Give another place."
    return f"{where}{error.strerror}. {instead}"


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The end of a message about an unknown ``name``: nearest candidates, or all of them.

    >>> did_you_mean("ResNet", ["ResNet9", "Plain"])
    "Did you mean 'ResNet9'?"
    >>> did_you_mean("xyz", ["ResNet9", "Plain"])
    'Known: Plain, ResNet9.'
    """
    known = sorted(candidates)
    lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(f"'{lower[n]}'" for n in near) + "?"
    return f"Known: {', '.join(known)}."


def list_names(names: Iterable[str], most: int = 12) -> str:
    """The first ``most`` of some names, and how many there are in all."""
    names = list(names)
    return ", ".join(names[:most]) + (f" … ({len(names)} in all)" if len(names) > most else "") or "nothing"
