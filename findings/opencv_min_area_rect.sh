#!/usr/bin/env bash
# The smallest rectangle around a silhouette has another angle since OpenCV 4.13, and its sides are swapped: in 4.12 a
# walker who leans by 5 degrees is (31 wide, 101 high, 5 degrees), in 4.13 (101, 31, -85). An upright one is lying in
# both. It bites where lean or width over height of a silhouette is a feature: half of the sequences change when OpenCV
# is updated, without an error. The corners (cv2.boxPoints) stay: take lean and size from them, or from central moments.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check)
"${pip[@]}" numpy==2.2.6
"${pip[@]}" --no-deps --target "$folder/old" opencv-python-headless==4.12.0.88
"${pip[@]}" --no-deps --target "$folder/new" opencv-python-headless==4.13.0.92
cat > "$folder/lean.py" <<'PYTHON'
import sys

import cv2
import numpy as np

print("OpenCV", cv2.__version__)
found = {}
for lean in (-20, -5, 0, 5, 20):
    corners = cv2.boxPoints(((64.0, 64.0), (30.0, 100.0), float(lean)))
    silhouette = cv2.fillPoly(np.zeros((128, 128), np.uint8), [corners.round().astype(np.int32)], 255)
    outline = cv2.findContours(silhouette, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    rectangle = cv2.minAreaRect(outline)
    top = np.sort(cv2.boxPoints(rectangle)[:, 1])
    found[lean] = [round(v) for v in (*rectangle[1], rectangle[2])]
    print(f"lean {lean:4}: sides and angle {found[lean]}, lowest and highest corner {top[0]:.0f}, {top[-1]:.0f}")
expected = {
    "old": {-20: [101, 31, 70], -5: [101, 31, 85], 0: [100, 30, 90], 5: [31, 101, 5], 20: [31, 101, 20]},
    "new": {-20: [31, 101, -20], -5: [31, 101, -5], 0: [100, 30, -90], 5: [101, 31, -85], 20: [101, 31, -70]},
}
assert found == expected[sys.argv[1]], "the rectangles are no longer these"
PYTHON
for version in old new; do
  PYTHONPATH="$folder/$version" "$folder/venv/bin/python" "$folder/lean.py" "$version"
done
