"""``meshgait markers``: the virtual markers of a body."""

import argparse
from pathlib import Path

FEWEST, MOST = 16, 96


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    actions = result.add_subparsers(dest="action", required=True, metavar="ACTION")

    learn = actions.add_parser(
        "learn",
        help="learn markers for a body",
        description="Learn virtual markers for a body by archetypal analysis, and print how well meshes and joints are "
        "rebuilt from them, beside farthest-point markers, for people and poses not learned from. The same machine "
        "writes the same bytes every time.",
    )
    _add_body(learn)
    learn.add_argument(
        "--poses",
        metavar="DATASET",
        help="take people and poses from the body frames of this prepared dataset, id/type/view/*smpl*.pkl (default: "
        "poses that come with the package)",
    )
    learn.add_argument("--k", type=_count, default=64, help=f"markers, {FEWEST} to {MOST} (default: %(default)s)")
    _add_out(learn, "MARKERS.npz", "file to write; a config names it in model_cfg.body_cfg.markers")

    show = actions.add_parser(
        "show",
        help="draw markers on their body",
        description="Draw the markers, numbered, on the body at rest: from the front, the left side and the back.",
    )
    _add_body(show)
    show.add_argument("--markers", metavar="FILE", help="of this body (default: the stand-in body's)")
    _add_out(show, "PICTURE.png", "picture to write")

    importing = actions.add_parser(
        "import",
        help="convert the published markers of SMPL",
        description="Convert the virtual markers that Ma et al. publish for SMPL (repository ShirleyMaxx/"
        "VirtualMarker), and print how well meshes are rebuilt from them. They cover SMPL without its head; the "
        "head's weights are fitted here.",
    )
    importing.add_argument(
        "--from",
        dest="folder",
        required=True,
        metavar="FOLDER",
        help="with vm_A_sym.npz, vm_B_sym.npz and vm_info.npz, for example VirtualMarker/assets/64",
    )
    importing.add_argument(
        "--indices",
        metavar="FILE",
        help="smpl_indices.pkl, among the SMPL files that VirtualMarker's README links (default: in FOLDER)",
    )
    importing.add_argument("--body", required=True, metavar="FILE", help="SMPL's, for example SMPL_NEUTRAL.pkl")
    _add_out(importing, "MARKERS.npz", "file to write; a config names it in model_cfg.body_cfg.markers")
    return result


def _add_body(action: argparse.ArgumentParser) -> None:
    action.add_argument("--body", metavar="FILE", help="SMPL-format .npz or .pkl (default: the stand-in body)")


def _add_out(action: argparse.ArgumentParser, metavar: str, text: str) -> None:
    action.add_argument("--out", required=True, type=Path, metavar=metavar, help=text)


def _count(text: str) -> int:
    if not text.isdecimal() or not FEWEST <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of markers from {FEWEST} to {MOST}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    from opengait_meshgait.cli.arguments import check_out
    from opengait_meshgait.prepare import markers as marker_actions

    check_out(arguments, ".png" if arguments.action == "show" else ".npz")
    if arguments.action == "learn":
        marker_actions.learn(arguments.body, arguments.poses, arguments.k, arguments.out)
    elif arguments.action == "show":
        marker_actions.show(arguments.body, arguments.markers, arguments.out)
    else:
        marker_actions.convert(arguments.folder, arguments.indices, arguments.body, arguments.out)
    return 0
