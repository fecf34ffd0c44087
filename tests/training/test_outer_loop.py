import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.errors import CheckpointError, ConfigError, InputError, OutputError
from molmeta.learners.base import Learner
from molmeta.learners.protonet import ProtoNet
from molmeta.learners.registry import LEARNERS
from molmeta.training import outer_loop, run
from molmeta.training.config import OuterLoopConfig, RunConfig
from molmeta.training.run import BEST, STATE
from molmeta.training.schedule import learning_rate
from molmeta.training.state import read_record, read_tensors
from tests.training.tiny import LONGER, drug_store, task, tiny_config

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
TRAINABLE = sorted(name for name, kind in LEARNERS.items() if kind.trainable)
# How the loop goes on does not depend on which assays it is measured on.
train = partial(outer_loop.train, allow_overlap=True)


@pytest.fixture(autouse=True)
def _each_step_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOG_EVERY", 1)
    monkeypatch.setattr(run, "SAVE_EVERY", 3)


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], None]:
    """Makes something happen inside the step of a number, once."""

    def arrange(step: int, event: Callable[[], Any]) -> None:
        original = ProtoNet.meta_loss
        taken = iter(range(10_000))

        def meta_loss(self, episodes):
            if next(taken) == step:
                event()
            return original(self, episodes)

        monkeypatch.setattr(ProtoNet, "meta_loss", meta_loss)

    return arrange


def log_of(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in entries]


def assert_equal_runs(folder: Path, other: Path) -> None:
    for name in (BEST, STATE):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    assert log_of(folder) == log_of(other)
    assert sorted(os.listdir(folder)) == sorted(os.listdir(other))


def crash() -> None:
    raise RuntimeError("crash")


def test_the_loss_falls_and_the_learner_learns(learnable: AssayStore, tmp_path: Path):
    learner = train(LONGER, learnable, learnable, tmp_path, CPU)
    losses = [entry["loss"] for entry in log_of(tmp_path) if "loss" in entry]
    assert len(losses) == 60
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) - 0.05
    assert read_record(tmp_path / BEST)["best"] > 0.2
    assert not learner.training


def test_the_same_settings_give_the_same_bytes(learnable: AssayStore, tmp_path: Path):
    for name in ("a", "b"):
        train(tiny_config(), learnable, learnable, tmp_path / name, CPU)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    train(replace(tiny_config(), seed=1), learnable, learnable, tmp_path / "c", CPU)
    assert (tmp_path / "c" / BEST).read_bytes() != (tmp_path / "a" / BEST).read_bytes()


