"""Mesh-Gait inside OpenGait: its trainer, sampler and evaluator around the same network.

``model``, ``register`` and ``inside`` import OpenGait's own packages (``modeling``,
``data``, ``utils``, ``evaluation``), so they can be imported in a running OpenGait only.
"""
