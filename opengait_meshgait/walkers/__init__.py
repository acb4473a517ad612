"""Walkers: synthetic people who walk, seen as silhouettes, with their bodies as ground truth."""

from opengait_meshgait.walkers.dataset import write_walkers
from opengait_meshgait.walkers.options import WalkerSet, lone_testers, parse_seqs, parse_views
from opengait_meshgait.walkers.person import Person, WalkName
from opengait_meshgait.walkers.recordings import RecordedSet
from opengait_meshgait.walkers.sequence import make_scene, render_walk

__all__ = [
    "Person",
    "RecordedSet",
    "WalkName",
    "WalkerSet",
    "lone_testers",
    "make_scene",
    "parse_seqs",
    "parse_views",
    "render_walk",
    "write_walkers",
]
