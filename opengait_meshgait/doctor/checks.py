"""Checks that are run in their order: what was found, what must be fixed, or why nothing was looked at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from opengait_meshgait.common.errors import UserError

PASSED, FAILED, SKIPPED = "✓✗–"


class NotApplicable(Exception):
    """A check has nothing to look at; the message says why."""


@dataclass(frozen=True)
class Check:
    """One question.

    Attributes:
        name: of what is looked at.
        run: is given what all checks share, and answers with what was found; raises UserError where something must be
            fixed, or :class:`NotApplicable`.
        needs: names of earlier checks without whose success this one makes no sense.
    """

    name: str
    run: Callable[[Any], str]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The answer to check ``number``, from 1: what was found, what must be fixed, or why nothing was looked at."""

    number: int
    name: str
    mark: str
    text: str


def run_checks(checks: Iterable[Check], shared: Any) -> Iterator[Outcome]:
    """Run checks in their order, each on ``shared``; none keeps the others from running that do not need it."""
    outcomes: dict[str, Outcome] = {}
    for number, check in enumerate(checks, start=1):
        lacking = [outcomes[name] for name in check.needs if outcomes[name].mark != PASSED]
        if lacking:
            mark, text = SKIPPED, f"needs {lacking[0].number}, {lacking[0].name}"
        else:
            mark, text = _run(check, shared)
        outcomes[check.name] = Outcome(number, check.name, mark, text)
        yield outcomes[check.name]


def _run(check: Check, shared: Any) -> tuple[str, str]:
    try:
        return PASSED, check.run(shared)
    except UserError as error:
        return FAILED, str(error)
    except NotApplicable as reason:
        return SKIPPED, str(reason)
    except Exception as error:
        # The other checks are worth more than a traceback of this one.
        return FAILED, f"{type(error).__name__}: {error}. This was not foreseen: please report it with your config."


def collect(problems: list[str], function: Callable, *arguments: Any) -> Any:
    """The result; None, and a line more in ``problems``, where a mistake of the user's keeps it from coming."""
    try:
        return function(*arguments)
    except UserError as error:
        problems.append(str(error))
        return None


def unless(problems: list[str], found: str) -> str:
    """What was found, unless there are problems.

    Raises:
        UserError: all of them, one a line.
    """
    if problems:
        raise UserError("\n".join(dict.fromkeys(problems)))
    return found
