"""SMPL-format bodies, virtual markers and crop space."""
