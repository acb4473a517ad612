"""``meshgait walkers``: write a dataset of synthetic people, who walk by themselves or as recorded."""

import argparse
import shlex
import sys


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Write a synthetic dataset of walking people in OpenGait's layout: silhouettes, bodies as frames "
        "of 85 numbers, partition.json, dataset.json. Run again after a stop to go on.",
    )
    result.add_argument("--out", required=True, metavar="DIR", help="folder of the dataset")
    result.add_argument(
        "--motion",
        nargs="+",
        metavar="FILE",
        help="people walk as recorded in these files (.bvh, or .npz with names, parents, offsets, local_rot, root, "
        "fps): A11_Cycle2.bvh is a walk of the person A11",
    )
    result.add_argument("--ids", type=int, help="people (default: 150; with --motion those recorded)")
    result.add_argument(
        "--views",
        default="0,18,…,180",
        help="degrees, 0 from the front, 90 from the left side: 0,90,180 or 0:180:18 or 0,18,…,180 (default: "
        "%(default)s)",
    )
    result.add_argument(
        "--seqs",
        help="walks of each person: normal (nm), with a bag (bg), in a coat (cl) (default: nm:4,bg:2,cl:2; with "
        "--motion those recorded)",
    )
    result.add_argument(
        "--frames",
        type=int,
        help="of each walk, at 25 frames/s (default: 30); with --motion the most of each (default: all)",
    )
    result.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
    result.add_argument(
        "--same-body", action="store_true", help="give all people one body and one set of clothes: only gait differs"
    )
    result.add_argument(
        "--variety",
        type=float,
        metavar="LEVEL",
        help="let people walk in all sorts of ways: 0 upright and the same way each time, 1 lopsided, faster or "
        "slower, and another way each time (default: 0)",
    )
    result.add_argument("--workers", type=int, help="processes (default: one a CPU core)")
    result.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="LEVEL",
        help="damage silhouettes: 0 not at all, 1 heavily (default: %(default)s)",
    )
    result.add_argument(
        "--raw",
        choices=("gait3d", "oumvlp"),
        help="write un-normalised pictures and one body file a frame in the layout of this raw dataset, to try "
        "meshgait prepare on (default: OpenGait's layout, to train with)",
    )
    result.add_argument("--train", type=int, metavar="N", help="people to train on (default: two thirds)")
    result.add_argument("--val", type=int, default=0, metavar="N", help="people to validate on (default: %(default)s)")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Write the dataset."""
    from opengait_meshgait.common.errors import UserError
    from opengait_meshgait.walkers import RecordedSet, WalkerSet, lone_testers, parse_seqs, parse_views, write_walkers

    given = {
        "views": parse_views(arguments.views),
        "seed": arguments.seed,
        "noise": arguments.noise,
        "train": arguments.train,
        "val": arguments.val,
        "same_body": arguments.same_body,
    }
    if arguments.frames is not None:
        given["frames"] = arguments.frames
    if arguments.motion is None:
        if arguments.ids is not None:
            given["ids"] = arguments.ids
        if arguments.seqs is not None:
            given["seqs"] = parse_seqs(arguments.seqs)
        if arguments.variety is not None:
            given["variety"] = arguments.variety
        options = WalkerSet(**given)
    else:
        for name in ("ids", "seqs", "variety"):
            if getattr(arguments, name) is not None:
                raise UserError(
                    f"--{name} and --motion contradict each other: the recordings say who walks, and how. Give one."
                )
        options = RecordedSet.of_files(arguments.motion, **given)
    command = shlex.join(["meshgait", *sys.argv[1:]])
    record = write_walkers(options, arguments.out, arguments.workers, command, arguments.raw)
    counts = record["counts"]
    print(f"{arguments.out}: {counts['ids']} people, {counts['sequences']} sequences, {counts['frames']} frames")
    if lone := lone_testers(options):
        print(
            f"Note: of the people to test on, {len(lone)} have one walk only ({', '.join(lone[:5])}"
            f"{', …' if len(lone) > 5 else ''}). A probe and a gallery need two: of theirs one view is the probe, and "
            "other views of the same walk are its gallery."
        )
    return 0
