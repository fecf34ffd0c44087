"""build_index: the same bytes however often it is stopped, and more rows when there are some."""

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.assays.tables import open_table
from molmeta.chem.status import Status
from molmeta.errors import InputError, OutputError
from molmeta.index.building import build_index
from molmeta.index.manifest import part_path, read_manifest, weights_sha256, write_manifest
from molmeta.index.part import read_part
from molmeta.index.ranking import LibraryIndex
from tests.index.fragile import DEADLY, ENDLESS, fragile_learner
from tests.index.library import TEXTS, Library, contents, learner_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "library.index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("molmeta.index.building.ROWS", 16)
        build_index(folder, Library(), learner_of())
    return folder


def test_every_row_is_kept_with_its_cells_in_its_place(finished: Path) -> None:
    library = Library()
    records = LibraryIndex(finished).records(range(len(library.rows)))
    assert [record.cells for record in records] == [row.cells for row in library.rows]
    assert [records[i].status for i in (0, 40, 41, 59, 92)] == [
        *(Status.OK, Status.NOT_SMILES, Status.EMPTY, Status.PARSE_ERROR, Status.OK_CHANGED)
    ]


def test_rows_that_are_no_molecules_are_counted_and_listed(finished: Path) -> None:
    manifest = read_manifest(finished / "index.json")
    assert (manifest.n_rows, manifest.n_molecules) == (len(TEXTS), len(TEXTS) - 3)
    assert manifest.by_status.total() == len(TEXTS)
    with (finished / "rejected.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["status"]) for row in rows] == [
        *(("41", "not_smiles"), ("42", "empty"), ("60", "parse_error"))
    ]
    assert rows[0]["smiles"] == "nonsense"
    assert rows[2]["reason"] == "line 61 has 3 cells where the header has 2"


def test_a_stopped_build_goes_on_and_ends_with_the_same_bytes(
    finished: Path, tmp_path: Path
) -> None:
    class Stopped(Exception):
        pass

    done: list[int] = []

    def stop_after_two(n: int) -> None:
        done.append(n)
        if len(done) % 2 == 0:
            raise Stopped

    folder = tmp_path / "library.index"
    for _ in range(2):
        with pytest.raises(Stopped):
            build_index(folder, Library(), learner_of(), progress=stop_after_two)
    with pytest.raises(InputError, match="not finished"):
        LibraryIndex(folder)
    first = part_path(folder, 0).stat()
    build_index(folder, Library(), learner_of())
    assert part_path(folder, 0).stat().st_ino == first.st_ino
    assert contents(folder) == contents(finished)


