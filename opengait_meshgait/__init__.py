"""Mesh-Gait for OpenGait: gait recognition that learns 3D from plain silhouettes."""

__version__ = "0.1.0"
