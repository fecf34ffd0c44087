"""The regression protocol: the official draws, and the published assays, supports and score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore
from molmeta.assays.task import MeasuredMolecules, Task
from molmeta.encoders.config import EncoderConfig
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import QueryValues, run_protocol
from molmeta.evaluation.value_protocol import has_values, run_value_task
from molmeta.learners.base import Learner
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import ValueLearner


@pytest.fixture
def measured(store: AssayStore) -> AssayStore:
    """The assays of `store` with values: that of a row is higher where it is active."""
    tasks = []
    for task in store:
        values = 5 + task.labels + torch.linspace(0, 1, len(task))
        relations = torch.where(torch.arange(len(task)) % 7 == 0, -1, 0).to(torch.int8)
        tasks.append(replace(task, log_values=values, relations=relations))
    return replace(store, tasks=tuple(tasks))


def build(name: str) -> Learner:
    encoder = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)
    return LEARNERS[name](encoder, LEARNERS[name].Config())


def task(values: list[float]) -> Task:
    n = len(values)
    zeros = torch.zeros(n)
    return Task("A", zeros.long(), zeros, torch.tensor(values), zeros.to(torch.int8))


def test_assays_are_left_out_for_a_missing_value_and_for_percentages() -> None:
    assert has_values(task([5.0, 7.5, 6.99]))
    assert not has_values(task([5.0, float("nan"), 6.0]))
    # 100, 60 and 3 as published, in whichever unit.
    assert not has_values(task([9 - np.log10(x) for x in (100, 60, 3)]))


@pytest.mark.parametrize("name", ["tanimoto_knn", "deepkernel"])
def test_each_draw_is_scored_as_a_user_would_score_it(measured: AssayStore, name: str) -> None:
    learner = build(name)
    first = measured.tasks[0]
    assert isinstance(learner, ValueLearner)
    results = run_value_task(learner.eval(), measured, first, (16, 32), (0, 3))
    assert [(r.support_size, r.run) for r in results] == [(16, 0), (16, 3), (32, 0), (32, 3)]
    for result in results:
        draw = official_draw(first.labels, result.support_size, result.run)
        assert draw is not None
        support, query = map(torch.from_numpy, draw)
        molecules = measured.molecules.gather(first.molecules)
        known = first.log_values[support]
        # Bounds for values, as in what is published.
        none = torch.zeros(len(support), dtype=torch.int8)
        predict = learner.adapt_values(MeasuredMolecules(molecules.gather(support), known, none))
        with torch.no_grad():
            answer = predict(molecules.gather(query))
        truth = first.log_values[query].double()
        total = (truth - known.double().mean()).square().sum()
        r2 = 1 - (truth - answer.mean.double()).square().sum() / total
        assert result.metrics["r2"] == pytest.approx(r2.item(), abs=1e-5)
        low, high = answer.interval()
        inside = ((low <= truth) & (truth <= high))[first.relations[query] == 0]
        assert result.metrics["coverage"] == pytest.approx(inside.double().mean().item())
        assert isinstance(result.predictions, QueryValues)
        np.testing.assert_array_equal(result.predictions.rows, draw[1])
        np.testing.assert_allclose(result.predictions.means, answer.mean, atol=1e-5)


def test_a_support_without_a_difference_gives_undefined_figures(measured: AssayStore) -> None:
    values = torch.full((len(measured.tasks[0]),), 5.0)
    alike = replace(measured.tasks[0], log_values=values)
    results = run_value_task(build("tanimoto_gp"), measured, alike, (16,), (0,))
    assert all(np.isnan(figure) for figure in results[0].metrics.values())


def test_a_learner_of_classes_is_refused(measured: AssayStore) -> None:
    with pytest.raises(ConfigError, match="ProtoNet predicts classes"):
        run_value_task(build("protonet"), measured, measured.tasks[0], (16,), (0,))


def test_tasks_without_values_have_no_results(store: AssayStore) -> None:
    learner = build("tanimoto_gp")
    found = list(run_protocol(learner, store, (16,), (0,), task_run=run_value_task))
    assert found == [[], [], [], []]


def test_23_of_the_meta_valid_assays_have_values(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "fsmol" / "valid.parquet").to_pandas()
    kept = {
        name
        for name, rows in table.groupby("assay_id")
        if has_values(task(rows.log_value.astype("float32").tolist()))
    }
    by_value = {
        name
        for name, rows in table.groupby("assay_id")
        if (rows.value > 0).all() and (rows.value > 100).any()
    }
    assert kept == by_value
    assert len(kept) == 23