@pytest.mark.parametrize("name", TRAINABLE)
def test_every_learner_goes_on_after_a_crash_as_if_nothing_had_been(
    name: str, learnable: AssayStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = tiny_config(name, steps=4, validate_every=2)
    train(config, learnable, learnable, tmp_path / "whole", CPU)
    kind = LEARNERS[name]
    with monkeypatch.context() as patch:
        original, calls = kind.meta_loss, iter(range(10))

        def meta_loss(self, episodes):
            if next(calls) == 3:
                crash()
            return original(self, episodes)

        patch.setattr(kind, "meta_loss", meta_loss)
        with pytest.raises(RuntimeError, match="crash"):
            train(config, learnable, learnable, tmp_path / "broken", CPU)
    train(config, learnable, learnable, tmp_path / "broken", CPU)
    assert_equal_runs(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize("step", [0, 1, 4, 7])
@pytest.mark.parametrize("validated", [True, False])
def test_a_run_that_crashed_at_any_step_goes_on_bit_for_bit(
    step: int, validated: bool, learnable: AssayStore, tmp_path: Path, at_step
):
    valid = learnable if validated else None
    train(tiny_config(), learnable, valid, tmp_path / "whole", CPU)
    at_step(step, crash)
    with pytest.raises(RuntimeError, match="crash"):
        train(tiny_config(), learnable, valid, tmp_path / "broken", CPU)
    train(tiny_config(), learnable, valid, tmp_path / "broken", CPU)
    assert_equal_runs(tmp_path / "broken", tmp_path / "whole")


def test_a_run_killed_from_outside_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run, "LOG_EVERY", 20)
    command = [sys.executable, "-m", "tests.training.tiny", str(tmp_path / "killed")]
    # Hashes of strings differ between processes: nothing may depend on them.
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    log = tmp_path / "killed" / "log.jsonl"
    while process.poll() is None and not (log.exists() and b'"step": 40' in log.read_bytes()):
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert read_record(tmp_path / "killed" / STATE)["step"] == 30
    store = drug_store()
    for name in ("killed", "whole"):
        train(LONGER, store, store, tmp_path / name, CPU)
    assert_equal_runs(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [(signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143)],
)
def test_a_signal_lets_the_step_end_and_keeps_it(
    number: signal.Signals, error: type[BaseException], code, learnable, tmp_path: Path, at_step
):
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    train(tiny_config(), learnable, learnable, tmp_path / "whole", CPU)
    at_step(1, lambda: signal.raise_signal(number))
    with pytest.raises(error) as caught:
        train(tiny_config(), learnable, learnable, tmp_path / "stopped", CPU)
    assert code is None or caught.value.code == code
    assert read_record(tmp_path / "stopped" / STATE)["step"] == 2
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    train(tiny_config(), learnable, learnable, tmp_path / "stopped", CPU)
    assert_equal_runs(tmp_path / "stopped", tmp_path / "whole")


def test_a_second_signal_does_not_wait_for_the_step(learnable, tmp_path: Path, at_step):
    def signal_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    at_step(1, signal_twice)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(), learnable, learnable, tmp_path, CPU)
    assert read_record(tmp_path / STATE)["step"] == 0


def test_a_signal_during_validation_leaves_it_to_the_resumed_run(
    learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    train(tiny_config(), learnable, learnable, tmp_path / "whole", CPU)
    original = run.run_protocol

    def run_protocol(*arguments):
        for results in original(*arguments):
            yield results
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(run, "run_protocol", run_protocol)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config(), learnable, learnable, tmp_path / "stopped", CPU)
    assert read_record(tmp_path / "stopped" / STATE)["step"] == 0
    assert not (tmp_path / "stopped" / BEST).exists()
    train(tiny_config(), learnable, learnable, tmp_path / "stopped", CPU)
    assert_equal_runs(tmp_path / "stopped", tmp_path / "whole")


def test_the_weights_that_validated_best_are_kept_and_returned(
    learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scores = iter([0.05, 0.1, 0.3, 0.2, 0.25])
    seen: list[dict[str, torch.Tensor]] = []

    def validate(learner: Learner, *rest: Any) -> dict[int, float]:
        seen.append({name: t.clone() for name, t in learner.state_dict().items()})
        return {8: next(scores)}

    monkeypatch.setattr(run, "validate", validate)
    learner = train(tiny_config(validate_every=2), learnable, learnable, tmp_path, CPU)
    record = read_record(tmp_path / BEST)
    assert (record["best"], record["best_step"]) == (0.3, 4)
    for weights in (learner.state_dict(), read_tensors(tmp_path / BEST)):
        assert all(torch.equal(weights[name], t) for name, t in seen[2].items())
    assert any(not torch.equal(seen[4][name], t) for name, t in seen[2].items())


def test_without_validation_assays_the_last_weights_are_the_best(learnable, tmp_path: Path):
    learner = train(tiny_config(), learnable, None, tmp_path, CPU)
    assert read_record(tmp_path / BEST)["best_step"] == 8
    last = read_tensors(tmp_path / STATE)
    for name, tensor in learner.state_dict().items():
        assert torch.equal(last[f"weight.{name}"], tensor)


def test_without_validation_on_the_way_the_last_step_is_validated(learnable, tmp_path: Path):
    train(tiny_config(validate_every=0), learnable, learnable, tmp_path, CPU)
    steps = [entry["step"] for entry in log_of(tmp_path) if "valid_delta_auprc_8" in entry]
    assert steps == [8]


def test_a_finished_run_gives_its_learner_without_a_step(learnable, tmp_path: Path, at_step):
    first = train(tiny_config(), learnable, learnable, tmp_path, CPU)
    log = log_of(tmp_path)
    at_step(0, crash)
    again = train(tiny_config(), learnable, learnable, tmp_path, CPU)
    for name, tensor in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert log_of(tmp_path) == log


@pytest.mark.parametrize(
    "other",
    [
        tiny_config(steps=9),
        tiny_config("deepkernel"),
        replace(tiny_config(), seed=1),
        replace(tiny_config(), encoder=replace(tiny_config().encoder, dim=4)),
    ],
)
def test_a_folder_with_a_run_of_other_settings_is_refused(
    other: RunConfig, learnable, tmp_path: Path
):
    train(tiny_config(), learnable, None, tmp_path, CPU)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(ConfigError, match="other settings"):
        train(other, learnable, None, tmp_path, CPU)
    assert (tmp_path / STATE).read_bytes() == before


def test_a_folder_with_a_run_on_other_assays_is_refused(learnable, tmp_path: Path):
    train(tiny_config(), learnable, learnable, tmp_path, CPU)
    other = replace(learnable, sha256="2" * 64)
    for store, valid in ((other, learnable), (learnable, other), (learnable, None)):
        with pytest.raises(ConfigError, match="other data"):
            train(tiny_config(), store, valid, tmp_path, CPU)


def test_a_damaged_state_is_refused_with_what_to_do(learnable, tmp_path: Path):
    train(tiny_config(), learnable, None, tmp_path, CPU)
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="remove"):
        train(tiny_config(), learnable, None, tmp_path, CPU)


