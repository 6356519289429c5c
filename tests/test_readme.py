"""What README.md and the documentation show works: Python, commands, and `make lab`."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/guide").glob("*.md")),
]
BLOCKS = {page: BLOCK.findall(page.read_text()) for page in PAGES}
LINES = [
    pytest.param(page, shlex.split(line, comments=True)[1:], id=f"{page.stem}: {line}")
    for page, blocks in BLOCKS.items()
    for language, text in blocks
    if language == "bash"
    for line in text.splitlines()
    if line.startswith("workbench ")
]
STARTS = {"serve", "lab"}  # run until they are stopped: only asked for help here
LAB_SECONDS = 60


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Of a page: a folder in which all its Python has run, top to bottom; and what it printed.

    In a fresh interpreter, so that it meets the defaults that a reader has.
    """

    @cache
    def run(page):
        folder = tmp_path_factory.mktemp(page.stem)
        code = "\n".join(text for language, text in BLOCKS[page] if language == "python")
        if not code:
            return folder, ""
        script = folder / "page.py"
        script.write_text(code)
        command = [sys.executable, "-W", "error", script.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return folder, done.stdout

    return run


def test_readme_has_the_promised_blocks():
    blocks = BLOCKS[ROOT / "README.md"]
    assert sum(language == "python" for language, _ in blocks) >= 2
    mine = [line.values[1][0] for line in LINES if line.values[0].name == "README.md"]
    assert set(mine) >= {"new", "list", "estimate", "compare", "bench", "schema"}


def test_python_blocks_run_and_print_what_their_comments_say(shown):
    folder, printed = shown(ROOT / "README.md")
    assert (folder / "mine.zip").exists()
    answers = [line for line in printed.splitlines() if not line.startswith("  beware: ")]
    truth, moments, conditioned, weighed, climbed, counted, *_ = answers
    assert truth.startswith("-7.01")
    assert moments.startswith("Estimate(log10 P = -7.39") or "= -7.4" in moments
    assert conditioned.startswith("Estimate(log10 P = -7.00")
    assert re.search(
        r"perhaps 0\.0(2[5-9]|3[0-4])\d* digits off, .* 3,[67]\d\d forwards", conditioned
    )
    for sampled in (weighed, climbed):
        found = re.search(r"= (-?[\d.]+) \+- ([\d.]+)", sampled)
        assert found is not None
        assert abs(float(found[1]) - float(truth)) < 4 * float(found[2])
    assert "log10 P = -inf" in counted


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_python_of_every_page_runs(page, shown):
    _, printed = shown(page)
    assert printed or not any(language == "python" for language, _ in BLOCKS[page])


@pytest.mark.parametrize(("page", "words"), LINES)
def test_command_runs(page, words, shown, monkeypatch, capsys):
    from workbench.cli import main

    folder, _ = shown(page)
    if words[0] in STARTS:
        words = [words[0], "--help"]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["workbench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    assert captured.out.strip()


def test_every_command_named_in_the_text_exists(monkeypatch, capsys):
    from workbench.cli import main

    text = BLOCK.sub("", "\n".join(page.read_text() for page in PAGES))
    named = {words.split()[0] for words in re.findall(r"`workbench ([a-z][^`]*)`", text)}
    assert STARTS & named
    for name in sorted(named):
        monkeypatch.setattr(sys, "argv", ["workbench", name, "--help"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, name
        assert f"workbench {name}" in capsys.readouterr().out


def test_every_file_named_in_the_text_exists():
    text = "\n".join(page.read_text() for page in PAGES)
    named = re.findall(r"`((?:workbench|tests|notebooks|data|docs)/[\w./]+\.\w+)`", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def lab_is_installed():
    """Whether `make lab` would start at once: what it would do has no installation in it."""
    if not (ROOT / ".venv").exists():
        return False
    plan = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True)
    return plan.returncode == 0 and "pip install" not in plan.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.slow
def test_make_lab_starts_answers_and_stops(tmp_path):
    if not lab_is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail("make has no finished .venv here, and CI=true demands it", pytrace=False)
        pytest.skip("make has no finished .venv here: run `make lab` once")
    port = free_port()
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = {**os.environ, **{name: str(tmp_path / name) for name in folders}}
    command = ["make", "lab", f"ARGS=--no-browser --port {port} --ServerApp.port_retries=0"]
    log = tmp_path / "lab.log"
    with log.open("w") as sink:
        lab = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        deadline = time.monotonic() + LAB_SECONDS
        while not answers(f"http://127.0.0.1:{port}/api"):
            assert lab.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        assert "00_tour.ipynb" in log.read_text()
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        try:
            lab.wait(20)
        finally:
            if lab.poll() is None:
                os.killpg(lab.pid, signal.SIGKILL)
    assert not answers(f"http://127.0.0.1:{port}/api")
