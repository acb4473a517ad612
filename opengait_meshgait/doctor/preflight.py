"""``meshgait doctor``: which checks there are, and their answers in one numbered line each.

It can be imported where packages are missing.
"""

import sys
from collections.abc import Sequence

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.doctor.checks import FAILED, PASSED, SKIPPED, Check, Outcome, run_checks

_ASCII = {PASSED: "ok", FAILED: "XX", SKIPPED: "--"}
_KEYS, _ROOT, _BODY, _MARKERS = "config keys", "data root", "body file", "marker file"
_FRAMES, _NETWORK, _CHECKOUT = "frame counts", "network and losses", "OpenGait checkout"


def print_outcome(outcome: Outcome) -> None:
    """Print an outcome; further lines of it are indented."""
    first, *rest = outcome.text.splitlines() or [""]
    print_plainly(
        "\n".join([f"{outcome.number:2} {outcome.mark} {outcome.name}: {first}", *(f"     {line}" for line in rest)])
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many checks there were of each kind, and which must be fixed."""
    failed = [str(outcome.number) for outcome in outcomes if outcome.mark == FAILED]
    skipped = sum(outcome.mark == SKIPPED for outcome in outcomes)
    passed = len(outcomes) - len(failed) - skipped
    end = f"Fix {', '.join(failed)} and run it again." if failed else "Ready to train."
    return f"{len(outcomes)} checks: {passed} passed, {len(failed)} failed, {skipped} skipped. {end}"


def print_plainly(text: str) -> None:
    """Print at once, with what the terminal's encoding lacks replaced."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        PASSED.encode(encoding)
    except UnicodeEncodeError:
        for mark, plain in _ASCII.items():
            text = text.replace(mark, plain)
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def examine(configs: list[str], overrides: list[str], opengait: str | None) -> bool:
    """Run all checks, print each as soon as it has run, and return whether none failed.

    Args:
        configs, overrides: YAML files, merged from left to right, and ``--set``.
        opengait: the checkout that is to train; None for the embedded engine.
    """
    from opengait_meshgait.doctor import machine

    packages = Check("Python and packages", lambda _: machine.check_python_packages())
    try:
        checks, shared = _checks(configs, overrides, opengait)
    except ImportError as error:
        checks, shared = [Check("all that needs the packages", _refuse)], error
    outcomes = []
    for outcome in run_checks([packages, *checks], shared):
        print_outcome(outcome)
        outcomes.append(outcome)
    print_plainly(summary(outcomes))
    return not any(outcome.mark == FAILED for outcome in outcomes)


def _refuse(error: ImportError) -> str:
    raise UserError(f"nothing more can be checked: {error}.")


def _checks(configs: list[str], overrides: list[str], opengait: str | None) -> tuple[list[Check], object]:
    """All checks but the first, which must not fail to be imported; and what they share."""
    from opengait_meshgait.doctor import data, machine, overlap, training

    checks = [
        Check("device", lambda findings: machine.check_device(findings.opengait is not None)),
        Check(_KEYS, data.check_keys),
        Check(_ROOT, data.check_root, (_KEYS,)),
        Check("partition", data.check_partition, (_ROOT,)),
        Check("modalities", data.check_modalities, (_ROOT,)),
        Check(_FRAMES, data.check_frames, (_ROOT,)),
        Check("one sample", data.check_sample, (_ROOT,)),
        Check(_BODY, training.check_body, (_KEYS,)),
        Check(_MARKERS, training.check_markers, (_BODY,)),
        Check(_NETWORK, training.check_network, (_KEYS,)),
        Check("training batches", training.check_batches, (_ROOT,)),
        Check("test protocol", training.check_protocol, (_ROOT,)),
        Check("test batches", training.check_test_batches, (_KEYS,)),
        Check("first weights", training.check_start, (_ROOT, _NETWORK)),
        Check("outputs", training.check_outputs, (_KEYS,)),
        Check("bodies in silhouettes", overlap.check_overlap, (_FRAMES, _MARKERS, _NETWORK)),
    ]
    if opengait:
        checks += [
            Check(_CHECKOUT, training.check_checkout),
            Check("OpenGait's packages", training.check_opengait_packages, (_CHECKOUT,)),
            Check("OpenGait and this config", training.check_config, (_CHECKOUT, _KEYS)),
            Check("OpenGait's test", training.check_test, (_CHECKOUT, _ROOT)),
        ]
    return checks, data.Findings(configs, overrides, opengait)
