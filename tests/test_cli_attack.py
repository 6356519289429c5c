"""`workbench attack`: its keys, its lines, its runs."""

import pytest
from commands import ask, one_object, refuse, workbench

from workbench.experiments import Run

KEYS = {
    "log10_p_reference", "log10_p", "log10_p_checked", "checked_err", "nats", "family", "forwards",
    "seconds", "bound_lower_log10",
}  # fmt: skip


def test_attack_has_the_promised_keys_and_the_closed_form():
    found = ask("attack", "A_d10_1e-6", "--family", "shifted", "--nats", 2, "-e", "moments")
    assert found.keys() >= KEYS
    assert found["nats"] == pytest.approx(2.0, rel=1e-6)
    assert found["log10_p"] == pytest.approx(-2.530, abs=0.005)  # log10 Phi(2 - 4.753)
    # Five standard errors: a false alarm in a million runs.
    assert abs(found["log10_p_checked"] - found["log10_p"]) < 5 * found["checked_err"]
    assert found["bound_lower_log10"] < -6.0
    nats, log10_p = zip(*found["frontier"], strict=True)
    assert list(nats) == sorted(nats) and list(log10_p) == sorted(log10_p)


def test_attack_reads_well():
    text = workbench("attack", "A_d10_1e-6", "--nats", 2, "-e", "moments", "--steps", 12).stdout
    for word in ("under D0", "10^-6.00", "checked", "nats; the next one brings", "forward passes"):
        assert word in text


def test_attack_takes_an_estimator_with_its_settings(tmp_path):
    words = ["attack", "A_d10_1e-6", "--steps", 2, "--check", 100, "--run", tmp_path / "one"]
    ask(*words, "-e", "conditioned[search=margin, lines=64]", "--scout", "moments")
    with Run.resume(tmp_path / "one") as run:
        estimator = run.subject.iteration.estimator
    assert (estimator.search, estimator.lines) == ("margin", 64)
    for wrong in ("conditioned[search=margin", "conditioned[]", "conditioned[search=x]b"):
        assert "name[key=value, ...]" in refuse("attack", "A_d10_1e-6", "-e", wrong)
    assert "no setting 'serch'" in refuse("attack", "A_d10_1e-6", "-e", "conditioned[serch=1]")


def test_attack_keeps_a_run_that_resumes(tmp_path):
    words = ["attack", "A_d10_1e-6", "-e", "moments", "--steps", 8, "--set", "rank=2"]
    words += ["--family", "low_rank"]
    first = ask(*words, "--run", tmp_path / "one")
    again = one_object(workbench("resume", tmp_path / "one", "--json").stdout)
    for key in KEYS - {"seconds"}:
        assert first[key] == again[key], key
    (row,) = ask("runs", tmp_path)["runs"]
    assert row["title"] == "LowRank adversary on A_d10_1e-6" and row["standing"] == "finished"


def test_attack_refuses_in_a_sentence():
    told = refuse("attack", "A_d10_1e-6", "--family", "shifty")
    assert "no family is called 'shifty'" in told
    told = refuse("attack", "A_d10_1e-6", "-e", "monte_carlo")
    assert "carries one is needed; try instead: conditioned, moments, importance" in told
    told = refuse("attack", "A_d10_1e-6", "--set", "rank=2")
    assert "shifted has no setting 'rank'" in told
    assert "--check takes forward passes" in refuse("attack", "A_d10_1e-6", "--check", "0")