def test_a_log_cut_off_in_the_middle_of_a_line_is_continued(learnable, tmp_path: Path):
    train(tiny_config(), learnable, None, tmp_path, CPU)
    log = log_of(tmp_path)
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 8, "lo')
    train(tiny_config(), learnable, None, tmp_path, CPU)
    assert log_of(tmp_path) == log


def test_validation_assays_that_cannot_be_drawn_are_refused_before_training(learnable, tmp_path):
    small = replace(learnable, tasks=(task("small", torch.tensor([1.0, 0, 0, 0])),))
    with pytest.raises(ConfigError, match="validation_support_sizes"):
        train(tiny_config(), learnable, small, tmp_path / "run", CPU)
    assert not (tmp_path / "run").exists()


def test_validation_assays_that_are_trained_on_are_refused_unless_that_is_accepted(
    learnable, tmp_path: Path
):
    told: list[str] = []
    with pytest.raises(InputError, match="in meta-train too: "):
        outer_loop.train(tiny_config(), learnable, learnable, tmp_path / "run", CPU)
    assert not (tmp_path / "run").exists()
    train(tiny_config(), learnable, learnable, tmp_path / "run", CPU, tell=told.append)
    n = len(learnable)
    assert told[0].endswith(f" and {n} of the {n} meta-valid assays.")
    assert len(told) == 1


def test_a_folder_that_is_a_file_is_refused_before_training(learnable, tmp_path: Path, at_step):
    (tmp_path / "run").write_text("")
    at_step(0, crash)
    with pytest.raises(OutputError, match="run"):
        train(tiny_config(), learnable, None, tmp_path / "run", CPU)


def test_a_gradient_that_is_not_finite_moves_no_weight(
    learnable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = ProtoNet.meta_loss
    monkeypatch.setattr(ProtoNet, "meta_loss", lambda *a: original(*a) * math.nan)
    torch.manual_seed(0)
    fresh = run.build_learner(tiny_config())
    learner = train(tiny_config(), learnable, None, tmp_path, CPU)
    for name, parameter in fresh.named_parameters():
        assert torch.equal(dict(learner.named_parameters())[name], parameter), name
    assert all(math.isnan(entry["gradient_norm"]) for entry in log_of(tmp_path))


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth():
    course = OuterLoopConfig(steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [learning_rate(step, course) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[99] == rates[100] == pytest.approx(1.0)
    assert rates[550] == pytest.approx(0.505)
    assert rates[1000] == pytest.approx(0.01)
    assert all(a >= b for a, b in pairwise(rates[100:]))
