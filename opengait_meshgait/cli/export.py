"""``meshgait export``: a trained model as an ONNX file."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_model, check_out


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Write a trained model as an ONNX file: embeddings from silhouettes, for sequences of any length, "
        "without classifier and body. It is checked and timed beside PyTorch, for which the packages of the extra "
        "`export` are needed.",
    )
    add_model(result)
    result.add_argument("--out", required=True, type=Path, metavar="M.onnx", help="file to write")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Export."""
    check_out(arguments, ".onnx")
    from opengait_meshgait.inference import load
    from opengait_meshgait.inference.export import export

    done = export(load(arguments.ckpt, arguments.cfgs, "cpu"), arguments.out)
    taken = f"silhouettes [1, s, {', '.join(map(str, done.input_shape))}]"
    times = ", ".join(f"{name} {value:.1f} ms" for name, value in done.milliseconds.items())
    print(
        f"{arguments.out}: {done.size / 1e6:.2f} MB, embeddings {list(done.shape)} from {taken}, s from "
        f"{done.shortest}\n"
        f"onnxruntime is within {done.difference:.1g} of PyTorch at s = {', '.join(map(str, done.lengths))}\n"
        f"a sequence of 30 frames: {times} (median of interleaved runs, threads: {done.threads})"
    )
    return 0
