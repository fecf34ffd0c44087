"""rank: what screen gives of the library itself, up to the half precision of the embeddings."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from molmeta.assays.store import AssayStore
from molmeta.assays.support import build_support
from molmeta.checkpoint import Checkpoint, load_checkpoint, shipped_model_path
from molmeta.errors import ConfigError, InputError
from molmeta.index.building import build_index
from molmeta.index.manifest import part_path
from molmeta.index.ranking import LibraryIndex, rank, require_head_learner
from molmeta.learners.base import HeadLearner
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import ValueHeadLearner
from molmeta.screening import ScreenSummary, screen
from molmeta.target import TargetModel, adapt_target
from tests.index.library import TEXTS, Library, learner_of
from tests.tiny_model import ACTIVES, measured_set, support_set, tiny_checkpoint

HEADS = [name for name, kind in LEARNERS.items() if issubclass(kind, HeadLearner)]
VALUES = [name for name, kind in LEARNERS.items() if issubclass(kind, ValueHeadLearner)]

TOLERANCE = 5e-3
"""Of an answer; embeddings of 8 numbers, as here, feel their rounding more than long ones do."""


class Kept:
    """An output that remembers its rows."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def write(self, cells: Sequence[str]) -> None:
        self.rows.append(tuple(cells))


def ranked(
    target: TargetModel, index: LibraryIndex, *, top: int = 1000, threads: int = 1
) -> tuple[list[tuple[str, ...]], ScreenSummary]:
    output = Kept()
    summary = rank(target, index, output, top=top, threads=threads)
    return output.rows, summary


def screened(target: TargetModel, top: int = 1000) -> tuple[list[tuple[str, ...]], ScreenSummary]:
    output = Kept()
    summary = screen(target, Library(), output, top=top)
    return output.rows, summary


def assert_alike(rows: list[tuple[str, ...]], expected: list[tuple[str, ...]]) -> None:
    """The same rows with answers within the tolerance, in an order that their answers allow."""
    assert [row[2] for row in rows] == [str(i) for i in range(1, len(rows) + 1)]
    found = {row[:2]: row for row in rows}
    assert found.keys() == {row[:2] for row in expected}
    for row in expected:
        *numbers, similarity = row[3:8]
        *found_numbers, found_similarity = found[row[:2]][3:8]
        assert [bool(cell) for cell in found_numbers] == [bool(cell) for cell in numbers]
        assert [float(cell or 0) for cell in found_numbers] == pytest.approx(
            [float(cell or 0) for cell in numbers], abs=TOLERANCE
        )
        assert (found_similarity, *found[row[:2]][8:]) == (similarity, *row[8:])
    answers = [float(row[3] or row[7]) for row in rows]
    assert answers == sorted(answers, reverse=True)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LibraryIndex:
    folder = tmp_path_factory.mktemp("index") / "library.index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("molmeta.index.building.ROWS", 16)
        build_index(folder, Library(), learner_of())
    return LibraryIndex(folder)


def checkpoint_with_the_index_encoder(learner: str) -> Checkpoint:
    checkpoint = tiny_checkpoint(learner)
    assert isinstance(checkpoint.learner, HeadLearner)
    checkpoint.learner.encoder.load_state_dict(learner_of().encoder.state_dict())
    return checkpoint


@pytest.mark.parametrize("learner", HEADS)
def test_every_head_ranks_the_index_as_it_ranks_the_library(
    learner: str, index: LibraryIndex
) -> None:
    target = adapt_target(checkpoint_with_the_index_encoder(learner), support_set())
    rows, summary = ranked(target, index)
    expected, expected_summary = screened(target)
    assert_alike(rows, expected)
    assert len(rows) == len(TEXTS) - 3
    assert summary == expected_summary


