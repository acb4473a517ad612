"""``meshgait identify``: who are these people?"""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_device, add_index, check_out
from opengait_meshgait.common.errors import UserError

_FAR = 0.01  # of --validation


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="For each probe, name the people of the gallery whose nearest sequence is nearest to it. Both are "
        "files that `meshgait embed` wrote with one model.",
    )
    result.add_argument("--gallery", required=True, type=Path, metavar="E1.npz", help="who can be recognised")
    result.add_argument("--probe", required=True, type=Path, metavar="E2.npz", help="who is to be recognised")
    result.add_argument("--top", type=int, default=5, metavar="N", help="people to name (default: %(default)s)")
    result.add_argument("--metric", choices=["euc", "cos"], help="distance (default: as the model's config says)")
    add_index(
        result,
        "faiss: look at a part of a large gallery, for thousands of probes, and say how many of the nearest people "
        "that finds",
    )
    result.add_argument("--json", type=Path, metavar="FILE", help="write all of it there, and print a summary only")
    unknown = result.add_argument_group("unknown people")
    how = unknown.add_mutually_exclusive_group()
    how.add_argument("--unknown", metavar="T", help="rejection threshold: a distance, or a file that --save wrote")
    how.add_argument(
        "--validation", type=Path, metavar="V.npz", help="learn the threshold: people in neither, walking twice or more"
    )
    unknown.add_argument(
        "--far", type=float, help=f"false-accept rate (FAR) that --validation is to allow (default: {_FAR})"
    )
    unknown.add_argument("--save", type=Path, metavar="T.json", help="keep what was learnt, for --unknown")
    add_device(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Identify."""
    for option in ("json", "save"):
        if getattr(arguments, option) is not None:
            check_out(arguments, ".json", option)
    if arguments.validation is None:
        if arguments.save is not None:
            raise UserError("--save keeps what is learnt from --validation V.npz: give that too.")
        if arguments.far is not None:
            raise UserError(
                "--far is the rate that --validation V.npz is learnt for: give that too, or leave --far out."
            )
    from opengait_meshgait.common.distributed import pick_device
    from opengait_meshgait.common.files import write_json
    from opengait_meshgait.inference.embeddings import check_comparable, read_embeddings, shared_sequences
    from opengait_meshgait.inference.identify import (
        check_validation,
        identify,
        learn_threshold,
        parse_threshold,
        write_threshold,
    )

    device = pick_device(arguments.device)
    gallery, probes = read_embeddings(arguments.gallery), read_embeddings(arguments.probe)
    check_comparable(gallery, probes)
    metric = arguments.metric or gallery.metric
    threshold = None
    if arguments.validation is not None:
        validation = read_embeddings(arguments.validation)
        check_comparable(gallery, validation)
        note = check_validation(validation, gallery, probes)
        far = _FAR if arguments.far is None else arguments.far
        threshold = learn_threshold(validation, far, metric, device)
        print(threshold.in_words())
        if note:
            print(f"Note: {note}")
        if arguments.save is not None:
            write_threshold(arguments.save, threshold)
    elif arguments.unknown is not None:
        threshold = parse_threshold(arguments.unknown)
    found = identify(gallery, probes, arguments.top, metric, threshold, device, arguments.index)
    if found.recall is not None:
        print(found.recall.in_words())
    if arguments.json is not None:
        write_json(arguments.json, {"gallery": gallery.source, "probe": probes.source, **found.to_json()})
    else:
        print("\n".join(found.lines()))
    print(found.summary(gallery))
    if same := len(shared_sequences(probes, gallery)):
        print(f"Note: {same} of the {len(probes)} probes are sequences of the gallery, and find themselves.")
    return 0
