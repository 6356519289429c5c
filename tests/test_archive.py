"""A visitor's problem as a zip: it opens as it was saved, and nothing else opens."""

import io
import stat
import zipfile
from dataclasses import replace

import pytest
from card_samples import PROBLEMS
from commands import ask, refuse
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.problem import archive, codec
from workbench.problem.codec import unzipped, zipped
from workbench.views.rooms import House


def packed(files, folder="", links=()):
    """The bytes of a zip of these files, {name: bytes}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            entry = zipfile.ZipInfo(folder + name)
            if name in links:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@pytest.fixture
def files(tmp_path):
    """A card and its tensors."""
    codec.save_commented(PROBLEMS["bare"], tmp_path)
    return {file.name: file.read_bytes() for file in tmp_path.iterdir()}


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_what_is_saved_opens(name):
    saved = zipped(PROBLEMS[name])
    assert unzipped(saved).card == PROBLEMS[name].card
    assert zipped(unzipped(saved)) == saved == zipped(PROBLEMS[name])


def test_a_problem_is_saved_as_a_zip_that_every_reader_takes(tmp_path):
    path = PROBLEMS["images"].save(tmp_path / "new" / "mine.zip")
    assert path == tmp_path / "new" / "mine.zip" and list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644
    assert wb.load(path).card == wb.load(str(path)).card == PROBLEMS["images"].card
    assert path.read_bytes() == PROBLEMS["images"].save(path).read_bytes()  # over the former one


def test_commands_take_a_zip(tmp_path):
    path = PROBLEMS["full"].save(tmp_path / "mine.zip")
    known = wb.Moments()(PROBLEMS["full"]).log10_p
    assert ask("estimate", path)["log10_p"] == known
    assert ask("compare", path, "--estimators", "moments")["rows"][0]["log10_p"] == known
    assert ask("attack", path, "--steps", "1", "--check", "1000")["problem"] == "full"
    said = refuse("estimate", tmp_path / "no.zip")
    assert "no.zip" in said


def test_a_better_truth_is_stored_in_the_zip(tmp_path):
    known = replace(PROBLEMS["bare"], truth=wb.Truth(-1.0, 0.1, "guessed"))
    path = known.save(tmp_path / "mine.zip")
    ask("truth", path, "--budget", "20000", "--store")
    assert wb.load(path).truth.method != "guessed"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_may_be_called_a_zip(tmp_path):
    (tmp_path / "a.zip").mkdir()
    path = PROBLEMS["full"].save(tmp_path / "a.zip")
    assert path.name == "full.json" and wb.load(tmp_path / "a.zip").name == "full"


def test_a_zipped_folder_opens(files):
    assert unzipped(packed(files, "my_problem/")).name == "bare"


def test_paths_that_leave_the_archive_are_only_names(files, tmp_path):
    card, tensors = sorted(files)
    for folder in ("../", "/", "../../etc/"):
        assert unzipped(packed(files, folder)).name == "bare"
    with pytest.raises(wb.BadInput, match="2 folders"):
        unzipped(packed({card: files[card], f"../{tensors}": files[tensors]}))
    assert not list(tmp_path.parent.glob(f"{tensors}"))


@pytest.mark.parametrize("odd", ["run.py", "x.pt", "..", "a\\b.json", ".hidden.json", "é.json"])
def test_other_files_are_refused(files, odd):
    tensors = next(name for name in files if name.endswith("safetensors"))
    with pytest.raises(wb.BadInput, match="no card and no safetensors file"):
        unzipped(packed({odd: b"{}", tensors: files[tensors]}))


def test_links_are_refused(files):
    tensors = next(name for name in files if name.endswith("safetensors"))
    with pytest.raises(wb.BadInput, match="no card and no safetensors file"):
        unzipped(packed({**files, tensors: b"/etc/passwd"}, links=[tensors]))


def test_more_than_the_limit_is_refused_while_it_unpacks(files, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 20)
    tensors = next(name for name in files if name.endswith("safetensors"))
    bomb = packed({**files, tensors: bytes(64 << 20)})
    assert len(bomb) < 1 << 20
    with pytest.raises(wb.BadInput, match="unpacks to more than 1 MiB"):
        unzipped(bomb)


def test_changed_tensors_are_refused(files):
    tensors = next(name for name in files if name.endswith("safetensors"))
    with pytest.raises(wb.BadInput, match="is not the file that the card was written with"):
        unzipped(packed({**files, tensors: files[tensors][:-1] + b"?"}))


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", packed({}), packed({"a.json": b"{}"})])
def test_what_is_no_archive_is_refused_in_a_sentence(data):
    with pytest.raises(wb.BadInput) as refusal:
        unzipped(data)
    assert "\n" not in str(refusal.value)


@fuzz(100)
@given(st.data())
def test_fuzzed_archives_raise_nothing_but_bad_input(data):
    whole = bytearray(zipped(PROBLEMS["bare"]))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        unzipped(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    except wb.BadInput as error:
        assert str(error) and "\n" not in str(error)


def test_a_problem_that_is_brought_is_in_every_room_and_goes_from_room_to_room():
    house = House()
    try:
        house.open()
        house.bring(PROBLEMS["bare"])
        (explore,) = house._sessions
        explore.choose("bare")
        house.room = "coherence"
        assert house._sessions[-1].problem_name == "bare"
        house.room = "compare"
        assert "bare" in house._sessions[-1].param.problems.objects
        house.room = "coherence"
        house._sessions[1].problem_name = "A_d10_1e-6"
        house.room = "explore"
        assert explore.problem_name == "A_d10_1e-6"
    finally:
        house.close()
