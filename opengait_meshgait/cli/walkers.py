"""``meshgait walkers``: write a dataset of synthetic people, who walk by themselves or as recorded."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_motion


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Write a synthetic dataset of walking people in OpenGait's layout: silhouettes, bodies as frames "
        "of 85 numbers, partition.json, dataset.json. Run again after a stop to continue.",
    )
    result.add_argument("--out", required=True, metavar="DIR", help="folder of the dataset")
    add_motion(result, "people walk as recorded in these files")
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
        help="frames of each walk, 25 a second (default: 30); with --motion, at most so many (default: all)",
    )
    result.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: %(default)s)")
    result.add_argument(
        "--same-body", action="store_true", help="give all people one body and one set of clothes: only gait differs"
    )
    result.add_argument(
        "--variety",
        type=float,
        metavar="LEVEL",
        help="how gaits vary: 0 upright, symmetric and the same each time, 1 asymmetric gait, more speeds, and "
        "intra-subject variation (default: 0)",
    )
    result.add_argument(
        "--gait",
        metavar="NAME|FILE,…",
        help="how people walk: procedural, or drawn from a model learned from recordings: cmu, or a file of meshgait "
        "gait learn (default: procedural); people take turns with several: procedural,cmu",
    )
    result.add_argument(
        "--world",
        default="studio",
        metavar="NAME|FILE",
        help="the distributions of cameras, ways, bodies, clothes and damage: studio, street or a YAML file (default: "
        "%(default)s)",
    )
    result.add_argument("--workers", type=int, help="processes (default: one a CPU core, fewer for few frames)")
    result.add_argument(
        "--noise",
        type=float,
        metavar="LEVEL",
        help="damage all silhouettes at one level: 0 not at all, 1 heavily (default: as the world does)",
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
    from opengait_meshgait.common.locks import lock
    from opengait_meshgait.common.provenance import command
    from opengait_meshgait.walkers import choose_walkers, parse_seqs, parse_views, partition_notes, write_walkers
    from opengait_meshgait.walkers.recorded_people import list_people
    from opengait_meshgait.walkers.recordings import RecordedSet

    names = ("ids", "frames", "seed", "noise", "train", "val", "same_body", "variety", "gait", "world")
    options = choose_walkers(
        arguments.motion,
        arguments.person,
        views=parse_views(arguments.views),
        seqs=None if arguments.seqs is None else parse_seqs(arguments.seqs),
        **{name: getattr(arguments, name) for name in names},
    )
    if isinstance(options, RecordedSet):
        print(list_people((recording.person, recording.path.name) for recording in options.recordings))
    with lock(Path(arguments.out), "Wait for it, stop it, or give another --out."):
        record = write_walkers(options, arguments.out, arguments.workers, command(), arguments.raw)
    counts = record["counts"]
    print(f"{arguments.out}: {counts['ids']} people, {counts['sequences']} sequences, {counts['frames']} frames")
    for note in partition_notes(options):
        print(f"Note: {note}")
    return 0
