"""FVG becomes training data: `meshgait prepare fvg`, runnable by path.

python datasets/pretreatment/fvg.py --root RAW --out PREPARED
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package need not be installed

from opengait_meshgait.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["prepare", "fvg", *sys.argv[1:]]))