@pytest.mark.parametrize("learner", VALUES)
def test_values_are_those_of_the_library(learner: str, index: LibraryIndex) -> None:
    target = adapt_target(checkpoint_with_the_index_encoder(learner), measured_set())
    rows, summary = ranked(target, index)
    expected, expected_summary = screened(target)
    assert_alike(rows, expected)
    assert summary == expected_summary


@pytest.mark.parametrize("learner", ["deepkernel", "adkf"])
def test_what_is_remembered_of_a_compound_counts_in_an_index_too(
    learner: str, index: LibraryIndex, store: AssayStore
) -> None:
    checkpoint = checkpoint_with_the_index_encoder(learner)
    without, _ = ranked(adapt_target(checkpoint, support_set()), index)
    checkpoint.learner.memory = CompoundMemory.of(store)
    target = adapt_target(
        replace(checkpoint, seen_keys=store.molecules.keys.unique()), support_set()
    )
    rows, summary = ranked(target, index)
    expected, expected_summary = screened(target)
    assert_alike(rows, expected)
    assert summary == expected_summary
    assert summary.n_seen > 50
    assert [row[0] for row in rows] != [row[0] for row in without]


def test_half_precision_moves_the_shipped_model_by_a_few_ten_thousandths(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(shipped_model_path())
    build_index(tmp_path / "library.index", Library(), require_head_learner(checkpoint.learner))
    target = adapt_target(checkpoint, support_set())
    rows, _ = ranked(target, LibraryIndex(tmp_path / "library.index"))
    direct = dict(zip(TEXTS, target.score(TEXTS), strict=True))
    off = [abs(float(row[3]) - (direct[row[0]].probability or 0.0)) for row in rows]
    assert len(off) > 50
    # A logit that is off by 5e-4 moves no probability by more than a quarter of that.
    assert max(off) < 1.25e-4


def test_actives_alone_rank_by_similarity_exactly(index: LibraryIndex) -> None:
    support = build_support(ACTIVES, (1,) * len(ACTIVES), allow_tiny=True)
    target = adapt_target(checkpoint_with_the_index_encoder("protonet"), support)
    assert ranked(target, index)[0] == screened(target)[0]


def test_top_keeps_the_best_and_of_equal_ones_the_first(index: LibraryIndex) -> None:
    target = adapt_target(tiny_checkpoint(), support_set())
    everything, whole = ranked(target, index)
    for top in (1, 10, 37):
        rows, summary = ranked(target, index, top=top)
        assert rows == everything[:top]
        assert summary == whole
    places = [int(row[1].split(",")[0].removeprefix("id")) for row in everything]
    for twice in (1, 2, 3):  # the first three molecules come again at the end
        again = len(TEXTS) - 3 + twice
        assert places.index(again) == places.index(twice) + 1


@pytest.mark.parametrize("cells", [1, 60])
def test_chunks_and_threads_change_no_row(
    cells: int, index: LibraryIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = adapt_target(tiny_checkpoint(), support_set())
    expected, expected_summary = ranked(target, index)
    monkeypatch.setattr("molmeta.index.ranking.CELLS", cells)
    for threads in (1, 3):
        rows, summary = ranked(target, index, threads=threads)
        assert [row[:3] for row in rows] == [row[:3] for row in expected]
        assert summary == expected_summary


def test_progress_counts_every_row(index: LibraryIndex) -> None:
    done: list[int] = []
    target = adapt_target(tiny_checkpoint(), support_set())
    rank(target, index, Kept(), top=3, progress=done.append)
    assert sum(done) == len(TEXTS)


@pytest.mark.parametrize(
    ("learner", "why"), [("maml", "changes the encoder"), ("tanimoto_gp", "not judge by embedding")]
)
def test_methods_without_a_lasting_embedding_are_refused(
    learner: str, why: str, index: LibraryIndex
) -> None:
    target = adapt_target(tiny_checkpoint(learner), support_set())
    with pytest.raises(ConfigError, match=why):
        ranked(target, index)


def test_an_index_of_another_encoder_is_refused(index: LibraryIndex) -> None:
    checkpoint = tiny_checkpoint()
    with torch.no_grad():
        next(checkpoint.learner.parameters()).add_(1e-3)
    with pytest.raises(InputError, match="encoder of another model"):
        ranked(adapt_target(checkpoint, support_set()), index)


def test_what_is_no_index_is_refused(index: LibraryIndex, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", index.folder / "index.json"):
        with pytest.raises(InputError, match="is no index"):
            LibraryIndex(path)
    for text, why in (
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"format": "x"}', "no index"),
        (json.dumps({"format": "molmeta-index", "format_version": 99}), "version 99"),
    ):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(InputError, match=why):
            LibraryIndex(tmp_path)


def test_a_forged_manifest_is_refused(index: LibraryIndex, tmp_path: Path) -> None:
    document = json.loads((index.folder / "index.json").read_text())
    for name, value in (
        ("n_rows", 10**18),
        ("n_rows", -16),
        ("n_molecules", "16"),
        ("by_status", {"excellent": 16}),
        ("sha512", ""),
    ):
        forged = json.loads(json.dumps(document))
        forged["parts"][0][name] = value
        (tmp_path / "index.json").write_text(json.dumps(forged))
        with pytest.raises(InputError, match="damaged"):
            LibraryIndex(tmp_path)


@pytest.mark.parametrize(
    ("name", "forge"),
    [
        ("counts.words", lambda a: a.int().add(60_000).to(a.dtype)),
        ("counts.offsets", lambda a: a.flip(0)),
        ("counts.ids", lambda a: a.flip(0)),
        ("counts.totals", lambda a: a[1:]),
        ("places", lambda a: a - 5),
        ("vectors", lambda a: a.float()),
        ("vectors", lambda a: a[:, 1:]),
        ("keys", lambda a: a[1:]),
        ("records.offsets", lambda a: a * 2),
        ("records.text", lambda a: torch.zeros_like(a)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    name: str, forge: object, index: LibraryIndex, tmp_path: Path
) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(index.folder, folder)
    path = part_path(folder, 1)
    arrays = load_file(path)
    arrays[name] = forge(arrays[name]).contiguous()  # type: ignore[operator]
    save_file(arrays, path)
    document = json.loads((folder / "index.json").read_text())
    document["parts"][1]["n_bytes"] = path.stat().st_size
    (folder / "index.json").write_text(json.dumps(document))
    target = adapt_target(tiny_checkpoint(), support_set())
    with pytest.raises(InputError, match="damaged"):
        ranked(target, LibraryIndex(folder))


def test_a_part_that_is_missing_or_cut_short_is_refused(
    index: LibraryIndex, tmp_path: Path
) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(index.folder, folder)
    path = part_path(folder, 2)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="missing or cut short"):
        LibraryIndex(folder)
    path.unlink()
    with pytest.raises(InputError, match="missing or cut short"):
        LibraryIndex(folder)


def test_a_vector_that_is_no_number_costs_its_row_alone(
    index: LibraryIndex, tmp_path: Path
) -> None:
    folder = tmp_path / "library.index"
    shutil.copytree(index.folder, folder)
    path = part_path(folder, 1)
    arrays = load_file(path)
    arrays["vectors"][3] = torch.nan
    save_file(arrays, path)
    document = json.loads((folder / "index.json").read_text())
    document["parts"][1]["n_bytes"] = path.stat().st_size
    (folder / "index.json").write_text(json.dumps(document))
    target = adapt_target(tiny_checkpoint(), support_set())
    expected, _ = ranked(target, index)
    rows, summary = ranked(target, LibraryIndex(folder))
    assert {row[:2] for row in expected} - {row[:2] for row in rows} == {(TEXTS[19], "id20, »20«")}
    assert len(rows) == len(expected) - 1
    assert summary.by_status["model_error"] == 1
