"""``meshgait report``: tables and pictures of results."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_out_folder


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Tables (HTML, Markdown, LaTeX, CSV) and pictures of results: CMC curves, Rank-1 by probe and "
        "gallery view, and t-SNE of embeddings. Tests of the same probes are compared, with intervals.",
    )
    result.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="results-….json of a test, the JSON of `meshgait demo` or of a benchmark, or E.npz of `meshgait embed`",
    )
    add_out_folder(result, Path("output/report"), "report.html, report.md, tables.tex, table-….csv and pictures")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Report."""
    from opengait_meshgait.benchmark.report import report_results

    print("\n".join(report_results(arguments.results, arguments.out)))
    return 0
