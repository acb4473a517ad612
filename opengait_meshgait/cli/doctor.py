"""``meshgait doctor``: a numbered preflight before a training."""

import argparse

from opengait_meshgait.cli.arguments import add_config
from opengait_meshgait.doctor.preflight import examine


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    add_config(result)
    result.add_argument("--opengait", metavar="ROOT", help="check for a training in the OpenGait checkout ROOT")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run all checks; 1 where one of them failed."""
    return int(not examine(arguments.cfgs, arguments.set, arguments.opengait))
