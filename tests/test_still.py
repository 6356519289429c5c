"""Still pictures: figures as SVG, and screens where no kernel runs."""

import json
import math
import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from io import BytesIO

import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
from nbconvert import HTMLExporter
from nbformat import v4
from PIL import Image

from workbench import views
from workbench.errors import Unsupported
from workbench.views.figure_widgets import Library, empty_figure, show_figure
from workbench.views.ground import own
from workbench.views.renderer import NAME, still_figures
from workbench.views.still import mark, still
from workbench.views.style import GROUNDS, axis, layout
from workbench.views.svg import image, svg

SPACE = "{http://www.w3.org/2000/svg}"


def figure(*data, **shape):
    return {"data": list(data), "layout": layout(False, 300, **shape)}


def drawn(*data, **shape):
    return ET.fromstring(svg(figure(*data, **shape)))


def texts(tree):
    return ["".join(one.itertext()) for one in tree.iter(f"{SPACE}text")]


def circles(tree):
    return [tuple(float(c.get(k)) for k in ("cx", "cy")) for c in tree.iter(f"{SPACE}circle")]


def points(path):
    return [tuple(map(float, p.split())) for p in re.findall(r"[ML](-?[\d.]+ -?[\d.]+)", path)]


def test_marks_stand_where_axes_have_them():
    tree = drawn(
        {"type": "scatter", "mode": "markers", "x": [0, 5, 10], "y": [1e-6, 1e-3, 1.0]},
        xaxis=axis(False, range=[0, 10]), yaxis=axis(False, type="log", range=[-6, 0]),
    )  # fmt: skip
    (x0, y0), (x1, y1), (x2, y2) = circles(tree)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1) and x2 - x0 > 500
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1) and y0 - y2 > 200
    assert {"0", "2", "10", "10−6", "1"} <= set(texts(tree))  # raised letters are letters here


def test_words_are_escaped_and_raised():
    tree = drawn(
        {"type": "bar", "orientation": "h", "x": [1, 2], "y": ["a & b", "<script>"]},
        xaxis=axis(False, title={"text": "log<sub>10</sub> P"}),
    )
    assert {"a & b", "<script>", "log10 P"} <= set(texts(tree))
    (lowered,) = [t for t in tree.iter(f"{SPACE}tspan") if t.text == "10" and t.get("dy")]
    assert float(lowered.get("dy").removesuffix("em")) > 0


def test_bars_are_as_long_as_their_numbers():
    tree = drawn(
        {"type": "bar", "x": ["a", "b"], "y": [1.0, 3.0], "marker": {"color": "#123456"}},
        yaxis=axis(False, range=[0, 4]), showlegend=False,
    )  # fmt: skip
    tall = [float(r.get("height")) for r in tree.iter(f"{SPACE}rect") if r.get("fill") == "#123456"]
    assert tall[1] == pytest.approx(3 * tall[0], rel=0.01)


def test_a_histogram_counts_what_numpy_counts():
    seen = np.random.default_rng(0).normal(size=400)
    tree = drawn(
        {"type": "histogram", "x": seen, "xbins": {"start": -4, "end": 4, "size": 1},
         "histnorm": "percent", "marker": {"color": "#123456"}},
        yaxis=axis(False, range=[0, 100]),
    )  # fmt: skip
    tall = [float(r.get("height")) for r in tree.iter(f"{SPACE}rect") if r.get("fill") == "#123456"]
    counts = np.histogram(seen, np.arange(-4, 5))[0]
    whole = sum(tall)
    assert [t / whole for t in tall] == pytest.approx(list(counts / counts.sum()), abs=0.002)


def test_a_line_of_equal_height_is_round_where_the_field_is():
    at = np.linspace(-2, 2, 81)
    z = at[:, None] ** 2 + at[None, :] ** 2
    field = {
        "type": "contour", "x": at, "y": at, "z": z, "line": {"color": "#123456", "width": 2},
        "contours": {"start": 1, "end": 1, "size": 1, "coloring": "none"},
    }  # fmt: skip
    ends = axis(False, range=[-2, 2])
    tree = drawn(field, xaxis=ends, yaxis={**ends, "scaleanchor": "x"})
    (line,) = [p for p in tree.iter(f"{SPACE}path") if p.get("stroke") == "#123456"]
    ring = np.array(points(line.get("d")))
    radii = np.hypot(*(ring - (ring.max(0) + ring.min(0)) / 2).T)
    assert len(ring) > 50 and radii.std() < 0.01 * radii.mean()


def test_a_grid_has_a_pixel_a_cell_and_its_first_row_below():
    z = [[0.0, 1.0, None], [1.0, 0.0, 1.0]]
    scale = [[0, "#000000"], [1, "rgba(255,0,0,.5)"]]
    tree = drawn({"type": "heatmap", "z": z, "zmin": 0, "zmax": 1, "colorscale": scale})
    (cells,) = tree.iter(f"{SPACE}image")
    seen = Image.open(BytesIO(b64decode(cells.get("href").partition(",")[2]))).convert("RGBA")
    assert seen.size == (3, 2)
    assert seen.getpixel((0, 1)) == (0, 0, 0, 255) and seen.getpixel((2, 1))[3] == 0
    assert seen.getpixel((1, 1)) == (255, 0, 0, 128)


def test_what_no_screen_draws_is_refused():
    with pytest.raises(Unsupported, match="'pie'"):
        svg(figure({"type": "pie", "values": [1, 2]}))


def test_arrays_as_plotly_writes_them_are_read():
    one = go.Figure(go.Scatter(x=np.arange(30.0), y=np.arange(30.0) ** 2)).to_dict()
    assert "bdata" in one["data"][0]["y"] and len(points(svg(one))) >= 30


