"""What the documentation shows runs: README.md's and CONTRIBUTING.md's blocks in their order, at tiny size.

How a line becomes tiny: ``meshgait walkers`` makes the people of ``TINY_WALKERS``; whatever reads a config gets the
settings ``TINY`` after its own, so that checkpoints are those of iteration 2. The processes of ``--nproc`` are this
one. Lines that install something, need OpenGait, raw data or long are only parsed.
"""

import importlib
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_meshgait.cli.main import COMMANDS, main
from opengait_meshgait.common.configs import CONFIG_NAMES
from opengait_meshgait.common.files import read_pickle
from opengait_meshgait.networks.registry import BACKBONES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TINY_WALKERS = shlex.split("--ids 6 --train 4 --views 0,90 --seqs nm:2 --frames 5 --workers 1")
TINY = shlex.split(
    "--set trainer_cfg.total_iter=2 trainer_cfg.save_iter=2 trainer_cfg.sampler.batch_size=[2,2] "
    "trainer_cfg.sampler.frames_num_fixed=3 trainer_cfg.enable_float16=false data_cfg.num_workers=0"
)


def blocks(text, language):
    """The contents of fenced blocks."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def section(page, title):
    """The text under a heading of the second level."""
    return (ROOT / page).read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def lines(text):
    """The words of every line of shell blocks."""
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|\|", line):
                if words := shlex.split(command, comments=True):
                    yield words


def meshgait(words):
    """The arguments of ``meshgait`` in a line, None where it runs something else."""
    return words[1:] if words[0] == "meshgait" else None


def run(arguments):
    """Run a line of ``meshgait`` at tiny size."""
    if arguments[0] == "walkers":
        arguments = [*arguments, *TINY_WALKERS]
    elif arguments[0] in ("doctor", "train", "test"):
        arguments = [*arguments, *TINY]
    if arguments[0] in ("train", "test", "lda", "embed", "identify", "view"):
        arguments = [*arguments, "--device", "cpu"]
    if "--nproc" in arguments:
        place = arguments.index("--nproc")
        arguments = arguments[:place] + arguments[place + 2 :]
    arguments = [word.replace("-01000.pt", "-00002.pt") for word in arguments]
    if arguments[0] == "report":
        arguments[1:] = sorted(map(str, Path().glob(arguments[1])))
    assert main(arguments) == 0, shlex.join(arguments)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, from which modules are imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def parse(arguments):
    """Parse a line of ``meshgait`` as the command itself does."""
    assert arguments[0] in COMMANDS
    return importlib.import_module(f"opengait_meshgait.cli.{arguments[0]}").parser("meshgait").parse_args(arguments[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page):
    found = [arguments for words in lines(page.read_text(encoding="utf-8")) if (arguments := meshgait(words))]
    for arguments in found:
        if "f98e3bc" not in arguments:
            parse(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configs_and_links_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\b((?:gait3d|oumvlp|walkers|demo)[a-z0-9_]*)\.yaml", text):
        assert name in CONFIG_NAMES, name
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            linked = (page.parent / file) if file else page
            assert linked.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings], target


def test_lengths():
    for page in ("README.md", "docs/results.md"):
        assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= 150


def test_readme(folder, capsys):
    """First "Use it", then "Around a trained model" with what came out."""
    commands = [*map(meshgait, lines(section("README.md", "Use it")))]
    assert commands.pop(0) is None  # pip install
    for arguments in commands:
        run(arguments)
    assert (folder / "walkers_lda.pt").exists()
    (folder / "C.pt").symlink_to(folder / "walkers_lda.pt")
    people = sorted(path for path in (folder / "output/walkers").iterdir() if path.is_dir())
    for name, persons in (("gallery", people[:2]), ("people", people[2:])):
        (folder / name).mkdir()
        for person in persons:
            (folder / name / person.name).symlink_to(person)
    sils = [read_pickle(next((person / "nm-02/090").glob("*sil*.pkl"))) for person in people[:2]]
    np.savez(folder / "visitors.npz", first=sils[0], second=sils[1])
    for arguments in map(meshgait, lines(section("README.md", "Around a trained model"))):
        # The validation set of this test is small, and an export takes long; tests/inference/test_export.py has it.
        arguments = ["0.2" if word == "0.01" else word for word in arguments]
        (parse if arguments[0] == "export" else run)(arguments)
    out = capsys.readouterr().out
    assert "2 probes" in out
    assert "Rejection threshold" in out
    names = {"sils": sils[0]}
    for block in blocks(section("README.md", "Around a trained model"), "python"):
        exec(block, names)
    assert names["e"].shape[0] == 1
    assert names["metres"].shape == (5, 24, 3)


def write_files(text):
    """Blocks that begin with the name of a file become that file; other Python blocks are returned."""
    rest = []
    for block in blocks(text, "yaml") + blocks(text, "python"):
        name = re.match(r"# (\w+\.(?:py|yaml))\b", block)
        if name:
            Path(name[1]).write_text(block, encoding="utf-8")
        else:
            rest.append(block)
    return rest


@pytest.mark.parametrize("title", ["Add a backbone", "Add a loss", "Add a dataset"])
def test_contributing(title, folder, monkeypatch):
    text = section("CONTRIBUTING.md", title)
    assert not write_files(text)
    assert len(text.splitlines()) <= 60  # a page
    run(["walkers", "--out", "output/walkers"])
    for words in lines(text):
        arguments = meshgait(words)
        if arguments[0] == "prepare":
            draw_pictures(folder / "output/walkers", folder / "pictures")
            assert main(arguments) == 0
        else:
            run(arguments)
    if title == "Add a backbone":
        assert "TwoConvolutions" not in BACKBONES.entries


def draw_pictures(dataset, pictures):
    """The silhouettes of a dataset as PNG files."""
    for path in dataset.glob("*/*/*/*sil*.pkl"):
        target = pictures / path.parent.relative_to(dataset)
        target.mkdir(parents=True)
        for number, frame in enumerate(read_pickle(path)):
            cv2.imwrite(str(target / f"{number:03}.png"), np.kron(frame, np.ones((2, 2), np.uint8)))
