from opengait_meshgait.data.collate import Batch
from opengait_meshgait.data.dataset import GaitDataset, SequenceTable, check_sequences
from opengait_meshgait.data.frames import FrameSampling
from opengait_meshgait.data.loader import make_loader, whole_sequences
from opengait_meshgait.data.samplers import InferenceSampler, TripletSampler
from opengait_meshgait.data.transforms import build_transforms

__all__ = [
    "Batch",
    "FrameSampling",
    "GaitDataset",
    "InferenceSampler",
    "SequenceTable",
    "TripletSampler",
    "build_transforms",
    "check_sequences",
    "make_loader",
    "whole_sequences",
]
