import builtins
import os
from pathlib import Path

import pytest

from molmeta.training.log import RunLog
from molmeta.training.tensorboard import Events


def test_without_the_extra_the_log_is_written_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = builtins.__import__

    def without_extra(name, *arguments):
        if name == "torch.utils.tensorboard":
            raise ImportError
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_extra)
    RunLog(tmp_path, 0).write(1, {"loss": 0.5})
    assert os.listdir(tmp_path) == ["log.jsonl"]


def test_a_resumed_run_replaces_the_points_after_its_step(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = Events(tmp_path, 0)
    for step in (1, 2, 3):
        first.write(step, {"loss": 1.0 * step})
    resumed = Events(tmp_path, 1)
    for step in (2, 3):
        resumed.write(step, {"loss": 10.0 * step})
    points = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (2, 20.0), (3, 30.0)]
