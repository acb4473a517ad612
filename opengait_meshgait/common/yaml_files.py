"""YAML as this package reads it: variants, and the numbers of YAML 1.2."""

import re
from pathlib import Path
from typing import Any

import yaml

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.variants import enable_variants


class _Loader(yaml.SafeLoader):
    """YAML 1.1, in which ``1e-4`` would be text, with the numbers of YAML 1.2."""


enable_variants(_Loader)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_yaml(path: str | Path) -> Any:
    """What a config file holds.

    Raises:
        UserError: it cannot be read, or is not YAML.
    """
    try:
        with Path(path).open(encoding="utf-8") as stream:
            return yaml.load(stream, _Loader)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Shipped files: configs/meshgait/*.yaml.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error


def parse_yaml(text: str) -> Any:
    """The value that ``text`` means.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, _Loader)
