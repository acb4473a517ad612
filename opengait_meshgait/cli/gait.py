"""``meshgait gait``: models of how people walk."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_motion

_PEOPLE = 200  # drawn for a picture


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
    add_motion(learn, "walks of two people at least", required=True)
    learn.add_argument(
        "--broaden",
        type=_share,
        metavar="SHARE",
        help="of the variance between people, how much is that of procedural walkers, so that some are like none of "
        "those recorded: 0 to 1 (default: 0.3)",
    )
    learn.add_argument("--out", required=True, type=Path, metavar="GAIT.npz", help="file to write")

    show = actions.add_parser(
        "show",
        help="draw the joint angles of people drawn from a model",
        description="Draw joint angles over the stride: those of a dozen people drawn from the model, and the mean and "
        f"spread of {_PEOPLE}.",
    )
    show.add_argument("--gait", default="cmu", metavar="NAME|FILE", help="cmu, or a file of meshgait gait learn")
    show.add_argument("--out", required=True, type=Path, metavar="PICTURE.png", help="picture to write")
    return result


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    from opengait_meshgait.cli.arguments import check_out

    check_out(arguments, ".png" if arguments.action == "show" else ".npz")
    return (_show if arguments.action == "show" else _learn)(arguments)


def _learn(arguments: argparse.Namespace) -> int:
    from opengait_meshgait.body.files import load_body
    from opengait_meshgait.walkers.gait_fitting import learn_gait
    from opengait_meshgait.walkers.gait_model import load_gait, save_gait
    from opengait_meshgait.walkers.recorded_people import list_people

    broaden = {} if arguments.broaden is None else {"broaden": arguments.broaden}
    save_gait(learn_gait(arguments.motion, load_body(), person=arguments.person, **broaden), arguments.out)
    model = load_gait(str(arguments.out))
    print(list_people((recording["person"], recording["file"]) for recording in model.learned_from))
    print(
        f"{arguments.out}: learned from {len(model.learned_from)} walks of {len(model.people)} people, fingerprint "
        f"{model.fingerprint}"
    )
    return 0


def _show(arguments: argparse.Namespace) -> int:
    import numpy as np

    from opengait_meshgait.visual.drawing import write_png
    from opengait_meshgait.visual.gait_figure import angles_figure
    from opengait_meshgait.walkers.gait_angles import joint_angles
    from opengait_meshgait.walkers.gait_model import load_gait

    model = load_gait(arguments.gait)
    rng = np.random.default_rng(0)
    people = joint_angles(model, np.stack([model.draw(rng).vector for _ in range(_PEOPLE)]))
    title = f"{Path(arguments.gait).name}: gaits learned from {len(model.people)} people"
    write_png(arguments.out, angles_figure(people, joint_angles(model, model.mean[None]), title))
    print(f"{arguments.out}: {title}")
    return 0
