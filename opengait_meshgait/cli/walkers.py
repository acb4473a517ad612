"""``meshgait walkers``: write a synthetic dataset in OpenGait's layout."""

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
    result.add_argument("--ids", type=int, default=150, help="people (default: %(default)s)")
    result.add_argument(
        "--views",
        default="0,18,…,180",
        help="degrees, 0 from the front, 90 from the left side: 0,90,180 or 0:180:18 or 0,18,…,180 (default: "
        "%(default)s)",
    )
    result.add_argument(
        "--seqs",
        default="nm:4,bg:2,cl:2",
        help="walks of each person: normal (nm), with a bag (bg), in a coat (cl) (default: %(default)s)",
    )
    result.add_argument("--frames", type=int, default=30, help="of each walk, at 25 frames/s (default: %(default)s)")
    result.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
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
    from opengait_meshgait.walkers import WalkerSet, parse_seqs, parse_views, write_walkers

    options = WalkerSet(
        ids=arguments.ids,
        views=parse_views(arguments.views),
        seqs=parse_seqs(arguments.seqs),
        frames=arguments.frames,
        seed=arguments.seed,
        noise=arguments.noise,
        train=arguments.train,
        val=arguments.val,
    )
    command = shlex.join(["meshgait", *sys.argv[1:]])
    record = write_walkers(options, arguments.out, arguments.workers, command, arguments.raw)
    counts = record["counts"]
    print(f"{arguments.out}: {counts['ids']} people, {counts['sequences']} sequences, {counts['frames']} frames")
    return 0
