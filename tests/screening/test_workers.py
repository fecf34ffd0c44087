"""Worker processes: the same rows in the same order, and a death or a hang costs its row alone."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.status import Status
from molmeta.errors import ConfigError
from molmeta.scores import ScoredRow
from molmeta.screening.workers import Workers
from molmeta.target import TargetModel, adapt_target
from tests.molecules import MOLECULES
from tests.screening.fragile import (
    CONFUSED,
    EXIT,
    FULL,
    HANG,
    KILLED,
    SEGFAULT,
    FragileTarget,
    fragile_target,
)
from tests.tiny_model import LABELS, support_set, tiny_checkpoint

TEXTS = list(MOLECULES[:40])


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return adapt_target(tiny_checkpoint(), support_set())


@pytest.fixture(scope="module")
def fragile() -> Iterator[Workers]:
    with Workers(fragile_target(), 2, timeout=60) as workers:
        yield workers


def chunks_of(texts: list[str], size: int) -> list[list[str]]:
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def scored(workers: Workers, texts: list[str], size: int) -> list[ScoredRow]:
    return [row for rows in workers.score_chunks(chunks_of(texts, size)) for row in rows]


def test_two_processes_give_the_bits_of_one_in_the_same_order(target: TargetModel) -> None:
    chunks = [*chunks_of([*TEXTS, "", "nonsense", *TEXTS[:5]], 7), [], ["CCO"]]
    with Workers(target, 2) as workers:
        assert list(workers.score_chunks(chunks)) == [target.score(chunk) for chunk in chunks]
        assert list(workers.score_chunks([])) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SEGFAULT, "died of SIGSEGV"),
        (KILLED, "died of SIGKILL"),
        (EXIT, "ended with code 3"),
        (CONFUSED, "failed: RuntimeError('what?')"),
        (FULL, "failed: MemoryError()"),
    ],
)
def test_a_row_that_ends_its_process_is_found_and_the_others_are_scored(
    fragile: Workers, target: TargetModel, text: str, said: str
) -> None:
    texts = [*TEXTS[:25], text, *TEXTS[25:]]
    rows = scored(fragile, texts, 20)
    bad = rows.pop(25)
    assert (bad.status, bad.is_usable) == (Status.WORKER_CRASH, False)
    assert bad.reason == f"worker: the process that read this row {said}"
    for row, expected in zip(rows, target.score(TEXTS), strict=True):
        assert (row.smiles, row.status) == (expected.smiles, expected.status)
        assert row.logit == pytest.approx(expected.logit, abs=1e-5)


def test_a_row_that_hangs_is_found_by_the_clock(target: TargetModel) -> None:
    texts = [*TEXTS[:5], HANG, *TEXTS[5:10]]
    with Workers(fragile_target(), 2, timeout=1.5) as workers:
        rows = scored(workers, texts, 20)
    bad = rows.pop(5)
    assert bad.status is Status.TIMEOUT
    assert "no answer within 1.5 s" in bad.reason
    assert [row.smiles for row in rows] == [row.smiles for row in target.score(TEXTS[:10])]


def test_every_row_that_ends_a_process_is_found(fragile: Workers) -> None:
    texts = [SEGFAULT, *TEXTS[:3], EXIT, EXIT]
    statuses = [row.status is Status.WORKER_CRASH for row in scored(fragile, texts, 6)]
    assert statuses == [True, False, False, False, True, True]


def test_a_process_killed_from_outside_costs_no_row(fragile: Workers, target: TargetModel) -> None:
    def chunks() -> Iterator[list[str]]:
        for place, chunk in enumerate(chunks_of(TEXTS, 4)):
            if place == 5:
                fragile._workers[0].process.kill()
            yield chunk

    rows = [row for part in fragile.score_chunks(chunks()) for row in part]
    assert [row.smiles for row in rows] == [row.smiles for row in target.score(TEXTS)]
    assert all(row.is_usable for row in rows)


class _NeverStarts(FragileTarget):
    def __reduce__(self) -> tuple[type[TargetModel], tuple[object, ...]]:
        return os._exit, (7,)  # type: ignore[return-value]


def test_processes_that_cannot_start_end_the_run_with_a_sentence() -> None:
    target = _NeverStarts(fragile_target().checkpoint)
    with (
        Workers(target, 2) as workers,
        pytest.raises(ConfigError, match=r"cannot be started here .*ended with code 7"),
    ):
        list(workers.score_chunks([["CCO"]]))


def test_leaving_ends_the_processes(target: TargetModel) -> None:
    with Workers(target, 2) as workers:
        list(workers.score_chunks([["CCO"]] * 40))
        processes = [worker.process for worker in workers._workers]
        assert all(process.is_alive() for process in processes)
    assert not any(process.is_alive() for process in processes)
    assert not set(processes) & set(multiprocessing.active_children())


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.2, 0.3, 0.4])
def test_leaving_while_they_start_is_silent(
    target: TargetModel, capfd: pytest.CaptureFixture[str], seconds: float
) -> None:
    with Workers(target, 3) as workers:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not all(w.is_ready for w in workers._workers):
            workers._listen()
    time.sleep(0.1)
    assert capfd.readouterr().err == ""


def test_a_gpu_is_not_shared() -> None:
    elsewhere = adapt_target(tiny_checkpoint(), support_set())
    molecules = elsewhere.support.molecules.to("meta")
    elsewhere.support = LabeledMolecules(molecules, torch.tensor(LABELS))
    with pytest.raises(ConfigError, match="compute on the CPU"):
        Workers(elsewhere, 2)


SCRIPT = """
from molmeta.screening.workers import Workers
from tests.screening.fragile import HANG, fragile_target

if __name__ == "__main__":
    with Workers(fragile_target(), 2) as workers:
        print("started", flush=True)
        list(workers.score_chunks([["CCO"], [HANG], [HANG]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "run.py").write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, tmp_path / "run.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"started\n"
        time.sleep(1)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3  # the two, and those that Python needs for them
        if number is signal.SIGKILL:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)  # as a terminal or a batch system does
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
        # Only the parent may speak: of its own KeyboardInterrupt.
        assert b"_serve" not in process.stderr.read()
