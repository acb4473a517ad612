"""``meshgait view``: look at what a trained model finds in a sequence."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_device, add_model, check_out


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Show a sequence with the heatmaps, markers and meshes that a trained model finds in it, beside "
        "the true ones where the folder has them: as a page that plays it and lets the bodies turn by mouse (.html), a "
        "film (.mp4), a sheet of pictures (.png), or the mesh of one frame (.obj, m, y up).",
    )
    add_model(result)
    result.add_argument(
        "--in",
        dest="source",
        required=True,
        type=Path,
        metavar="SEQ",
        help="one sequence: its folder id/type/view of pickles, a folder of its PNGs, an .npz of one array [s, h, w], "
        "or a .pkl",
    )
    result.add_argument("--out", required=True, type=Path, metavar="V.html|.mp4|.png|.obj", help="file to write")
    result.add_argument("--frame", type=int, metavar="N", help="of an .obj, from 0 (default: the middle one)")
    add_device(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Look."""
    from opengait_meshgait.inference import load
    from opengait_meshgait.inference.view import check_ending, write_view

    check_ending(arguments.out, arguments.frame)
    check_out(arguments, arguments.out.suffix.lower())
    model = load(arguments.ckpt, arguments.cfgs, arguments.device)
    shown = write_view(model, arguments.source, arguments.out, arguments.frame)
    error = f", markers {shown.mean_error} from the true ones" if shown.mean_error else ""
    overlap = f", IoU of mesh and silhouette {shown.mean_iou}" if shown.mean_iou else ""
    print(f"{arguments.out}: {shown.name}, {len(shown)} frame{'s' if len(shown) > 1 else ''}{error}{overlap}")
    for note in shown.notes:
        print(f"Note: {note}.")
    return 0
