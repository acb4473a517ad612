"""``meshgait embed``: sequences of silhouettes become embeddings."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_device, add_model, add_precision, check_out


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Embed all sequences of a folder or a file with a trained model, for `meshgait identify`.",
    )
    add_model(result)
    result.add_argument(
        "--in",
        dest="source",
        required=True,
        type=Path,
        metavar="PATH",
        help="id/type/view/*.pkl (prepared) or *.png (raw), a folder of one sequence's PNGs, an .npz of arrays "
        "[s, h, w] named as the people, or a .pkl",
    )
    result.add_argument("--out", required=True, type=Path, metavar="E.npz", help="file of embeddings")
    result.add_argument(
        "--largest",
        action="store_true",
        help="keep the largest connected part of each raw picture alone: without specks, and without other people",
    )
    add_device(result)
    add_precision(result, "auto", "auto")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Embed."""
    check_out(arguments, ".npz")
    from opengait_meshgait.inference import load
    from opengait_meshgait.inference.embeddings import embed_to_file

    model = load(arguments.ckpt, arguments.cfgs, arguments.device, arguments.precision)
    done = embed_to_file(model, arguments.source, arguments.out, largest=arguments.largest)
    channels, parts = model.embedding_shape
    print(
        f"{arguments.out}: {done.sequences} sequences of {done.people} people, {channels} x {parts} numbers each, by "
        f"model {model.fingerprint} in {model.precision}; {done.seconds:.1f} s "
        f"({done.sequences / done.seconds:.1f} sequences/s)"
    )
    for remark in done.remarks:
        print(f"Note: {remark}")
    return 0
