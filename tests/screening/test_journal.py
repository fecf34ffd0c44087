"""Journal: what was scored is not scored again, and the rows are the same to the last bit."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from molmeta.assays.support import build_support
from molmeta.errors import OutputError
from molmeta.scores import ScoredRow
from molmeta.screening.journal import Journal
from molmeta.screening.library import ScoreChunks
from molmeta.target import TargetModel, adapt_target
from tests.molecules import MOLECULES
from tests.tiny_model import (
    ACTIVES,
    LIKE_ACTIVES,
    SUPPORT,
    measured_set,
    support_set,
    tiny_checkpoint,
)

CHUNKS = [
    [*MOLECULES[:5], "", "C |&1:6,26|"],
    [*MOLECULES[5:9], "nonsense"],
    ["lone \ud800", "µ", LIKE_ACTIVES],
    [],
    [*MOLECULES[9:12]],
]


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "scores.csv"


class Stopped(Exception):
    pass


def scoring(target: TargetModel, stop: int | None = None) -> tuple[ScoreChunks, list[str]]:
    """A ScoreChunks that stops after so many chunks, and the list of texts that it will score."""
    asked: list[str] = []

    def score(chunks: Iterable[Sequence[str]]) -> Iterator[list[ScoredRow]]:
        for n, texts in enumerate(chunks):
            if n == stop:
                raise Stopped
            asked.extend(texts)
            yield target.score(texts)

    return score, asked


def stop_after(n: int, output: Path, target: TargetModel) -> Path:
    """The journal of a run that was stopped after `n` chunks."""
    with Journal(output, target) as journal, pytest.raises(Stopped):
        list(journal.over(scoring(target, n)[0])(CHUNKS))
    (path,) = output.parent.iterdir()
    return path


def cells(rows: Iterable[Sequence[ScoredRow]]) -> list[str]:
    """All that is known of the rows, the canonical SMILES aside, to the last bit."""
    return [
        repr((r.status, r.reason, r.logit, r.value, r.low, r.high, r.deviation, r.similarity))
        + repr((r.in_support, r.seen))
        for chunk in rows
        for r in chunk
    ]


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_stopped_run_goes_on_where_it_was(target: TargetModel, output: Path, stop: int) -> None:
    stop_after(stop, output, target)
    score, asked = scoring(target)
    with Journal(output, target) as journal:
        assert journal.holds_rows
        rows = list(journal.over(score)(CHUNKS))
    assert asked == [text for chunk in CHUNKS[stop:] for text in chunk]
    assert cells(rows) == cells(map(target.score, CHUNKS))
    journal.remove()
    assert list(output.parent.iterdir()) == []


def test_values_are_kept_too(output: Path) -> None:
    target = adapt_target(tiny_checkpoint(), measured_set())
    stop_after(3, output, target)
    score, asked = scoring(target)
    with Journal(output, target) as journal:
        assert cells(journal.over(score)(CHUNKS)) == cells(map(target.score, CHUNKS))
    assert asked == list(CHUNKS[4])


def test_a_table_of_one_chunk_gets_no_file(target: TargetModel, output: Path) -> None:
    with Journal(output, target) as journal:
        list(journal.over(scoring(target)[0])(CHUNKS[:1]))
        assert list(output.parent.iterdir()) == []
        assert not journal.holds_rows
    journal.remove()


def test_a_journal_cut_off_anywhere_or_with_a_wrong_bit_changes_no_row(
    target: TargetModel, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # thousands of times, a busy disk takes minutes
    path = stop_after(4, output, target)
    whole = path.read_bytes()
    scores = [target.score(texts) for texts in CHUNKS]
    expected = cells(scores)

    def score_chunks(chunks: Iterable[Sequence[str]]) -> Iterator[list[ScoredRow]]:
        return (scores[CHUNKS.index(list(texts))] for texts in chunks)

    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        for content in (whole[:place], bytes(flipped)):
            path.write_bytes(content)
            # A head with a wrong bit is that of another command.
            with Journal(output, target, overwrite=True) as journal:
                assert cells(journal.over(score_chunks)(CHUNKS)) == expected
            path.unlink(missing_ok=True)


def test_a_changed_input_is_scored_anew_from_the_change_on(
    target: TargetModel, output: Path
) -> None:
    stop_after(4, output, target)
    changed = [CHUNKS[0], [*CHUNKS[1], "CCO"], *CHUNKS[2:]]
    score, asked = scoring(target)
    with Journal(output, target) as journal:
        assert cells(journal.over(score)(changed)) == cells(map(target.score, changed))
    assert asked == [text for chunk in changed[1:] for text in chunk]


def test_the_journal_of_another_command_is_not_thrown_away(
    target: TargetModel, output: Path
) -> None:
    path = stop_after(3, output, target)
    before = path.read_bytes()
    others = [
        adapt_target(tiny_checkpoint(), build_support(SUPPORT, [1] * 5 + [0] * 3)),
        adapt_target(tiny_checkpoint(), build_support([*SUPPORT, "CCBr"], [1] * 4 + [0] * 5)),
        adapt_target(tiny_checkpoint("protonet"), support_set()),
        adapt_target(tiny_checkpoint(), measured_set()),
        adapt_target(tiny_checkpoint(), build_support(ACTIVES, [1] * 4, allow_tiny=True)),
    ]
    for other in others:
        with pytest.raises(OutputError, match="was begun by another command"):
            Journal(output, other)
    assert path.read_bytes() == before
    score, asked = scoring(others[0])
    with Journal(output, others[0], overwrite=True) as journal:
        assert cells(journal.over(score)(CHUNKS)) == cells(map(others[0].score, CHUNKS))
    assert len(asked) == sum(map(len, CHUNKS))


HOLDER = """
import sys
from pathlib import Path
from molmeta.whole_file import take_lock
with open(sys.argv[1], "r+b") as file:
    print(take_lock(file), flush=True)
    sys.stdin.read()
"""


def test_a_lock_ends_with_its_process(target: TargetModel, output: Path) -> None:
    path = stop_after(3, output, target)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        with pytest.raises(OutputError, match="is being written by another molmeta"):
            Journal(output, target)
        process.kill()
        process.wait()
    with Journal(output, target) as journal:
        assert journal.holds_rows


def test_of_two_runs_that_begin_at_once_the_second_gives_way(
    target: TargetModel, output: Path
) -> None:
    with Journal(output, target) as first, Journal(output, target) as second:
        assert len(list(first.over(scoring(target)[0])(CHUNKS))) == len(CHUNKS)
        with pytest.raises(OutputError, match="is being written by another molmeta"):
            list(second.over(scoring(target)[0])(CHUNKS))


def test_a_full_disk_is_told(
    target: TargetModel, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with (
        Journal(output, target) as journal,
        pytest.raises(OutputError, match=r"scores.csv cannot be written: No space left"),
    ):
        list(journal.over(scoring(target)[0])(CHUNKS))
