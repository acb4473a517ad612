"""``meshgait prepare``: a raw dataset becomes training data."""

import argparse
from pathlib import Path

from opengait_meshgait.prepare.layouts import LAYOUTS


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Normalise the silhouettes of a raw dataset, join them with their bodies\n"
        "frame by frame, by the names of the files, and weigh each body by its overlap\n"
        "with the silhouette. Run again after a stop to resume.",
        epilog="\n".join(["datasets, and a folder with the pictures of one sequence:", *_layouts()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("dataset", choices=LAYOUTS, metavar="DATASET", help="how it lies on disk, one of those below")
    result.add_argument("--root", required=True, type=Path, help="folder of the raw dataset")
    result.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the prepared dataset")
    result.add_argument("--workers", type=int, help="processes (default: one a CPU core)")
    result.add_argument("--size", type=int, default=64, help="of the silhouettes, px (default: %(default)s)")
    result.add_argument(
        "--largest",
        action="store_true",
        help="keep the largest connected part of each picture alone: without specks, and without other people",
    )
    result.add_argument(
        "--drop-bad",
        action="store_true",
        help="drop frames that cannot be read, and leave out sequences that cannot be used; without it they are listed "
        "and the command fails once the others are done",
    )
    training = result.add_argument_group("training", "a partition and a config, filled in, beside the prepared data")
    people = training.add_mutually_exclusive_group()
    people.add_argument(
        "--partition", type=Path, metavar="FILE", help="who is trained on and tested: datasets/*/*.json of OpenGait"
    )
    people.add_argument(
        "--train",
        type=_number_or_share,
        metavar="N|FRACTION",
        help="train on the first N people, or this share of them, and test with the others",
    )
    training.add_argument(
        "--config",
        nargs="+",
        default=[],
        metavar="NAME|FILE",
        help="configs, merged from left to right, to fill in (default: that of the dataset; without bodies, its "
        "silhouette-only baseline)",
    )
    bodies = result.add_argument_group("bodies")
    bodies.add_argument("--silhouettes-only", action="store_true", help="leave bodies alone")
    bodies.add_argument(
        "--bodies",
        type=Path,
        metavar="DIR|FILE|none",
        help="folder of the bodies, if not the usual one, or the file of the only sequence; none: there are none, and "
        "frames of zeros say so, which lets silhouettes train beside others that have bodies",
    )
    bodies.add_argument(
        "--tracker",
        metavar="NAME",
        help="whose files the bodies are, such as ROMP, WHAM or GVHMR (docs/data.md), if their keys do not say",
    )
    bodies.add_argument(
        "--first-frame",
        type=int,
        metavar="N",
        help="number of the picture that is the tracker's frame 0, where the pictures' names do not begin at 0 or 1",
    )
    bodies.add_argument("--pose-key", metavar="KEY", help="name of the pose in body files")
    bodies.add_argument("--betas-key", metavar="KEY", help="name of the shape in body files")
    bodies.add_argument("--cam-key", metavar="KEY", help="name of the weak-perspective camera in body files")
    bodies.add_argument("--joints-key", metavar="KEY", help="name of the 24 joints in body files (OUMVLP: hc3d)")
    bodies.add_argument("--y-up", action="store_true", help="y points up and z to the camera in body files")
    bodies.add_argument("--body", type=Path, metavar="FILE", help="SMPL-format body to pose (default: the stand-in)")
    bodies.add_argument(
        "--min-iou",
        type=float,
        default=0.5,
        metavar="IOU",
        help="bodies that overlap their silhouette less get weight 0 (default: %(default)s)",
    )
    return result


def _layouts() -> list[str]:
    width = max(map(len, LAYOUTS))
    return [f"  {name:<{width}}  ROOT/{Path(layout.example, layout.inside)}" for name, layout in LAYOUTS.items()]


def _number_or_share(text: str) -> int | float:
    try:
        value = int(text) if text.isdigit() else float(text)
    except ValueError:
        value = 0
    if not (value >= 1 if isinstance(value, int) else 0 < value < 1):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected a number of people, or a share such as 0.5")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Prepare."""
    from opengait_meshgait.common.errors import UserError
    from opengait_meshgait.common.locks import lock
    from opengait_meshgait.prepare.records import describe_summary, read_records
    from opengait_meshgait.prepare.run import RECORDS, prepare
    from opengait_meshgait.prepare.sequence import Preparation
    from opengait_meshgait.prepare.trackers import trackers_of

    named = {name: getattr(arguments, f"{name}_key") for name in ("pose", "betas", "cam", "joints")}
    none = arguments.bodies == Path("none")
    if arguments.silhouettes_only or none:
        given = {f"--{name}-key": key for name, key in named.items()} | {
            "--tracker": arguments.tracker,
            "--first-frame": arguments.first_frame,
            "--y-up": arguments.y_up or None,
            "--body": arguments.body,
            "--bodies": None if none else arguments.bodies,
        }
        if unused := [option for option, value in given.items() if value is not None]:
            alone = "--bodies none" if none else "--silhouettes-only"
            raise UserError(
                f"{alone} leaves bodies alone, and {', '.join(unused)} is of bodies: leave one of them out."
            )
    preparation = Preparation(
        dataset=arguments.dataset,
        root=arguments.root,
        bodies=None if none else arguments.bodies,
        silhouettes_only=arguments.silhouettes_only or none,
        zero_bodies=none,
        body=arguments.body,
        size=arguments.size,
        trackers=trackers_of(arguments.dataset, arguments.tracker, named),
        y_up=arguments.y_up,
        largest=arguments.largest,
        first_frame=arguments.first_frame,
        drop_bad=arguments.drop_bad,
        min_iou=arguments.min_iou,
    )
    plan = None
    if arguments.partition or arguments.train is not None:
        from opengait_meshgait.prepare.ready import TrainingPlan, write_ready

        plan = TrainingPlan(arguments.partition, arguments.train, arguments.config)
    elif arguments.config:
        raise UserError("--config needs people to train on: give --partition or --train, too.")
    with lock(arguments.out, "Wait for it, stop it, or give another --out."):
        record = prepare(preparation, arguments.out, arguments.workers)
    records = read_records(arguments.out / RECORDS)
    print(describe_summary(record, records.values()))
    if record["problems"] and not arguments.drop_bad:
        return 1
    if plan:
        has_bodies = bool(record["bodies"]["bodies"])
        print(write_ready(plan, preparation, arguments.out, records, has_bodies))
    else:
        print("To train on it, type the same again with --train N or --partition FILE: that writes a config too.")
    return 0
