"""Walkers: synthetic people who walk, seen as silhouettes, with their bodies as ground truth."""

from opengait_meshgait.walkers.dataset import write_walkers
from opengait_meshgait.walkers.options import WalkerSet, parse_seqs, parse_views, partition_notes
from opengait_meshgait.walkers.recordings import choose_walkers

__all__ = ["WalkerSet", "choose_walkers", "parse_seqs", "parse_views", "partition_notes", "write_walkers"]
