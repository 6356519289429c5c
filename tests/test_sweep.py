"""Sweeps over any executor, with failures kept as rows; rows as flat tables."""

import copy
import csv
import io
import json
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from commands import refuse, workbench

import workbench as wb
from workbench import errors
from workbench.errors import BadInput
from workbench.experiments import (
    Folder,
    estimated,
    grid,
    sweep,
    table_csv,
    table_parquet,
    unanswered,
)  # fmt: skip

CONFIGS = [
    {"problem": "A_d10_1e-3", "estimator": "monte_carlo", "forwards": 20_000, "seed": seed}
    for seed in (0, 1)
] + [{"problem": "A_d10_1e-3", "estimator": "moments"}]
WRONG = [
    {"problem": "nowhere", "estimator": "moments"},
    {"problem": "digits", "estimator": "guess"},
]


def same(a, b):
    """Rows but for their seconds."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in a] == [
        {k: v for k, v in row.items() if k != "seconds"} for row in b
    ]


class Later:
    """The least that is asked of an executor: nothing but `submit` and `result`."""

    def __init__(self):
        self.tasks = []

    def submit(self, task, config):
        self.tasks.append(config)
        return type("Promise", (), {"result": lambda _: task(config)})()


def test_a_grid_is_all_combinations():
    assert len(grid(a=[1, 2], b="xyz", c=[None])) == 6
    assert grid() == [{}] and grid(a=[]) == []
    assert grid(a=[1, 2], b=[3, 4])[1] == {"a": 1, "b": 4}


def test_all_executors_give_the_same_rows_and_keep_failures():
    todo = [*CONFIGS, *WRONG]
    told = []
    here = list(sweep(estimated, todo, None, lambda *news: told.append(news)))
    later = Later()
    assert same(sweep(estimated, todo, later), here) and later.tasks == todo
    with ThreadPoolExecutor(2) as threads:
        assert same(sweep(estimated, todo, threads), here)
    assert [row["seed"] for row in here[:2]] == [0, 1] and here[0]["log10_p"] != here[1]["log10_p"]
    assert here[3]["reason"].startswith("BadInput: no problem and no card is called 'nowhere'")
    assert "guess" in here[4]["reason"] and here[4]["problem"] == "digits"
    assert [share for share, _ in told] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    direct = wb.MonteCarlo()(wb.load("A_d10_1e-3"), 20_000, 0)
    assert here[0]["log10_p"] == direct.log10_p


@pytest.mark.slow
def test_processes_give_the_same_rows():
    context = get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as processes:
        assert same(sweep(estimated, CONFIGS, processes), sweep(estimated, CONFIGS))


ERRORS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_comes_whole_out_of_a_process(error):
    said = ("a box", "a gaussian is needed", ("subset",)) if error is wb.Unsupported else ("wrong",)
    made = error(*said)
    again = copy.copy(made)  # by the parts that pickling takes
    assert type(again) is error and vars(again) == vars(made) and str(again) == str(made)


class Untold(Exception):
    """An error that cannot be pickled."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


def untold(config):
    if config["n"]:
        raise Untold("a fault", config["n"])
    return {"half": 0.5}


@pytest.mark.slow
def test_an_error_that_cannot_travel_costs_its_own_row_alone():
    context = get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as processes:
        rows = list(sweep(untold, grid(n=[1, 0]), processes))
    assert rows[0]["reason"] == "Untold: a fault at 1" and rows[1]["half"] == 0.5


def test_which_rows_leave_a_question_open():
    rows = list(sweep(estimated, [CONFIGS[2], WRONG[0], {**CONFIGS[2], "estimator": "leaves"}]))
    assert [row.get("refused") for row in rows] == [None, False, True]
    assert unanswered(rows, named=True) == rows[1:]
    assert unanswered(rows, named=False) == rows[1:2]


def test_a_sweep_that_was_killed_does_no_work_twice(tmp_path):
    todo = [{**config, "run": str(tmp_path / str(i))} for i, config in enumerate(CONFIGS)]
    first = list(sweep(estimated, todo))
    marks = [Folder.look(tmp_path / str(i)).mark for i in range(3)]
    again = list(sweep(estimated, todo))
    assert again == first  # seconds too: nothing ran
    assert [Folder.look(tmp_path / str(i)).mark for i in range(3)] == marks
    with pytest.raises(BadInput, match="a run with other settings"):
        estimated({**todo[0], "seed": 5})


ROWS = [
    {"n": 1, "p": -1, "ok": True, "who": "a", "mixed": 1},
    {"n": 2, "p": float("-inf"), "who": None, "mixed": "x", "list": [1, float("inf")]},
]


def test_any_rows_become_one_flat_table():
    table = list(csv.DictReader(io.StringIO(table_csv(ROWS))))
    assert list(table[0]) == ["n", "p", "ok", "who", "mixed", "list"]
    assert [row["p"] for row in table] == ["-1.0", "-inf"]
    assert table[1]["ok"] == "" and json.loads(table[1]["list"]) == [1, "inf"]
    assert table_csv([]) == "\n"


def test_a_parquet_table_keeps_its_types():
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(table_parquet(ROWS)))
    assert [str(t) for t in table.schema.types] == [
        "int64", "double", "bool", "string", "string", "string",
    ]  # fmt: skip
    assert table.to_pylist()[1] == {
        "n": 2, "p": float("-inf"), "ok": None, "who": None, "mixed": "x", "list": '[1, "inf"]',
    }  # fmt: skip


def test_metrics_of_runs_go_out_as_a_table(tmp_path):
    list(sweep(estimated, [{**c, "run": str(tmp_path / f"r{i}")} for i, c in enumerate(CONFIGS)]))
    workbench("runs", tmp_path, "--out", tmp_path / "all.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
    kept = [Folder.look(tmp_path / f"r{i}").rows for i in range(3)]
    assert len(rows) == sum(map(len, kept))
    assert float(rows[-1]["log10_p"]) == kept[-1][-1]["log10_p"]
    assert "--out writes .csv, .parquet" in refuse("runs", tmp_path, "--out", tmp_path / "a.txt")
