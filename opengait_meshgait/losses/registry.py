"""The losses a config may name."""

from opengait_meshgait.common.registry import Registry

LOSSES = Registry("loss")
