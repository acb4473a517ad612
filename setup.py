"""What setup.cfg cannot say: configs/meshgait is packaged as opengait_meshgait.configs. All else is there."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["opengait_meshgait*"]), "opengait_meshgait.configs"],
    package_dir={"opengait_meshgait.configs": "configs/meshgait"},
)
