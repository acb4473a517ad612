"""What `meshgait view` shows, and where: pictures, pages, films and meshes of one sequence."""

import copy
import pickle
import re
import shutil

import cv2
import numpy as np
import pytest
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.overlap import draw_meshes
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference import load, view
from opengait_meshgait.inference.silhouettes import SilhouetteSize
from opengait_meshgait.inference.view import read_input, reconstruct_frames, upright, write_view
from opengait_meshgait.networks import load_checkpoint
from opengait_meshgait.visual import frames as film_file
from opengait_meshgait.visual.drawing import HEIGHT, LEFT, LINE, WIDTH
from opengait_meshgait.visual.frames import draw_frame

SIZE = SilhouetteSize(64, 64, 44)
SEQUENCE = "0003/nm-01/090"


def run(checkpoint, source, out, *more):
    return main(["view", "--ckpt", str(checkpoint), "--in", str(source), "--out", str(out), "--device", "cpu", *more])


@pytest.fixture
def stack(tmp_path, sequences):
    """An .npz of one sequence, without bodies."""
    np.savez(tmp_path / "stack.npz", ann=sequences[0])
    return tmp_path / "stack.npz"


def test_upright():
    head, sole, nearer = upright(np.array([[0.1, 0, 0], [0, 1, 0], [0, 0.5, -0.2]], np.float32))
    np.testing.assert_allclose([head, sole, nearer], [[0.1, 1, 0], [0, 0, 0], [0, 0.5, 0.2]])
    assert head.dtype == np.float32


def test_what_is_seen(model, dataset):
    sequence = read_input(dataset / SEQUENCE, SIZE)
    assert sequence.name == "0003-nm-01-090"
    numbers = np.arange(len(sequence.silhouettes))
    shown = reconstruct_frames(model, sequence, numbers)
    np.testing.assert_array_equal([frame.silhouette for frame in shown.frames], sequence.silhouettes.pictures)
    with (dataset / SEQUENCE / "1-smpls.pkl").open("rb") as file:
        targets = model.body(torch.from_numpy(pickle.load(file))[None])
    markers = np.stack([frame.markers for frame in shown.frames])
    distance = np.linalg.norm(markers - targets.markers[0].numpy(), axis=-1).mean(1)
    np.testing.assert_allclose(shown.errors_mm, 1000 * distance * targets.height[0].numpy(), rtol=1e-4)
    np.testing.assert_array_equal([frame.true_vertices for frame in shown.frames], targets.vertices[0])
    np.testing.assert_array_equal([frame.true_markers for frame in shown.frames], targets.markers[0])
    assert shown.mean_error == f"{shown.errors_mm.mean():.0f} mm"
    assert shown.frames[0].extent.half_width == 44 / 128
    vertices = torch.from_numpy(np.stack([frame.vertices for frame in shown.frames]))
    drawn = draw_meshes(vertices, model.body.body.faces, 64, 44).numpy()
    seen = sequence.silhouettes.pictures[:, :, 10:54] > 127
    np.testing.assert_allclose(shown.ious, (drawn & seen).sum((1, 2)) / (drawn | seen).sum((1, 2)))
    last = reconstruct_frames(model, sequence, numbers[-1:])
    np.testing.assert_allclose(last.frames[0].markers, markers[-1], atol=1e-6)
    np.testing.assert_allclose(last.errors_mm, shown.errors_mm[-1:], rtol=1e-4)


def test_frames_without_a_true_body(model, dataset, tmp_path):
    folder = tmp_path / "a" / "b" / "c"
    shutil.copytree(dataset / SEQUENCE, folder)
    count = len(read_input(folder, SIZE).silhouettes)
    with (folder / "2-weights.pkl").open("wb") as file:
        pickle.dump(np.array([0.0] + [1.0] * (count - 1), np.float32), file)
    shown = reconstruct_frames(model, read_input(folder, SIZE), np.arange(count))
    assert (shown.name, shown.error(0)) == ("a-b-c", "")
    assert shown.error(1).endswith(" mm")
    assert np.isnan(shown.errors_mm[0])
    assert shown.frames[0].true_markers is None and shown.frames[0].true_vertices is None
    assert "no true body" in shown.notes[0]
    assert len(draw_frame(shown.frames[0], {"": 0}, shown.has_truth)) == 5


