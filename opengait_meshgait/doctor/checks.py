"""``meshgait doctor``: which checks there are, in their order. It can be imported where packages are missing."""

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.doctor import machine
from opengait_meshgait.doctor.preflight import FAILED, Check, print_outcome, print_plainly, run_checks, summary

_KEYS, _ROOT, _BODY, _CHECKOUT = "config keys", "data root", "body file", "OpenGait checkout"


def examine(configs: list[str], overrides: list[str], opengait: str | None) -> bool:
    """Run all checks, and print each as soon as it has run.

    Args:
        configs: YAML files, merged from left to right.
        overrides: ``--set``.
        opengait: the checkout that is to train; None for the embedded engine.

    Returns:
        Whether none failed.
    """
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
    from opengait_meshgait.doctor import data, training

    checks = [
        Check("device", lambda findings: machine.check_device(findings.opengait is not None)),
        Check(_KEYS, data.check_keys),
        Check(_ROOT, data.check_root, (_KEYS,)),
        Check("partition", data.check_partition, (_ROOT,)),
        Check("modalities", data.check_modalities, (_ROOT,)),
        Check("frame counts", data.check_frames, (_ROOT,)),
        Check("one sample", data.check_sample, (_ROOT,)),
        Check(_BODY, training.check_body, (_KEYS,)),
        Check("marker file", training.check_markers, (_BODY,)),
        Check("network and losses", training.check_network, (_KEYS,)),
        Check("training batches", training.check_batches, (_ROOT,)),
        Check("test protocol", training.check_protocol, (_ROOT,)),
        Check("test batches", training.check_test_batches, (_KEYS,)),
        Check("outputs", training.check_outputs, (_KEYS,)),
    ]
    if opengait:
        checks += [
            Check(_CHECKOUT, training.check_checkout),
            Check("OpenGait's packages", training.check_opengait_packages, (_CHECKOUT,)),
            Check("OpenGait and this config", training.check_config, (_CHECKOUT, _KEYS)),
            Check("OpenGait's test", training.check_test, (_CHECKOUT, _ROOT)),
        ]
    return checks, data.Findings(configs, overrides, opengait)
