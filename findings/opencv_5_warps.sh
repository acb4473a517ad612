#!/usr/bin/env bash
# OpenCV 5 moves pictures exactly where OpenCV 4 rounded every source position to 1/32 of a pixel. Of a silhouette that
# is turned by a few degrees, about half of the grey pixels of the outline differ by up to 5 levels, and a shift of less
# than 1/64 of a pixel, which did nothing, now changes every outline. cv2.resize is the same in both. It bites where
# training augments with cv2.warpAffine or warpPerspective, as OpenGait does: the same seed no longer gives the same
# batch. Note the version of OpenCV beside the seed, and compare runs of one version only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check)
"${pip[@]}" numpy==2.2.6 scipy==1.15.3
"${pip[@]}" --no-deps --target "$folder/4" opencv-python-headless==4.13.0.92
"${pip[@]}" --no-deps --target "$folder/5" opencv-python-headless==5.0.0.93
cat > "$folder/turn.py" <<'PYTHON'
import sys

import cv2
import numpy as np
from scipy import ndimage

print("OpenCV", cv2.__version__)
five = sys.argv[1] == "5"
silhouette = cv2.ellipse(np.zeros((64, 44), np.uint8), (22, 32), (9, 28), 5, 0, 360, 255, -1)
for degrees in (3, -7, 10):
    matrix = cv2.getRotationMatrix2D((22, 32), degrees, 1.0)
    back = cv2.invertAffineTransform(matrix)
    y, x = np.mgrid[:64, :44]
    source = [back[i, 0] * x + back[i, 1] * y + back[i, 2] for i in (1, 0)]
    exact = ndimage.map_coordinates(silhouette.astype(float), source, order=1, mode="constant")
    error = np.abs(cv2.warpAffine(silhouette, matrix, (44, 64)) - exact)
    outline = int(((exact > 0) & (exact < 255)).sum())
    print(f"{degrees:3} degrees: {(error > 1).sum()} of {outline} grey pixels off by over 1, {error.max():.1f} at most")
    assert error.max() < 0.6 if five else error.max() > 3, "the warps are no longer as exact, or as rough, as this"
shifted = cv2.warpAffine(silhouette, np.float64([[1, 0, 0.01], [0, 1, 0]]), (44, 64))
changed = int((shifted != silhouette).sum())
print("a shift of 0.01 pixels changes", changed, "pixels")
assert (changed > 0) is five, "such a shift no longer does this"
small = cv2.resize(silhouette, (33, 48), interpolation=cv2.INTER_CUBIC)
print("sum of the silhouette resized to 48 x 33:", int(small.sum()))
assert int(small.sum()) == 122025, "resizing changed, too"
PYTHON
for version in 4 5; do
  PYTHONPATH="$folder/$version" "$folder/venv/bin/python" "$folder/turn.py" "$version"
done