def test_pages(checkpoint, dataset, tmp_path, capsys):
    assert run(checkpoint, dataset / SEQUENCE, tmp_path / "v.html") == 0
    out = capsys.readouterr().out
    page = (tmp_path / "v.html").read_text(encoding="utf-8")
    frames = len(read_input(dataset / SEQUENCE, SIZE).silhouettes)
    assert f"0003-nm-01-090, {frames} frames, markers " in out
    # plotly.js is inside, and nothing is fetched.
    assert 3e6 < len(page) < 9e6
    assert "<script src=" not in page
    assert "<link" not in page
    frames_of_the_page = page.rpartition("Plotly.addFrames(")[2]
    assert frames_of_the_page.count('"name":') == frames
    assert frames_of_the_page.count('"mesh3d"') == 2 * frames
    assert f"{frames - 1}, marker error " in page
    assert "true mesh" in page
    assert "<h1>0003-nm-01-090</h1>" in page
    assert re.search(r"Mean error of the markers: \d+ mm\.", page)
    # The network is not trained, and its mesh no body: that is said, and every frame is marked.
    iou = re.search(r"IoU of mesh and silhouette (0\.\d\d)\n", out)[1]
    assert f"Mean IoU of mesh and silhouette: {iou}." in page
    assert page.count(" (low)") == frames
    assert (
        f"Note: in {frames} of these frames, marked low, the mesh covers its silhouette badly (IoU below 0.70)" in out
    )


def test_films(checkpoint, stack, tmp_path, monkeypatch):
    monkeypatch.setattr(film_file, "_FPS", 5)
    monkeypatch.setattr(film_file, "_SECONDS", 1)
    assert run(checkpoint, stack, tmp_path / "v.mp4") == 0
    film = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    pictures = []
    while (picture := film.read()[1]) is not None:
        pictures.append(picture)
    # Three frames, shown again until a second is full: silhouette, heatmaps, markers and one mesh.
    assert len(pictures) == 6
    assert pictures[0].shape == (HEIGHT + 2 * LINE, 4 * WIDTH, 3)
    mesh = [picture[LINE:-LINE, 3 * WIDTH :].astype(int) for picture in pictures]
    assert np.abs(mesh[0] - mesh[3]).max() > 50  # the same frame from another side
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".npz"] == ["v.mp4"]


