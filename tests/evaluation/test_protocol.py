"""The FS-Mol protocol: which draws are made, what learners are given, how results are averaged."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedShuffleSplit

from molmeta.assays.episodes import official_draw
from molmeta.assays.store import AssayStore, open_store
from molmeta.encoders.config import EncoderConfig
from molmeta.evaluation.metrics import METRICS, calibration_error, delta_auprc
from molmeta.evaluation.protocol import (
    DrawResult,
    QueryPredictions,
    pool,
    run_protocol,
    summarize,
    task_means,
)
from molmeta.learners.base import Learner
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig
from molmeta.learners.registry import LEARNERS
from tests.made_up_learners import Recorder, WithoutShortcut

ENCODER = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)


def only(store: AssayStore, assay_id: str) -> AssayStore:
    return replace(store, tasks=tuple(t for t in store if t.assay_id == assay_id))


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


def average_precision_by_hand(labels: list[int], scores: list[float]) -> float:
    """Mean over the actives of the share of actives among all that score at least as high."""
    precisions = []
    for label, score in zip(labels, scores, strict=True):
        if label == 1:
            above = [other for other, s in zip(labels, scores, strict=True) if s >= score]
            precisions.append(sum(above) / len(above))
    return sum(precisions) / len(precisions)


def test_per_task_results_are_those_of_an_independent_protocol(store):
    results = flat(Recorder(), store, 16, 32, runs=range(4))
    for size in (16, 32):
        expected = {}
        for task in store:
            labels = task.labels.int().tolist()
            keys = store.molecules.keys[task.molecules].tolist()
            # Actives first, then inactives, each in file order.
            order = sorted(range(len(labels)), key=lambda i: 1 - labels[i])
            strata = [1 - labels[i] for i in order]
            draws = []
            for run in range(4):
                splitter = StratifiedShuffleSplit(
                    1, train_size=size, test_size=len(labels) - size, random_state=run
                )
                _, query = next(splitter.split(order, strata))
                truth = [labels[order[i]] for i in query]
                scores = [keys[order[i]] for i in query]
                share = sum(truth) / len(truth)
                draws.append(average_precision_by_hand(truth, scores) - share)
            expected[task.assay_id] = sum(draws) / len(draws)
        assert task_means(results)[size] == pytest.approx(expected, abs=1e-9)
        figures = list(expected.values())
        mean = sum(figures) / len(figures)
        variance = sum((f - mean) ** 2 for f in figures) / (len(figures) - 1)
        summary = summarize(results)[size]
        assert summary.mean == pytest.approx(mean)
        assert summary.standard_error == pytest.approx(math.sqrt(variance / len(figures)))


def test_real_assays_give_what_rdkit_and_scikit_learn_give_on_the_published_draws(
    shared_data: Path, tmp_path: Path
):
    draws = json.loads((shared_data / "fsmol/official_draws.json").read_text())
    draws = [draw for draw in draws if draw["run"] == 0]
    names = sorted({draw["assay_id"] for draw in draws})
    table = pq.read_table(
        shared_data / "fsmol/valid.parquet", columns=["assay_id", "smiles", "label"]
    ).to_pandas()
    table = table[table.assay_id.isin(names)]
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "assays.parquet")

    kind = LEARNERS["logistic_regression"]
    store = open_store(tmp_path / "assays.parquet", workers=1)
    results = flat(kind(ENCODER, kind.Config()), store, 16, 64, runs=range(1))
    found = {(r.assay_id, r.support_size): r.metrics["delta_auprc"] for r in results}
    assert len(found) == len(draws) == 2 * len(names)
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    compared = 0
    for draw in draws:
        of = table[table.assay_id == draw["assay_id"]]
        labels = of.label.to_numpy()
        mols = [Chem.MolFromSmiles(smiles) for smiles in of.smiles]
        if None in mols:
            continue  # phosphorus of valence 7, which the intake reads in its own way
        counts = np.array([morgan.GetCountFingerprintAsNumPy(mol) for mol in mols], float)
        support = np.array(draw["support"])
        query = np.setdiff1d(np.arange(len(labels)), support)
        model = LogisticRegression(max_iter=1000).fit(counts[support], labels[support])
        scores = model.decision_function(counts[query])
        expected = average_precision_score(labels[query], scores) - labels[query].mean()
        assert found[draw["assay_id"], draw["support_size"]] == pytest.approx(expected, abs=2e-3)
        compared += 1
    assert compared >= 2


def test_predictions_name_the_query_rows_with_their_labels_and_logits(store):
    recorder = Recorder()
    for result in flat(recorder, only(store, "A"), 16):
        kept = result.predictions
        task = store.tasks[0]
        draw = official_draw(task.labels, 16, result.run)
        assert draw is not None
        np.testing.assert_array_equal(kept.rows, draw[1])
        np.testing.assert_array_equal(kept.labels, task.labels.numpy()[draw[1]])
        keys = store.molecules.keys[task.molecules].double().numpy()[draw[1]]
        np.testing.assert_allclose(kept.logits, keys / 2.0**60, rtol=1e-6)
        found = delta_auprc(kept.labels.astype(float), kept.probabilities)
        assert found == result.metrics["delta_auprc"]


def test_pooled_calibration_sees_all_query_molecules_of_a_size_as_one():
    def judged(assay: str, size: int, labels: list[int], logits: list[float]) -> DrawResult:
        kept = QueryPredictions(
            np.arange(len(labels), dtype=np.int32),
            np.array(labels, dtype=np.float32),
            np.array(logits, dtype=np.float32),
        )
        return DrawResult(assay, size, 0, len(labels), 0.5, {}, kept)

    sure, unsure = math.log(0.75 / 0.25), 0.0
    results = [
        judged("A", 16, [1, 1], [sure, sure]),
        judged("B", 16, [1, 0, 1, 0], [sure, sure, unsure, unsure]),
        judged("C", 64, [1], [unsure]),
        replace(result("D", 0, 0.3)),  # keeps no predictions
    ]
    pooled = pool(results, "calibration_error")
    # Each draw of two is .25 off by itself; of the four called at .75, three are active.
    assert pooled[16].mean == pytest.approx(0.0, abs=1e-6)
    assert calibration_error(np.ones(2), np.full(2, 0.75)) == pytest.approx(0.25)
    assert pooled[16].n_tasks == 2
    assert pooled[64].mean == pytest.approx(0.5)
    assert math.isnan(pooled[16].standard_error)


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
