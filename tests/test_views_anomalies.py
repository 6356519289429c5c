"""The laboratory of anomalies: judged in the worker, drawn in both faces."""

import time

import pytest

from workbench.views.anomaly_session import AnomalySession
from workbench.views.lab_anomalies import ANOMALIES
from workbench.views.lab_screen import LabScreen
from workbench.views.lab_widgets import LabWidgets


@pytest.fixture(scope="module")
def session():
    made = AnomalySession(bed="mintree", inputs=40)
    made.begin()
    deadline = time.monotonic() + 60
    while "anomalous" not in made.accounts and time.monotonic() < deadline:
        time.sleep(0.05)
    yield made
    made.close()


def test_a_testbed_is_judged_in_the_worker(session):
    assert session.explanation.share >= 0.9
    assert list(session.accounts) == ["normal", "anomalous"]
    assert session.areas()["normal"] == 0.5  # the trigger takes the usual path: nothing is left
    assert session.areas("surprise")["normal"] > 0.95


@pytest.mark.parametrize("face", [LabScreen, LabWidgets])
def test_both_faces_draw_it(session, face):
    shown = face(ANOMALIES, session)
    shown.paint()
    for block in ANOMALIES.blocks:
        assert block.draw(session, False, block.height)["data"]
    assert "Area under the ROC curve" in ANOMALIES.blocks[1].say(session)
    assert "explain" in ANOMALIES.blocks[2].say(session)