def test_films_without_a_writer(model, stack, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2.VideoWriter, "isOpened", lambda self: False)
    with pytest.raises(UserError, match="no FFMPEG"):
        write_view(model, stack, tmp_path / "v.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["stack.npz"]


def test_films_on_a_full_disk(model, stack, tmp_path, room):
    room(4000)
    with pytest.raises(UserError, match="pictures: is the disk full"):
        write_view(model, stack, tmp_path / "v.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["stack.npz"]


def test_sheets(model, dataset, stack, tmp_path, monkeypatch):
    monkeypatch.setattr(view, "_SHEET", 2)
    shown = write_view(model, dataset / SEQUENCE, tmp_path / "v.png")
    assert list(shown.numbers) == [0, len(read_input(dataset / SEQUENCE, SIZE).silhouettes) - 1]
    # Silhouette, heatmaps, markers, and two meshes from two sides.
    expected = (7 * HEIGHT + 3 * LINE, LEFT + 2 * WIDTH, 3)
    assert cv2.imread(str(tmp_path / "v.png")).shape == expected
    write_view(model, stack, tmp_path / "v.png")
    assert cv2.imread(str(tmp_path / "v.png")).shape[0] == 5 * HEIGHT + 2 * LINE


def test_meshes(checkpoint, model, stack, sequences, tmp_path):
    assert run(checkpoint, stack, tmp_path / "v.obj", "--frame", "2") == 0
    lines = (tmp_path / "v.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    faces = np.array([line.split()[1:] for line in lines if line.startswith("f ")], int)
    expected = model.reconstruct(sequences[0][2:])
    np.testing.assert_allclose(vertices[:, 1], 1.7 * (1 - expected.vertices[0, :, 1]), atol=2e-5)
    np.testing.assert_allclose(vertices[:, 2], -1.7 * expected.vertices[0, :, 2], atol=2e-5)
    np.testing.assert_array_equal(faces - 1, expected.faces)
    write_view(model, stack, tmp_path / "v.obj")
    assert "frame 1;" in (tmp_path / "v.obj").read_text()


def test_other_programs_read_the_mesh(model, stack, tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="needs trimesh: pip install '.[tools]'")
    write_view(model, stack, tmp_path / "v.obj")
    mesh = trimesh.load(tmp_path / "v.obj", process=False)
    body = load_body()
    assert (mesh.vertices.shape, mesh.faces.shape) == ((body.num_vertices, 3), tuple(body.faces.shape))


def test_without_a_body(change, checkpoint, dataset, tmp_path, capsys):
    config = copy.deepcopy(load_checkpoint(checkpoint)["config"])
    config["model_cfg"]["body_cfg"]["body"] = "elsewhere/body.npz"
    other = change(config=config)
    assert run(other, dataset / SEQUENCE, tmp_path / "v.png") == 0
    assert "elsewhere/body.npz (body_cfg.body) is not here: markers only, no mesh." in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "v.png")).shape[0] == 3 * HEIGHT + LINE
    assert run(other, dataset / SEQUENCE, tmp_path / "v.html") == 0
    assert "mesh3d" not in (tmp_path / "v.html").read_text(encoding="utf-8").rpartition("Plotly.addFrames(")[2]
    with pytest.raises(UserError, match="there is no mesh"):
        write_view(load(other, device="cpu"), dataset / SEQUENCE, tmp_path / "v.obj")


def test_without_heatmaps(model, stack, tmp_path, monkeypatch):
    monkeypatch.setitem(model.net._modules, "HeatmapEstimator", None)
    with pytest.raises(UserError, match="silhouettes only"):
        write_view(model, stack, tmp_path / "v.png")


def test_long_sequences(model, stack, tmp_path, monkeypatch):
    monkeypatch.setattr(view, "_FILM", 2)
    monkeypatch.setattr(film_file, "_SECONDS", 1)
    shown = write_view(model, stack, tmp_path / "v.mp4")
    assert (len(shown), shown.notes[0]) == (2, "the first 2 of 3 frames")


@pytest.mark.parametrize(
    ("out", "more", "message"),
    [
        ("v.gif", [], r"ends in '.gif', and there is .html .*, .mp4 .*, .png .*, .obj"),
        ("v", [], "ends in ''"),
        ("v.png", ["--frame", "1"], "--frame is for the mesh of one frame"),
        ("v.obj", ["--frame", "3"], "frames 0 to 2, and --frame is 3"),
        ("v.obj", ["--frame", "-1"], "frames 0 to 2"),
    ],
)
def test_wrong_wishes(checkpoint, stack, tmp_path, capsys, out, more, message):
    assert run(checkpoint, stack, tmp_path / out, *more) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / out).exists()


def test_wrong_sequences(dataset, tmp_path, sequences):
    with pytest.raises(UserError, match="holds 16 sequences .*name its folder"):
        read_input(dataset, SIZE)
    np.savez(tmp_path / "two.npz", ann=sequences[0], bob=sequences[1])
    with pytest.raises(UserError, match="holds 2 sequences .*a file of one"):
        read_input(tmp_path / "two.npz", SIZE)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "0-sils.pkl").touch()
    with pytest.raises(UserError, match="empty"):
        read_input(tmp_path / "x", SIZE)
    with (tmp_path / "x" / "0-sils.pkl").open("wb") as file:
        pickle.dump(np.pad(sequences[0], ((0, 0), (1, 1), (1, 1))), file)
    with pytest.raises(UserError, match="was trained on 64 x 64: prepare them with --size 64"):
        read_input(tmp_path / "x", SIZE)
    with (tmp_path / "x" / "0-sils.pkl").open("wb") as file:
        pickle.dump(sequences[0], file)
    with (tmp_path / "x" / "1-joints.pkl").open("wb") as file:
        pickle.dump(np.ones((3, 24, 3), np.float32), file)
    found = read_input(tmp_path / "x", SIZE)
    assert found.bodies is None
    assert "joints alone" in found.notes[0]
