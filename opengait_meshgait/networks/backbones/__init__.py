"""Silhouette backbones, under OpenGait's names."""

from opengait_meshgait.networks.backbones.deepgaitv2 import DeepGaitV2
from opengait_meshgait.networks.backbones.gaitgl import GaitGL
from opengait_meshgait.networks.backbones.gaitpart import GaitPart
from opengait_meshgait.networks.backbones.gaitset import GaitSet
from opengait_meshgait.networks.backbones.plain import Plain
from opengait_meshgait.networks.backbones.resnet9 import ResNet9
from opengait_meshgait.networks.backbones.swingait import SwinGait

__all__ = ["DeepGaitV2", "GaitGL", "GaitPart", "GaitSet", "Plain", "ResNet9", "SwinGait"]
