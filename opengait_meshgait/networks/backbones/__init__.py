"""Silhouette backbones, under OpenGait's names."""

from opengait_meshgait.networks.backbones.gaitgl import GaitGL
from opengait_meshgait.networks.backbones.plain import GaitPart, GaitSet, Plain
from opengait_meshgait.networks.backbones.residual import DeepGaitV2, ResNet9
from opengait_meshgait.networks.backbones.swingait import SwinGait

__all__ = ["DeepGaitV2", "GaitGL", "GaitPart", "GaitSet", "Plain", "ResNet9", "SwinGait"]
