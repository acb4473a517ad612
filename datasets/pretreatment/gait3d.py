"""Gait3D with its 3D_SMPLs becomes training data: `meshgait prepare gait3d`, runnable by path.

python datasets/pretreatment/gait3d.py --root RAW --out PREPARED
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package need not be installed

from opengait_meshgait.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["prepare", "gait3d", *sys.argv[1:]]))
