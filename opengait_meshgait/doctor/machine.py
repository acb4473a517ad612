"""What the doctor asks of the machine: Python, its packages, the device. Nothing here needs them to be there."""

import configparser
import os
import platform
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

import opengait_meshgait
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.doctor.checks import NotApplicable

_DISTRIBUTION = "opengait-meshgait"
# Any of the four wheels of OpenCV brings cv2.
_AS_GOOD = {
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
}
_FOR_DEVELOPERS = "dev"


def check_python_packages() -> str:
    """Python and the packages this one needs, against the ranges that it asks for.

    Raises:
        UserError: some are missing or of another version.
    """
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    python, required, optional = _requirements()
    problems, found, wanted = [], [], []
    if platform.python_version() not in SpecifierSet(python):
        problems.append(f"Python is {platform.python_version()}; {python} is needed. Make an environment with one.")
    for requirement in map(Requirement, required):
        present = _installed(requirement.name)
        if present is None:
            problems.append(f"{requirement} is not installed.")
        elif not requirement.specifier.contains(present, prereleases=True):
            problems.append(f"{requirement.name} is {present}; {requirement.specifier} is needed.")
        else:
            found.append(f"{requirement.name} {present}")
            continue
        wanted.append(f"'{requirement}'")
    if wanted:
        problems.append(f"Install: pip install {' '.join(wanted)}")
    if problems:
        raise UserError("\n".join(problems))
    absent = [f"{name} ({extra})" for extra, name in optional if _installed(Requirement(name).name) is None]
    more = f"; optional and not installed: {', '.join(absent)}" if absent else ""
    return f"Python {platform.python_version()}, {', '.join(found)}{more}"


def check_device(opengait: bool) -> str:
    """What a training would run on.

    Raises:
        UserError: OpenGait is to train, and there is no GPU.
    """
    import torch

    if opengait and torch.cuda.device_count() == 0:
        raise UserError("OpenGait needs CUDA, and PyTorch sees no GPU here. Without --opengait, CPUs will do.")
    if torch.cuda.is_available():
        gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        return f"CUDA: {', '.join(f'{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB' for gpu in gpus)}"
    built = "" if torch.version.cuda else ", PyTorch is built without CUDA"
    return f"CPU: {torch.get_num_threads()} threads on {os.cpu_count()} cores{built}"


def _requirements() -> tuple[str, list[str], list[tuple[str, str]]]:
    """Versions of Python, requirements, and optional ones with the extra that they belong to."""
    try:
        about = metadata(_DISTRIBUTION)
    except PackageNotFoundError:
        return _from_source()
    lines = [line.partition(";") for line in about.get_all("Requires-Dist", [])]
    required = [line.strip() for line, _, marker in lines if "extra" not in marker]
    optional = [
        (extra, line.strip())
        for extra in about.get_all("Provides-Extra", [])
        for line, _, marker in lines
        if extra != _FOR_DEVELOPERS and f'"{extra}"' in marker.replace("'", '"')
    ]
    return about["Requires-Python"], required, optional


def _from_source() -> tuple[str, list[str], list[tuple[str, str]]]:
    """The same, where the package is not installed and runs from its source tree."""
    setup = configparser.ConfigParser()
    if not setup.read(Path(opengait_meshgait.__file__).parents[1] / "setup.cfg", encoding="utf-8"):
        raise NotApplicable("the package is not installed: nothing says which versions it needs")
    extras = setup["options.extras_require"]
    optional = [(e, name) for e in extras if e != _FOR_DEVELOPERS for name in extras[e].split()]
    return setup["options"]["python_requires"], setup["options"]["install_requires"].split(), optional


def _installed(name: str) -> str | None:
    """The version of a distribution, or of one as good."""
    for candidate in (name, *_AS_GOOD.get(name, ())):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return None