def test_a_build_that_was_killed_goes_on_and_ends_with_the_same_bytes(
    finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "library.index"
    script = f"""
import os, signal
from pathlib import Path
from molmeta.index import building
from tests.index.library import Library, learner_of
building.ROWS, write, n = 16, building.write_content, 0
def kill_in_the_third(path, content):
    global n
    n += 1
    if n == 3:
        import molmeta.index.part as part
        part.save_file = lambda arrays, path, metadata: (
            Path(path).write_bytes(b"half a part"), os.kill(os.getpid(), signal.SIGKILL))
    write(path, content)
building.write_content = kill_in_the_third
building.build_index(Path({str(folder)!r}), Library(), learner_of())
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert not part_path(folder, 2).exists()
    build_index(folder, Library(), learner_of())
    assert contents(folder) == contents(finished)


def test_several_processes_make_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library.index"
    done: list[int] = []
    build_index(folder, Library(), learner_of(), workers=2, progress=done.append)
    assert sum(done) == len(TEXTS)
    assert contents(folder) == contents(finished)


def test_a_row_that_ends_or_stops_its_process_is_rejected_alone(tmp_path: Path) -> None:
    texts = (*TEXTS[:20], DEADLY, *TEXTS[20:45], ENDLESS, *TEXTS[45:])
    fragile, sound = tmp_path / "fragile.index", tmp_path / "sound.index"
    build_index(fragile, Library(texts), fragile_learner(), workers=2, timeout=1.5)
    with (fragile / "rejected.csv").open(encoding="utf-8", newline="") as file:
        deadly, endless = (r for r in csv.DictReader(file) if r["smiles"] in (DEADLY, ENDLESS))
    assert (deadly["row"], deadly["status"]) == ("21", "worker_crash")
    assert deadly["reason"] == "worker: the process that read this row died of SIGSEGV"
    assert (endless["row"], endless["status"]) == ("47", "timeout")
    assert "no answer within 1.5 s" in endless["reason"]
    texts = tuple("nonsense" if text in (DEADLY, ENDLESS) else text for text in texts)
    build_index(sound, Library(texts), learner_of())
    assert torch.equal(keys_in(fragile), keys_in(sound))


def keys_in(folder: Path) -> torch.Tensor:
    manifest = read_manifest(folder / "index.json")
    parts = [
        read_part(part_path(folder, number), entry.n_molecules, entry.n_rows, manifest.dim)
        for number, entry in enumerate(manifest.parts)
    ]
    return torch.cat([part.keys for part in parts])


def test_appended_rows_follow_those_of_before(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(finished, folder)
    more = Library(("CCCCCCCCO", "no molecule", "CCCCCCCCCO"))
    manifest = build_index(folder, more, learner_of(), append=True)
    index = LibraryIndex(folder)
    assert manifest.n_rows == len(TEXTS) + 3
    assert [r.cells[0] for r in index.records([0, len(TEXTS), len(TEXTS) + 2])] == [
        *(TEXTS[0], "CCCCCCCCO", "CCCCCCCCCO")
    ]
    assert "no molecule" in (folder / "rejected.csv").read_text()
    assert contents(finished).keys() < contents(folder).keys()


def test_an_index_can_be_used_while_rows_are_appended(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(finished, folder)

    class Broken(Library):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield from self.rows
            raise InputError("the table is damaged")

    for _ in range(2):
        with pytest.raises(InputError, match="the table is damaged"):
            build_index(folder, Broken(("CCCCCCCCO",) * 20), learner_of(), append=True)
        assert len(LibraryIndex(folder).manifest.parts) == len(
            read_manifest(finished / "index.json").parts
        )


def test_a_build_stopped_after_its_last_step_is_finished(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(finished, folder)
    manifest = read_manifest(folder / "index.json")
    write_manifest(folder / "building.json", replace(manifest, parts=()))
    build_index(folder, Library(("CCCCCCCCO",)), learner_of(), append=True)
    assert LibraryIndex(folder).manifest.n_rows == len(TEXTS) + 1


def test_the_same_rows_are_not_appended_twice(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(finished, folder)
    with pytest.raises(InputError, match=r"are in .* already"):
        build_index(folder, Library(), learner_of(), append=True)
    assert LibraryIndex(folder).manifest.n_rows == len(TEXTS)


def test_rows_of_other_columns_and_models_are_not_appended(finished: Path) -> None:
    other = Library(("CCCCCCCCO",))
    other.columns = ("smiles", "price")
    with pytest.raises(InputError, match="columns smiles, name, and these have smiles, price"):
        build_index(finished, other, learner_of(), append=True)
    learner = learner_of()
    with torch.no_grad():
        next(learner.encoder.parameters()).add_(1e-3)
    with pytest.raises(InputError, match="another encoder"):
        build_index(finished, Library(("CCCCCCCCO",)), learner, append=True)


def test_nothing_is_appended_to_a_damaged_index(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(finished, folder)
    path = part_path(folder, 1)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=f"{path.name} is damaged"):
        build_index(folder, Library(("CCCCCCCCO",)), learner_of(), append=True)


def test_a_library_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(n: int) -> None:
        raise Stopped

    folder = tmp_path / "library.index"
    with pytest.raises(Stopped):
        build_index(folder, Library(), learner_of(), progress=stop)
    changed = Library(("CCCCCCCCO", *TEXTS))
    with pytest.raises(InputError, match="not the one that the build was begun with"):
        build_index(folder, changed, learner_of())
    with torch.no_grad():
        other = learner_of()
        next(other.encoder.parameters()).add_(1e-3)
    with pytest.raises(OutputError, match="begun with another model"):
        build_index(folder, Library(), other)


def test_a_finished_index_and_other_folders_are_left_as_they_are(
    finished: Path, tmp_path: Path
) -> None:
    before = contents(finished)
    with pytest.raises(OutputError, match="finished index already"):
        build_index(finished, Library(), learner_of())
    assert contents(finished) == before
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds something else"):
        build_index(tmp_path, Library(), learner_of())
    assert os.listdir(tmp_path) == ["thesis.txt"]
    with pytest.raises(OutputError, match="no finished index"):
        build_index(tmp_path / "none", Library(), learner_of(), append=True)


def test_a_library_without_rows_makes_no_index(tmp_path: Path) -> None:
    table = tmp_path / "empty.csv"
    table.write_text("smiles,name\n")
    with open_table(table) as rows, pytest.raises(InputError, match="no rows"):
        build_index(tmp_path / "library.index", rows, learner_of())
    assert not (tmp_path / "library.index").exists()


def test_every_weight_counts_in_a_digest() -> None:
    digests = {weights_sha256(learner_of())}
    for name, weight in learner_of().state_dict().items():
        learner = learner_of()
        learner.state_dict()[name].add_(torch.ones_like(weight))
        digests.add(weights_sha256(learner))
    assert len(digests) == 1 + len(learner_of().state_dict())
    assert weights_sha256(learner_of()) in digests
