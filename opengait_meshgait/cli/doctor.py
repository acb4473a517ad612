"""``meshgait doctor``: a numbered preflight before a training."""

import argparse

from opengait_meshgait.cli.arguments import add_config
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.doctor.machine import check_device, check_packages
from opengait_meshgait.doctor.preflight import FAILED, Check, run_checks, say, summary, tell

PACKAGES = "Python and packages"
KEYS, ROOT, BODY, CHECKOUT = "config keys", "data root", "body file", "OpenGait checkout"


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog, description="Look at everything that a training needs, and say what must be mended first."
    )
    add_config(result)
    result.add_argument("--opengait", metavar="ROOT", help="the OpenGait checkout in ROOT is to train")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run all checks; 1 where one of them failed."""
    packages = Check(PACKAGES, lambda _: check_packages())
    try:
        checks, shared = _checks(arguments)
    except ImportError as error:
        checks, shared = [Check("all that needs the packages", _refuse)], error
    outcomes = []
    for outcome in run_checks([packages, *checks], shared):
        tell(outcome)
        outcomes.append(outcome)
    say(summary(outcomes))
    return int(any(outcome.mark == FAILED for outcome in outcomes))


def _refuse(error: ImportError) -> str:
    raise UserError(f"nothing more can be looked at: {error}.")


def _checks(arguments: argparse.Namespace) -> tuple[list[Check], object]:
    """All checks but the first, which must not fail to be imported; and what they share."""
    from opengait_meshgait.doctor import data as doctor_data
    from opengait_meshgait.doctor import opengait as doctor_opengait
    from opengait_meshgait.doctor import training as doctor_training

    checks = [
        Check("device", lambda findings: check_device(findings.opengait is not None)),
        Check(KEYS, doctor_data.check_keys),
        Check(ROOT, doctor_data.check_root, (KEYS,)),
        Check("partition", doctor_data.check_partition, (ROOT,)),
        Check("modalities", doctor_data.check_modalities, (ROOT,)),
        Check("frame counts", doctor_data.check_frames, (ROOT,)),
        Check("one sample", doctor_data.check_sample, (ROOT,)),
        Check(BODY, doctor_training.check_body, (KEYS,)),
        Check("marker file", doctor_training.check_markers, (BODY,)),
        Check("network and losses", doctor_training.check_network, (KEYS,)),
        Check("training batches", doctor_training.check_batches, (ROOT,)),
        Check("test protocol", doctor_training.check_protocol, (ROOT,)),
        Check("test batches", doctor_training.check_test_batches, (KEYS,)),
        Check("outputs", doctor_training.check_outputs, (KEYS,)),
    ]
    if arguments.opengait:
        checks += [
            Check(CHECKOUT, doctor_opengait.check_checkout),
            Check("OpenGait's packages", doctor_opengait.check_packages, (CHECKOUT,)),
            Check("OpenGait and this config", doctor_opengait.check_config, (CHECKOUT, KEYS)),
            Check("OpenGait's test", doctor_opengait.check_test, (CHECKOUT, ROOT)),
        ]
    return checks, doctor_data.Findings(arguments.cfgs, arguments.set, arguments.opengait)
