"""``meshgait gait``: models of how people walk."""

import argparse
from pathlib import Path


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    actions = result.add_subparsers(dest="action", required=True, metavar="ACTION")

    learn = actions.add_parser(
        "learn",
        help="learn a model from recorded walks",
        description="Learn from recorded walks how people differ in their gait, and how one person's strides differ: "
        "meshgait walkers --gait then draws any number of people from it. The file says from whom it was learned.",
    )
    learn.add_argument(
        "--motion",
        nargs="+",
        required=True,
        metavar="FILE",
        help="walks of two people at least (.bvh or .npz, as for meshgait walkers --motion)",
    )
    learn.add_argument(
        "--broaden",
        type=float,
        default=None,
        metavar="SHARE",
        help="of the variance between people, how much is that of procedural walkers, so that some are like none of "
        "those recorded: 0 to 1 (default: 0.3)",
    )
    learn.add_argument("--out", required=True, type=Path, metavar="GAIT.npz", help="file to write")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    from opengait_meshgait.body.files import load_body
    from opengait_meshgait.cli.arguments import check_out
    from opengait_meshgait.walkers.gait_fitting import learn_gait
    from opengait_meshgait.walkers.gait_model import load_gait, save_gait

    check_out(arguments.out, ".npz")
    broaden = {} if arguments.broaden is None else {"broaden": arguments.broaden}
    save_gait(learn_gait(arguments.motion, load_body(), **broaden), arguments.out)
    model = load_gait(str(arguments.out))
    print(
        f"{arguments.out}: learned from {len(model.learned_from)} walks of {len(model.people)} people, fingerprint "
        f"{model.fingerprint}"
    )
    return 0
