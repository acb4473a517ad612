"""A page that plays a sequence: pictures, and meshes to turn with the mouse. Nothing outside the file is needed."""

import base64
import html
from collections.abc import Iterator
from pathlib import Path
from string import Template

import cv2
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.inference.look import Look
from opengait_meshgait.visual.pixels import ESTIMATED, TRUE, draw_heatmaps, draw_markers

_MS = 80  # a frame
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; background: #f5f6f8; margin: 0; }
  main { max-width: 1240px; margin: 0 auto; padding: 1.6rem 1.2rem 3rem; }
  h1 { font-size: 1.5rem; margin: 0 0 .2rem; letter-spacing: -.01em; }
  p { margin: .15rem 0 .5rem; color: #46525f; }
  .card { background: #fff; border: 1px solid #e2e6ea; border-radius: 10px; padding: .6rem; margin-top: 1rem; }
</style>
</head>
<body><main>
<h1>$title</h1>
$notes
<div class="card">$figure</div>
</main></body>
</html>
""")
# The scenes are looked at from one place: turning one turns the other.
_TURN_TOGETHER = """
var page = document.getElementById('{plot_id}'), scenes = ['scene', 'scene2'];
page.on('plotly_relayout', function (change) {
  scenes.forEach(function (scene, i) {
    var camera = change[scene + '.camera'];
    var other = scenes[1 - i];
    if (camera && page.layout[other] && JSON.stringify(page.layout[other].camera) !== JSON.stringify(camera)) {
      var move = {};
      move[other + '.camera'] = camera;
      Plotly.relayout(page, move);
    }
  });
});
"""


def write_page(path: str | Path, look: Look) -> None:
    """Write the page, some 5 MB and for each frame 40 kB, or 75 kB with true bodies of 1723 vertices, atomically."""
    notes = [
        f"{len(look)} frames. The bodies turn with the mouse; sizes are for a person of {look.found.stature:g} m.",
        *([f"Mean error of the markers: {look.mean_error}."] if look.mean_error else []),
        *(f"Note: {note}." for note in look.notes),
    ]
    page = _PAGE.substitute(
        title=html.escape(look.name),
        notes="\n".join(f"<p>{html.escape(note)}</p>" for note in notes),
        figure=_figure(look).to_html(
            full_html=False,
            include_plotlyjs=True,
            auto_play=False,
            post_script=_TURN_TOGETHER,
            config={"displayModeBar": False, "responsive": True},
        ),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _figure(look: Look) -> go.Figure:
    titles = ["markers" if look.truth is None else "markers: found red, true green", "heatmaps"]
    titles.append("markers found" if look.found.vertices is None else "mesh and markers found")
    titles += [] if look.truth is None else ["true mesh"]
    scenes = len(titles) - 2
    figure = make_subplots(
        cols=len(titles),
        specs=[[{"type": "xy"}] * 2 + [{"type": "scene"}] * scenes],
        column_widths=[0.19] * 2 + [0.62 / scenes] * scenes,
        horizontal_spacing=0.01,
        subplot_titles=titles,
    )
    for column, trace in _traces(look, 0, whole=True):
        figure.add_trace(trace, row=1, col=column)
    figure.frames = [
        go.Frame(
            data=[trace for _, trace in _traces(look, frame, whole=False)],
            name=str(number),
            traces=list(range(len(figure.data))),
        )
        for frame, number in enumerate(look.numbers)
    ]
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain")
    figure.update_scenes(**_scene(look))
    figure.update_layout(
        height=560,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        showlegend=False,
        # The camera stays where the mouse brought it.
        uirevision="one",
        updatemenus=[_buttons()],
        sliders=[_slider(look)],
    )
    return figure


def _traces(look: Look, frame: int, whole: bool) -> Iterator[tuple[int, go.Image | go.Mesh3d | go.Scatter3d]]:
    """What a frame shows, and in which column; not ``whole``: only what changes from frame to frame."""
    found, truth = look.found, look.truth
    silhouette = found.silhouettes[frame]
    true_markers = truth.markers[frame] if truth is not None and truth.known[frame] else None
    yield 1, go.Image(source=_data_uri(draw_markers(silhouette, found.markers[frame], true_markers)))
    yield 2, go.Image(source=_data_uri(draw_heatmaps(found.heatmaps[frame], look.half_width, silhouette)))
    if found.vertices is not None:
        yield 3, _mesh(look, found.vertices[frame], ESTIMATED, whole)
    yield 3, _dots(look, found.markers[frame], whole)
    if truth is not None:
        yield 4, _mesh(look, truth.vertices[frame], TRUE, whole)


def _mesh(look: Look, vertices: np.ndarray, colour: tuple[int, int, int], whole: bool) -> go.Mesh3d:
    x, y, z = _millimetres(look, vertices)
    if not whole:
        return go.Mesh3d(x=x, y=y, z=z)
    i, j, k = np.ascontiguousarray(look.found.faces.T.astype(np.uint16))
    lighting = {"ambient": 0.35, "diffuse": 0.6, "specular": 0.05, "roughness": 0.9, "fresnel": 0.05}
    light = {"x": -6000, "y": -3000, "z": 6000}
    return go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, color="rgb({},{},{})".format(*colour), hoverinfo="skip",
        lighting=lighting, lightposition=light,
    )  # fmt: skip


def _dots(look: Look, markers: np.ndarray, whole: bool) -> go.Scatter3d:
    x, y, z = _millimetres(look, markers)
    if not whole:
        return go.Scatter3d(x=x, y=y, z=z)
    return go.Scatter3d(
        x=x, y=y, z=z, mode="markers", marker={"size": 3, "color": "rgb(235,75,60)"},
        text=[f"marker {number}" for number in range(len(markers))], hoverinfo="text",
    )  # fmt: skip


def _millimetres(look: Look, points: np.ndarray) -> np.ndarray:
    """Crop space ``[P, 3]`` as x to the right, y away from the camera, z up from the soles, int16 ``[3, P]``.

    Whole millimetres take a quarter of the space of numbers in text, and half of that of floats.
    """
    right, down, away = points.T
    return np.rint(np.stack([right, away, 1 - down]) * (1000 * look.found.stature)).astype(np.int16)


def _scene(look: Look) -> dict:
    """One box around all bodies of all frames."""
    bodies = [points for points in (look.found.markers, look.found.vertices) if points is not None]
    if look.truth is not None:
        bodies.append(look.truth.vertices[look.truth.known])
    points = _millimetres(look, np.concatenate([body.reshape(-1, 3) for body in bodies])).T
    low, high = points.min(0).astype(float) - 30, points.max(0).astype(float) + 30
    size = (high - low) / (high - low).max()
    axes = {
        f"{name}axis": {"range": ends, "showticklabels": False, "title": "", "showspikes": False, "showgrid": False,
                        "zeroline": False, "showbackground": name == "z", "backgroundcolor": "#eef0f3"}
        for name, ends in zip("xyz", zip(low, high))
    }  # fmt: skip
    return {
        **axes,
        "aspectmode": "manual",
        "aspectratio": dict(zip("xyz", 1.5 * size)),
        # In perspective: plotly.js shades nothing in its orthographic projection.
        "camera": {"eye": {"x": 0.65, "y": -1.95, "z": 0.35}},
        "dragmode": "turntable",
    }


def _buttons() -> dict:
    playing = {"frame": {"duration": _MS, "redraw": True}, "transition": {"duration": 0}, "fromcurrent": True}
    stopping = {**playing, "frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    return {
        "type": "buttons", "direction": "left", "x": 0, "xanchor": "left", "y": -0.02, "yanchor": "top",
        "pad": {"t": 25}, "showactive": False,
        "buttons": [
            {"label": "▶ play", "method": "animate", "args": [None, playing]},
            {"label": "❚❚ stop", "method": "animate", "args": [[None], stopping]},
        ],
    }  # fmt: skip


def _slider(look: Look) -> dict:
    at_once = {"frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}, "mode": "immediate"}
    steps = []
    for frame, number in enumerate(look.numbers):
        error = look.error(frame)
        label = f"{number}, marker error {error}" if error else str(number)
        steps.append({"label": label, "method": "animate", "args": [[str(number)], at_once]})
    return {
        "steps": steps, "x": 0.17, "len": 0.83, "y": -0.02, "yanchor": "top", "pad": {"t": 10},
        "currentvalue": {"prefix": "frame ", "font": {"size": 14, "color": "#46525f"}}, "ticklen": 0, "minorticklen": 0,
        "font": {"color": "rgba(0,0,0,0)"}, "transition": {"duration": 0},
    }  # fmt: skip


def _data_uri(picture: np.ndarray) -> str:
    # As PNG, the smooth heatmaps would take more space than all the rest.
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
