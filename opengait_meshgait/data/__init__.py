from opengait_meshgait.data.collate import Batch, FrameSampling
from opengait_meshgait.data.dataset import GaitDataset, SequenceTable, check_sequences
from opengait_meshgait.data.layout import has_validation_people
from opengait_meshgait.data.loader import InferenceSampler, TripletSampler, make_loader, whole_sequences
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
    "has_validation_people",
    "make_loader",
    "whole_sequences",
]
