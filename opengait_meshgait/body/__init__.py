"""SMPL-format bodies, virtual markers and crop space."""

from opengait_meshgait.body.crop import (
    CropFrame,
    crop_frame,
    flip_crop,
    from_crop,
    median_column,
    render_crop,
    to_crop,
    to_pixels,
)
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import VirtualMarkers, load_markers, save_markers
from opengait_meshgait.body.model import JOINT_FLIP, JOINT_NAMES, BodyModel
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.body.supervision import BodyFlips, BodySupervision, BodyTargets, load_supervision

__all__ = [
    "JOINT_FLIP",
    "JOINT_NAMES",
    "BodyFlips",
    "BodyModel",
    "BodySupervision",
    "BodyTargets",
    "CropFrame",
    "VirtualMarkers",
    "crop_frame",
    "flip_crop",
    "from_crop",
    "load_body",
    "load_markers",
    "load_supervision",
    "median_column",
    "rasterize",
    "render_crop",
    "save_markers",
    "to_crop",
    "to_pixels",
]
