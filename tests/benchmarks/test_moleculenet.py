"""The MoleculeNet benchmark: which draws it makes, what learners get, and how it averages."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from benchmarks.moleculenet import balanced_draw, few_shot_results, main, mean_and_deviation
from molmeta.assays.store import AssayStore
from molmeta.checkpoint import save_checkpoint
from molmeta.encoders.config import EncoderConfig
from molmeta.evaluation.protocol import DrawResult
from molmeta.learners.protonet import ProtoNet, ProtoNetConfig
from tests.made_up_learners import Recorder, WithoutShortcut
from tests.molecules import MOLECULES
from tests.tiny_model import tiny_checkpoint

LABELS = torch.tensor([1.0, 0, 0] * 15)


def draw_of(seed: int):
    draw = balanced_draw(LABELS, np.random.default_rng(seed))
    assert draw is not None
    return draw


def test_a_support_has_ten_of_each_class_and_the_query_is_everything_else():
    support, query = draw_of(0)
    assert LABELS[support].sum() == 10
    assert len(support) == 20
    assert sorted([*support.tolist(), *query.tolist()]) == list(range(45))


def test_each_seed_draws_anew_and_the_same_again():
    assert torch.equal(draw_of(1)[0], draw_of(1)[0])
    assert set(draw_of(1)[0].tolist()) != set(draw_of(2)[0].tolist())


@pytest.mark.parametrize(("actives", "inactives"), [(10, 30), (30, 10), (3, 30)])
def test_a_task_with_no_query_of_a_class_is_skipped(actives, inactives):
    labels = torch.tensor([1.0] * actives + [0.0] * inactives)
    assert balanced_draw(labels, np.random.default_rng(0)) is None


def test_every_learner_sees_the_same_draws(store: AssayStore):
    first, second = Recorder(), Recorder()
    for learner in (first, second):
        list(few_shot_results(learner, store, range(3)))
    keys = [[s.molecules.keys.sort().values.tolist() for s in x.supports] for x in (first, second)]
    assert keys[0] == keys[1]
    assert len({tuple(k) for k in keys[0]}) == len(keys[0])


def test_the_figure_of_a_draw_is_the_roc_auc_of_its_query(store: AssayStore):
    learner = Recorder()
    results = list(few_shot_results(learner, store, range(2)))
    assert [r.assay_id for r in results] == ["A", "A", "B", "B", "C", "C", "D", "D"]
    task, result, support = store.tasks[0], results[0], learner.supports[0]
    is_query = ~torch.isin(store.molecules.keys[task.molecules], support.molecules.keys)
    keys = store.molecules.keys[task.molecules[is_query]].double()
    assert result.n_query == 80 == int(is_query.sum())
    assert result.metrics["roc_auc"] == pytest.approx(
        roc_auc_score(task.labels[is_query].numpy(), keys.numpy())
    )


def test_encoding_once_changes_no_figure(store: AssayStore):
    encoder = EncoderConfig(graph_layers=1, graph_width=8, ecfp_bits=64, hidden=16, dim=8)
    protonet = ProtoNet(encoder, ProtoNetConfig()).eval()
    short = list(few_shot_results(protonet, store, range(2)))
    long = list(few_shot_results(WithoutShortcut(protonet), store, range(2)))
    for one, other in zip(short, long, strict=True):
        assert one.metrics["roc_auc"] == pytest.approx(other.metrics["roc_auc"], abs=1e-12)


def result(assay_id: str, seed: int, roc_auc: float) -> DrawResult:
    return DrawResult(assay_id, 20, seed, 100, 0.5, {"roc_auc": roc_auc})


def test_tasks_are_averaged_within_a_seed_and_the_deviation_is_over_seeds():
    draws = [result("A", 0, 0.5), result("B", 0, 0.7), result("A", 1, 0.6), result("B", 1, 0.8)]
    mean, deviation = mean_and_deviation(draws)
    # Means of the seeds: 60 and 70 %.
    assert mean == pytest.approx(65)
    assert deviation == pytest.approx(math.sqrt(50))


def test_no_draw_at_all_is_undefined():
    assert all(math.isnan(value) for value in mean_and_deviation([]))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """One data set as the recipe makes it: two tasks of 45 molecules."""
    (tmp_path / "sider").mkdir()
    columns = {
        "assay_id": ["Eye disorders"] * 45 + ["Cardiac disorders"] * 45,
        "smiles": MOLECULES[:45] * 2,
        "label": [1, 0, 0] * 15 + [0, 1, 1] * 15,
    }
    pq.write_table(pa.table(columns), tmp_path / "sider" / "test.parquet")
    return tmp_path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.molmeta"
    save_checkpoint(path, tiny_checkpoint())
    return path


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_prints_a_row_a_method_and_what_the_model_knew(source, model):
    done = run("--source", source, "--model", model, "--baseline", "knn", "--seeds", 2)
    assert done.exit_code == 0, done.output
    assert f"{model}: meta-trained on none" in done.output
    assert "sider: 2 test tasks, 45 molecules" in done.output
    rows = [line.split() for line in done.stdout.splitlines() if "±" in line]
    assert [row[0] for row in rows] == [str(model), "knn"]
    assert all(0 <= float(row[1]) <= 100 for row in rows)


def test_the_draws_are_written(source, model, tmp_path):
    done = run("--source", source, "--model", model, "--seeds", 3, "--output", tmp_path / "results")
    assert done.exit_code == 0, done.output
    rows = pq.read_table(tmp_path / "results" / "sider" / "draws.parquet").to_pylist()
    assert {(row["assay_id"], row["run"]) for row in rows} == {
        (name, seed) for name in ("Eye disorders", "Cardiac disorders") for seed in range(3)
    }
    assert {row["support_size"] for row in rows} == {20}
    assert {row["n_query"] for row in rows} == {25}


def test_a_data_set_that_is_not_there_is_named_with_the_command_that_makes_it(source, model):
    done = run("--source", source, "--model", model, "--dataset", "muv")
    assert done.exit_code == 3
    assert "python -m data_recipes.moleculenet --dataset muv" in done.output


def test_an_empty_source_is_refused(tmp_path, model):
    done = run("--source", tmp_path, "--model", model)
    assert done.exit_code == 3
    assert "There is no" in done.output