def test_figures_of_a_notebook_leave_a_picture():
    import plotly.io as pio

    before = pio.renderers.default
    try:
        still_figures()
        made = pio.renderers._build_mime_bundle(go.Figure(go.Bar(y=[1, 2])).to_dict())
    finally:
        pio.renderers.default = before
        del pio.renderers._renderers[NAME]
    assert "data:image/svg+xml" in made["text/html"]
    assert "application/vnd.plotly.v1+json" in made


def test_a_chart_holds_what_it_shows_for_a_page_that_opens_later():
    charts = [empty_figure(200), empty_figure(300)]
    wide = axis(False, range=[0, 9])
    shown = figure({"type": "bar", "x": np.arange(2), "y": [5, math.nan]}, xaxis=wide)
    show_figure(charts[0], shown)
    state = charts[0].get_state()
    assert state["shelf"] == charts[0]._held.model_id != charts[1].shelf
    (trace,) = json.loads(charts[0]._held.get_state()["text"])["data"]
    assert trace["x"] == [0, 1] and trace["y"] == [5, None]
    assert charts[0].shown["layout"]["xaxis"]["range"] == [0, 9]
    assert charts[1].shown == {"data": [], "layout": {"height": 300}}
    assert state["library"] == charts[1].library == Library.one().model_id
    assert "Plotly" in Library.one().text
    assert len(json.dumps(state)) < 10_000  # its script is the library's, which all share


def test_a_closed_library_is_replaced():
    first = Library.one()
    name = first.model_id
    assert Library.one() is first
    first.close()
    assert Library.one().model_id not in (None, name)


def face(kind):
    """A small laboratory, run to its end."""
    make = views.laboratory if kind == "panel" else views.laboratory_widgets
    return make("gliders", side=256, horizon=3, seed=3)


@pytest.mark.parametrize("kind", ["panel", "widgets"])
def test_a_screen_shows_its_results_where_no_kernel_runs(kind, monkeypatch):
    view = face(kind)
    try:
        view.session.play()
        view.finish()
        shown = []
        monkeypatch.setattr("IPython.display.display", lambda *data, **_: shown.extend(data))
        view._ipython_display_()
    finally:
        view.session.close()
    live, picture = shown
    assert "text/plain" not in live  # else a page would show it
    html = picture["text/html"]
    assert "Generation 3" in html and html.count("data:image/svg+xml") == 1
    assert "data:image/png" in html and "<button" not in html
    if kind == "widgets":
        assert "application/vnd.jupyter.widget-view+json" in live
    worn = view.layout.css_classes if kind == "panel" else view._dom_classes
    (name,) = [c for c in worn if c.startswith("wb-live-")]
    assert f"body:has(.{name}) .wb-still-{name} {{ display: none; }}" in html

    cell = v4.new_code_cell(
        "view", outputs=[v4.new_output("display_data", data) for data in shown], execution_count=1
    )
    book = v4.new_notebook(cells=[cell])
    nbformat.validate(book)
    page, _ = HTMLExporter().from_notebook_node(book)
    assert "Generation 3" in page and "data:image/svg+xml" in page


def test_other_screens_have_their_words_numbers_and_charts():
    view = views.explore_widgets("A_d10_1e-6")
    try:
        picture = still(view, live=mark())
    finally:
        view.session.close()
    assert "A_d10_1e-6" in picture and "covariance propagation" in picture
    assert "Budget: <b>1,000,000</b>" in picture
    assert "ws-estimate-moments" in picture and "wb-estimate-moments" not in picture
    pictures = re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", picture)
    trees = [ET.fromstring(b64decode(one)) for one in pictures]
    assert len(trees) == 2
    assert any("truth" in texts(tree) for tree in trees)


@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_brings_the_ground_on_which_it_can_be_read(dark):
    shown = figure({"type": "bar", "y": [1]}) | {"layout": layout(dark, 300)}
    assert GROUNDS[dark] in image(shown)
    view = views.compare_widgets(["A_d10_1e-6"], estimators=["moments"], dark=dark)
    try:
        picture = still(view.finish(), dark)
    finally:
        view.session.close()
    assert own(dark) in picture
    assert "covariance propagation" in picture and "\u22126.00" in picture  # it has run
    assert "<button" not in picture


def test_finish_waits_no_longer_than_it_may():
    view = face("widgets")
    try:
        view.session.horizon = 100_000
        view.session.play()
        assert view.finish(patience=0.0) is view
        assert view.session.worker.busy
    finally:
        view.session.close()


def test_pictures_are_told_to_those_who_do_not_see():
    assert image(figure({"type": "bar", "y": [1]}), told="a 'bar'").startswith(
        "<img alt='a &#x27;bar&#x27;'"
    )


def test_an_axis_that_two_others_share_is_drawn_once_and_an_area_has_its_own_sample():
    area = {"x": [0, 4, 4, 0], "y": [1, 1, 2, 2], "fill": "toself", "fillcolor": "#123456"}
    tree = drawn(
        {"type": "scatter", "mode": "lines", "name": "area", **area, "line": {"width": 0}},
        {"type": "scatter", "mode": "lines", "x": [0, 4], "y": [7, 9], "yaxis": "y2", "name": "b"},
        xaxis=axis(False, title={"text": "step"}), yaxis2=axis(False, side="right"),
        showlegend=True,
    )  # fmt: skip
    assert texts(tree).count("step") == 1 and texts(tree).count("4") == 1
    assert "#123456" in [r.get("fill") for r in tree.iter(f"{SPACE}rect")]
