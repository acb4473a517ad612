"""A page that plays a sequence: pictures, and meshes to turn with the mouse. Nothing outside the file is needed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from opengait_meshgait.visual.drawing import ESTIMATED, TRUE, data_uri, draw_heatmaps, draw_markers
from opengait_meshgait.visual.frames import BodyFrame, BodyFrames
from opengait_meshgait.visual.page import PageSection, write_page

_MS = 80  # a frame
_SLIDER = 0.17  # of the width are left of the slider, for the buttons
_WIDE, _NARROW = 560, 780  # px, height of the panels in one row, and of two rows of them
# The scenes are looked at from one place: turning one turns the other. On a telephone there are two rows of panels.
_SCRIPT = """
var page = document.getElementById('{plot_id}'), scenes = ['scene', 'scene2'], layouts = LAYOUTS, shown;
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
function arrange() {
  var wanted = page.clientWidth < 700 ? 1 : 0;
  if (wanted !== shown) {
    shown = wanted;
    page.parentNode.style.height = layouts[shown].height + 'px';
    Plotly.relayout(page, layouts[shown]);
  }
}
window.addEventListener('resize', arrange);
arrange();
"""


def write_player(path: str | Path, shown: BodyFrames) -> None:
    """Write the page, some 5 MB and for each frame 40 kB, or 75 kB with true bodies of 1723 vertices, atomically."""
    notes = [
        f"{len(shown)} frames. The bodies turn with the mouse; sizes are for a person of {shown.stature:g} m.",
        *([f"Mean error of the markers: {shown.mean_error}."] if shown.mean_error else []),
        *([f"Mean IoU of mesh and silhouette: {shown.mean_iou}."] if shown.mean_iou else []),
        *(f"Note: {note}." for note in shown.notes),
    ]
    figure = _figure(shown)
    layouts = json.dumps([_layout(figure), _layout(_panels(shown, narrow=True))])
    plot = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        auto_play=False,
        post_script=_SCRIPT.replace("LAYOUTS", layouts),
        config={"displayModeBar": False, "responsive": True},
    )
    write_page(path, shown.name, " ".join(notes), [PageSection(markup=plot)])


def _figure(shown: BodyFrames) -> go.Figure:
    figure = _panels(shown, narrow=False)
    for column, trace in _traces(shown, shown.frames[0], whole=True):
        figure.add_trace(trace, row=1, col=column)
    figure.frames = [
        go.Frame(
            data=[trace for _, trace in _traces(shown, frame, whole=False)],
            name=str(number),
            traces=list(range(len(figure.data))),
        )
        for number, frame in zip(shown.numbers, shown.frames)
    ]
    figure.update_scenes(**_scene(shown))
    figure.update_layout(
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        showlegend=False,
        # The camera stays where the mouse brought it.
        uirevision="one",
        updatemenus=[_buttons()],
        sliders=[_slider(shown)],
    )
    return figure


def _panels(shown: BodyFrames, narrow: bool) -> go.Figure:
    """Empty panels with their titles: all in a row; ``narrow``, two pictures above, and what turns below."""
    titles = ["markers: found red, true green" if shown.has_truth else "markers", "heatmaps"]
    titles.append("markers found" if shown.frames[0].vertices is None else "mesh and markers found")
    titles += ["true mesh"] if shown.has_truth else []
    scenes = len(titles) - 2
    pictures, turning = [{"type": "xy"}] * 2, [{"type": "scene"}] * scenes
    if narrow:
        below = turning if scenes == 2 else [{"type": "scene", "colspan": 2}, None]
        titles[0] = titles[0].replace(": ", "<br>")
        layout = {
            "rows": 2,
            "cols": 2,
            "specs": [pictures, below],
            "row_heights": [0.38, 0.62],
            "vertical_spacing": 0.1,
        }
    else:
        layout = {"cols": len(titles), "specs": [pictures + turning]}
        layout["column_widths"] = [0.19] * 2 + [0.62 / scenes] * scenes
    figure = make_subplots(horizontal_spacing=0.01, subplot_titles=titles, **layout)
    figure.update_annotations(font_size=12 if narrow else 13)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain")
    return figure.update_layout(height=_NARROW if narrow else _WIDE)


def _layout(panels: go.Figure) -> dict[str, Any]:
    """Where the panels of a figure lie, as changes for plotly.js."""
    layout = panels.layout.to_plotly_json()
    changes = {
        f"{name}.domain": layout[name]["domain"] for name in layout if re.fullmatch(r"[xy]axis\d*|scene\d*", name)
    }
    changes |= {"annotations": layout["annotations"], "height": layout["height"]}
    # The slider beside the buttons, or where that is too narrow, below them.
    x, y = (0.0, -0.12) if layout["height"] == _NARROW else (_SLIDER, -0.02)
    return changes | {"sliders[0].x": x, "sliders[0].len": 1 - x, "sliders[0].y": y}


def _traces(
    shown: BodyFrames, frame: BodyFrame, whole: bool
) -> Iterator[tuple[int, go.Image | go.Mesh3d | go.Scatter3d]]:
    """What a frame shows, and in which column; not ``whole``: only what changes from frame to frame."""
    silhouette = frame.silhouette
    pictures = (
        draw_markers(silhouette, frame.markers, frame.true_markers),
        draw_heatmaps(frame.heatmaps, frame.extent.half_width, silhouette),
    )
    for column, picture in enumerate(pictures, 1):
        # As PNG, the smooth heatmaps would take more space than all the rest.
        yield column, go.Image(source=data_uri(picture, ".jpg"))
    if frame.vertices is not None:
        yield 3, _mesh(frame, _millimetres(shown, frame.vertices), ESTIMATED, whole)
    x, y, z = _millimetres(shown, frame.markers)
    style = {
        "mode": "markers", "marker": {"size": 3, "color": "rgb(235,75,60)"},
        "text": [f"marker {number}" for number in range(len(frame.markers))], "hoverinfo": "text",
    }  # fmt: skip
    yield 3, go.Scatter3d(x=x, y=y, z=z, **(style if whole else {}))
    if shown.has_truth:
        true = frame.true_vertices
        # A mesh cannot be left out of one frame: where it is not known, it is a point.
        true = np.zeros_like(frame.vertices) if true is None else true
        yield 4, _mesh(frame, _millimetres(shown, true), TRUE, whole)


def _mesh(frame: BodyFrame, points: np.ndarray, colour: tuple[int, int, int], whole: bool) -> go.Mesh3d:
    x, y, z = points
    if not whole:
        return go.Mesh3d(x=x, y=y, z=z)
    i, j, k = np.ascontiguousarray(frame.faces.T.astype(np.uint16))
    lighting = {"ambient": 0.35, "diffuse": 0.6, "specular": 0.05, "roughness": 0.9, "fresnel": 0.05}
    light = {"x": -6000, "y": -3000, "z": 6000}
    return go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, color="rgb({},{},{})".format(*colour), hoverinfo="skip",
        lighting=lighting, lightposition=light,
    )  # fmt: skip


def _millimetres(shown: BodyFrames, points: np.ndarray) -> np.ndarray:
    """Crop space ``[P, 3]`` as x to the right, y away from the camera, z up from the soles, int16 ``[3, P]``.

    Whole millimetres take a quarter of the space of numbers in text, and half of that of floats.
    """
    right, down, away = points.T
    return np.rint(np.stack([right, away, 1 - down]) * (1000 * shown.stature)).astype(np.int16)


def _scene(shown: BodyFrames) -> dict:
    """One box around all bodies of all frames."""
    bodies = [body for frame in shown.frames for body in (frame.markers, frame.vertices, frame.true_vertices)]
    points = _millimetres(shown, np.concatenate([body for body in bodies if body is not None])).T
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


def _slider(shown: BodyFrames) -> dict:
    at_once = {"frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}, "mode": "immediate"}
    steps = [
        {"label": f"{number}{shown.figures(frame)}", "method": "animate", "args": [[str(number)], at_once]}
        for frame, number in enumerate(shown.numbers)
    ]
    return {
        "steps": steps, "x": _SLIDER, "len": 1 - _SLIDER, "y": -0.02, "yanchor": "top", "pad": {"t": 10},
        "currentvalue": {"prefix": "frame ", "font": {"size": 14, "color": "#46525f"}}, "ticklen": 0, "minorticklen": 0,
        "font": {"color": "rgba(0,0,0,0)"}, "transition": {"duration": 0},
    }  # fmt: skip
