"""``meshgait train``: train from a YAML file, resuming where an earlier run was stopped."""

import argparse
import os

from opengait_meshgait.cli.arguments import add_config, add_device, add_processes, in_processes
from opengait_meshgait.cli.test import table


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    add_config(result)
    add_device(result)
    result.add_argument(
        "--fresh", action="store_true", help="begin at iteration 0; an earlier run of that name is kept under another"
    )
    add_processes(result)
    result.add_argument("--keys", action=_PrintKeys, nargs=0, help="print what each key of the YAML file means")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    from opengait_meshgait.engine.config import load_config

    config = load_config(arguments.cfgs, arguments.set, bool(arguments.opengait))
    if arguments.opengait:
        from opengait_meshgait.opengait.launch import hand_over

        where = (arguments.device, arguments.nproc)
        return hand_over(arguments.opengait, config, "train", *where, fresh=arguments.fresh)
    if (status := in_processes(arguments)) is not None:
        return status
    from opengait_meshgait.engine.training import train

    result = train(config, arguments.device, fresh=arguments.fresh)
    if int(os.environ.get("RANK", 0)) == 0:
        print(f"Iteration {result.iteration}: {result.checkpoint}")
        tested = result.evaluations[-1:]
        if tested and tested[0]["iteration"] == result.iteration:
            print("\n".join(table({"checkpoint": result.checkpoint, **tested[0]})))
    return 0


class _PrintKeys(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from opengait_meshgait.engine.reference import reference

        print(reference(), end="")
        parser.exit()
