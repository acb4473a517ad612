"""Preparing silhouettes: this package beside OpenGait's ``pretreatment.py``, on the same pictures and cores.

    python tools/prepare_speed.py OPENGAIT_ROOT [--raw FOLDER] [--canvas 640 480] [--workers 2] [--rounds 5]

Without --raw, 2,000 pictures of walkers are made, 180 x 180 px; --canvas puts them into larger ones, as cameras give
them. The two work in turn, each in a process of its own, after one round that fills the system's cache and is not
counted; then every sequence is compared, byte for byte. Prints the seconds (smallest, median, largest) of the work
without the imports and of the whole process, the medians of the rounds' ratios, and how many frames were equal.
"""

import argparse
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

PACKAGE = Path(__file__).resolve().parents[1]
WALKERS = ["--ids", "5", "--views", "0,45,90,135,180", "--seqs", "nm:2,cl:2", "--frames", "20"]


THEIRS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import pretreatment
start = time.perf_counter()
pretreatment.pretreat(Path(sys.argv[2]), Path(sys.argv[3]), workers=int(sys.argv[4]))
print(time.perf_counter() - start)
"""
OURS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from opengait_meshgait.prepare.run import Preparation, prepare
start = time.perf_counter()
prepare(Preparation("generic", Path(sys.argv[2]), silhouettes_only=True), sys.argv[3], int(sys.argv[4]))
print(time.perf_counter() - start)
"""


def seconds(code: str, *arguments: object) -> tuple[float, float]:
    """Run a program that prints how long it worked: that, and how long its process took."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return float(done.stdout.split()[-1]), time.perf_counter() - start


def enlarge(raw: Path, width: int, height: int) -> None:
    """Put each picture into the middle of a black one."""
    for path in raw.rglob("*.png"):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        canvas = np.zeros((height, width), np.uint8)
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        cv2.imwrite(str(path), canvas)


def compare(theirs: Path, ours: Path) -> tuple[int, int]:
    """How many frames are equal, and how many there are in either."""
    equal = total = 0
    for pickled in sorted(theirs.glob("*/*/*/*.pkl")):
        left = pickle.loads(pickled.read_bytes())
        right = pickle.loads((ours / pickled.relative_to(theirs).parent / "0-sils.pkl").read_bytes())
        total += max(len(left), len(right))
        if left.shape == right.shape and left.dtype == right.dtype:
            equal += int((left == right).all((1, 2)).sum())
    if len(list(theirs.glob("*/*/*"))) != len(list(ours.glob("*/*/*"))):
        raise SystemExit("The two prepared different sequences.")
    return equal, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("opengait", type=Path, help="an OpenGait checkout")
    parser.add_argument("--raw", type=Path, help="pictures as id/type/view/*.png (default: 2,000 of walkers)")
    parser.add_argument(
        "--canvas", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="size of the pictures made, px"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of either (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of either (default: 5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        raw = options.raw
        if raw is None:
            walkers = [sys.executable, "-m", "opengait_meshgait", "walkers", "--raw", "gait3d", *WALKERS]
            subprocess.run([*walkers, "--out", str(work / "walkers")], cwd=PACKAGE, check=True)
            raw = work / "walkers" / "2D_Silhouettes"
            if options.canvas:
                enlarge(raw, *options.canvas)
        times = []
        for _ in range(options.rounds + 1):
            for out in ("theirs", "ours"):
                shutil.rmtree(work / out, ignore_errors=True)
            theirs = seconds(THEIRS, options.opengait / "datasets", raw, work / "theirs", options.workers)
            ours = seconds(OURS, PACKAGE, raw, work / "ours", options.workers)
            times.append((theirs, ours))
        for number, what in enumerate(("work", "whole process")):
            left, right = np.array([[theirs[number], ours[number]] for theirs, ours in times[1:]]).T
            for name, column in (("OpenGait", left), ("this package", right)):
                print(f"{what}, {name}: {column.min():.2f} / {np.median(column):.2f} / {column.max():.2f} s")
            print(f"{what}, ratio: {np.median(left / right):.2f}")
        equal, total = compare(work / "theirs", work / "ours")
        print(f"{equal} of {total} frames equal byte for byte")


if __name__ == "__main__":
    main()
