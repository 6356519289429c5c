"""What every test shares: float64, one thread, fixed seeds, headless Chromium."""

import logging
import os
import random
import shutil
from collections import Counter

# Two torch threads on a loaded machine cost far more than they bring; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import hypothesis
import pytest
import torch

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

torch.set_default_dtype(torch.float64)  # also for tensors that test modules make at import
torch.set_num_threads(1)
hypothesis.settings.register_profile("workbench", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("workbench")


class _Loggers(dict):
    """Before every test pytest walks these, while the worker of a screen may import some more."""

    def values(self):
        return list(super().values())


logging.root.manager.loggerDict = _Loggers(logging.root.manager.loggerDict)


def pytest_collection_modifyitems(items):
    """Files of many slow tests first: at the end, one of them leaves the other process idle."""
    slow = Counter(
        item.path for item in items for mark in ("slow", "browser") if item.get_closest_marker(mark)
    )
    items.sort(key=lambda item: -slow[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Every test draws the same numbers, whatever ran before it and whichever process runs it.
    Without Chromium a browser test is skipped with its reason, and fails where CI=true."""
    random.seed(0)
    torch.manual_seed(0)
    if item.get_closest_marker("browser") and CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium on the PATH, and CI=true demands it", pytrace=False)
        pytest.skip("there is no Chromium on the PATH")


@pytest.fixture(autouse=True)
def _float64():
    """float64 in every test, also after one that changed the default."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float64)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """The system's Chromium, kept from talking to anyone but the page under test."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Where the app is served, once for all browser tests."""
    from browsing import app

    yield from app(tmp_path_factory.mktemp("app") / "log")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab, once for all browser tests: its address and the folder of its notebooks."""
    from browsing import jupyter

    yield from jupyter(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("lab_log") / "log")
