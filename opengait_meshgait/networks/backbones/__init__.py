"""Silhouette backbones, under OpenGait's names."""

from opengait_meshgait.networks.backbones.plain import Plain
from opengait_meshgait.networks.backbones.resnet9 import ResNet9

__all__ = ["Plain", "ResNet9"]
