"""The public interface is listed and typed, and costs no PyTorch before it is used."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import opengait_meshgait
from opengait_meshgait import api

FUNCTIONS = sorted(set(opengait_meshgait.__all__) - {"__version__"})


def test_everything_listed_is_there_and_documented():
    assert FUNCTIONS == ["load", "load_config", "test", "train"]
    for name in api.__all__:
        assert getattr(api, name).__doc__, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_one_signature(name):
    thin, real = (inspect.signature(getattr(module, name)).parameters for module in (opengait_meshgait, api))
    assert list(thin) == list(real)
    assert [p.default for p in thin.values()] == [p.default for p in real.values()]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_pass_every_argument_on(name, monkeypatch):
    real = getattr(api, name)
    home = sys.modules[real.__module__]
    given = {parameter: object() for parameter in inspect.signature(real).parameters}
    monkeypatch.setattr(home, name, lambda *args, **named: inspect.signature(real).bind(*args, **named).arguments)
    assert getattr(opengait_meshgait, name)(**given) == given


def test_typed_for_type_checkers():
    assert (Path(opengait_meshgait.__file__).parent / "py.typed").exists()
    for name in FUNCTIONS:
        signature = inspect.signature(getattr(opengait_meshgait, name))
        assert signature.return_annotation is not signature.empty
        assert all(p.annotation is not p.empty for p in signature.parameters.values())


def test_the_package_and_the_help_need_no_torch():
    code = """
import sys, time
start = time.process_time()
import opengait_meshgait, opengait_meshgait.cli.main
seconds = time.process_time() - start
assert 'torch' not in sys.modules and 'numpy' not in sys.modules, 'imported PyTorch or NumPy'
assert seconds < 0.3, seconds
try:
    opengait_meshgait.cli.main.main(['--help'])
except SystemExit:
    pass
assert 'torch' not in sys.modules, '--help imported PyTorch'
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
