"""Walkers: synthetic people who walk, seen as silhouettes, with their bodies as ground truth."""

from opengait_meshgait.walkers.dataset import write_walkers
from opengait_meshgait.walkers.options import WalkerSet, parse_seqs, parse_views, partition_notes
from opengait_meshgait.walkers.person import Person, WalkName
from opengait_meshgait.walkers.recordings import RecordedSet, choose_walkers
from opengait_meshgait.walkers.sequence import make_scene

__all__ = [
    "Person",
    "RecordedSet",
    "WalkName",
    "WalkerSet",
    "choose_walkers",
    "make_scene",
    "parse_seqs",
    "parse_views",
    "partition_notes",
    "write_walkers",
]
