"""The FS-Mol protocol: which draws are made, what learners are given, how results are averaged."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore
from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.encoders.config import EncoderConfig
from molmeta.evaluation.metrics import METRICS, delta_auprc
from molmeta.evaluation.protocol import DrawResult, run_protocol, summarize
from molmeta.learners.base import Learner, Prediction, Predictor
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig

ENCODER = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)


def only(store: AssayStore, assay_id: str) -> AssayStore:
    return replace(store, tasks=tuple(t for t in store if t.assay_id == assay_id))


class Recorder(Learner):
    """Scores a molecule by its key, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.supports: list[LabeledMolecules] = []
        self.queries: list[MoleculeBatch] = []

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        self.supports.append(support)

        def predict(molecules: MoleculeBatch) -> Prediction:
            self.queries.append(molecules)
            logit = molecules.keys.double() / 2.0**60
            return Prediction(logit, torch.full_like(logit, torch.nan))

        return predict


class WithoutShortcut(Learner):
    """A ProtoNet that the protocol cannot tell to encode molecules once."""

    def __init__(self, inner: ProtoNet) -> None:
        super().__init__()
        self.inner = inner

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        return self.inner.adapt(support)


def flat(learner: Learner, store: AssayStore, *sizes: int, runs: range = range(2)):
    return [r for results in run_protocol(learner, store, sizes, runs) for r in results]


def test_results_come_task_by_task_with_sizes_and_runs_in_order(store):
    by_task = list(run_protocol(Recorder(), store, (8, 16), range(3)))
    assert len(by_task) == len(store)
    for task, results in zip(store, by_task, strict=True):
        found = [(r.assay_id, r.support_size, r.run) for r in results]
        assert found == [(task.assay_id, size, run) for size in (8, 16) for run in range(3)]
        assert all(r.n_query == len(task) - r.support_size for r in results)


def test_support_and_query_are_those_of_the_official_draw(store):
    recorder = Recorder()
    results = flat(recorder, only(store, "B"), 16)
    task = store.tasks[1]
    keys = store.molecules.keys[task.molecules]
    for i, result in enumerate(results):
        draw = official_draw(task.labels, 16, result.run)
        assert draw is not None
        support, query = (torch.from_numpy(rows) for rows in draw)
        assert torch.equal(recorder.supports[i].molecules.keys.sort()[0], keys[support].sort()[0])
        assert recorder.supports[i].labels.sum() == task.labels[support].sum()
        assert torch.equal(recorder.queries[i].keys, keys[query])
        assert result.share_active == pytest.approx(float(task.labels[query].mean()))


def test_metrics_are_those_of_the_query(store):
    (result,) = flat(Recorder(), only(store, "A"), 16, runs=range(1))
    task = store.tasks[0]
    draw = official_draw(task.labels, 16, 0)
    assert draw is not None
    keys = store.molecules.keys[task.molecules].numpy()[draw[1]]
    labels = task.labels.double().numpy()[draw[1]]
    assert result.metrics.keys() == METRICS.keys()
    assert result.metrics["delta_auprc"] == pytest.approx(delta_auprc(labels, keys))


def test_a_draw_that_cannot_be_made_is_skipped_not_shrunk(store):
    results = flat(Recorder(), store, 16, 64)
    tasks_at = {size: {r.assay_id for r in results if r.support_size == size} for size in (16, 64)}
    assert tasks_at == {16: {"A", "B", "C", "D"}, 64: {"A", "B"}}  # C has 60 molecules, D 40


def test_the_protocol_measures_in_evaluation_mode_and_without_gradients(store):
    learner = ProtoNet(ENCODER, ProtoNetConfig()).train()
    first = flat(learner, store, 8)
    assert not learner.training
    assert all(p.grad is None for p in learner.parameters())
    assert [r.metrics for r in flat(learner, store, 8)] == [r.metrics for r in first]


def test_encoding_a_task_once_gives_what_adapting_to_each_draw_gives(store):
    learner = ProtoNet(ENCODER, ProtoNetConfig()).eval()
    once = flat(learner, store, 8, 16)
    each = flat(WithoutShortcut(learner), store, 8, 16)
    for left, right in zip(once, each, strict=True):
        assert (left.assay_id, left.run, left.n_query) == (right.assay_id, right.run, right.n_query)
        assert left.metrics["brier"] == pytest.approx(right.metrics["brier"], abs=1e-6)
        assert left.metrics["roc_auc"] == pytest.approx(right.metrics["roc_auc"], abs=1e-3)


def result(assay: str, run: int, value: float, size: int = 16) -> DrawResult:
    return DrawResult(assay, size, run, 10, 0.5, {"delta_auprc": value, "brier": 0.2})


def test_summaries_average_draws_within_a_task_and_then_tasks():
    summaries = summarize(
        [
            *(result("A", run, value) for run, value in enumerate((0.1, 0.3))),
            result("B", 0, 0.5),
            *(result("C", run, value) for run, value in enumerate((0.0, math.nan))),
            *(result("D", run, math.nan) for run in range(2)),
        ]
    )
    assert list(summaries) == [16]
    summary = summaries[16]
    assert summary.mean == pytest.approx((0.2 + 0.5 + 0.0) / 3)
    assert summary.standard_error == pytest.approx(np.std([0.2, 0.5, 0.0], ddof=1) / math.sqrt(3))
    assert summary.n_tasks == 3
    assert summary.n_undefined == 3


def test_summaries_are_by_ascending_support_size_and_of_the_named_metric():
    summaries = summarize([result("A", 0, 0.3, 64), result("A", 0, 0.1, 16)], "brier")
    assert list(summaries) == [16, 64]
    assert summaries[64].mean == pytest.approx(0.2)


def test_one_task_has_no_standard_error_and_none_has_no_mean():
    assert math.isnan(summarize([result("A", 0, 0.3)])[16].standard_error)
    undefined = summarize([result("A", 0, math.nan)])[16]
    assert math.isnan(undefined.mean)
    assert (undefined.n_tasks, undefined.n_undefined) == (0, 1)
    assert summarize([]) == {}
