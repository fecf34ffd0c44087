"""Calibration fits the head on held-out assays and leaves the encoder alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.errors import ConfigError
from molmeta.evaluation.protocol import run_protocol
from molmeta.evaluation.value_protocol import run_value_task
from molmeta.learners.base import Embedded, Learner
from molmeta.learners.memory import CompoundMemory
from molmeta.learners.protonet import ProtoNet
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import ValueHeadLearner
from molmeta.training import calibration
from molmeta.training.calibration import CalibrationConfig, calibrate
from molmeta.training.run import build_learner
from tests.training.tiny import ENCODER, task, tiny_config

CONFIG = CalibrationConfig(steps=15, tasks_per_step=4, support_sizes=(8, 16), query_size=32)


def _learner(name: str) -> Learner:
    torch.manual_seed(0)
    learner = LEARNERS[name](ENCODER, LEARNERS[name].Config())  # type: ignore[call-arg,arg-type]
    return learner.eval()


@pytest.mark.parametrize("name", [name for name, kind in LEARNERS.items() if kind.trainable])
def test_what_is_calibrated_moves_and_nothing_else(name: str, learnable: AssayStore) -> None:
    learner = _learner(name)
    before = {n: p.detach().clone() for n, p in learner.named_parameters()}
    fitted = {id(parameter) for parameter in learner.calibrated}
    calibrate(learner, learnable, replace(CONFIG, steps=3), seed=0)
    moved = {n for n, p in learner.named_parameters() if not torch.equal(before[n], p)}
    assert moved
    assert moved <= {n for n, p in learner.named_parameters() if id(p) in fitted}
    assert not any(n.startswith("encoder.") for n in moved)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("deepkernel", "settings.scale"),
        ("protonet", "temperature.law"),
        ("matching", "temperature.law"),
        ("incontext", "temperature.law"),
        ("anil", "head.temperature.law"),
        ("maml", "head.temperature.law"),
    ],
)
def test_probabilities_get_better(name: str, scale: str, learnable: AssayStore) -> None:
    learner = _learner(name)
    # A scale that shouts: probabilities near 0 and 1 from eight compounds.
    with torch.no_grad():
        learner.get_parameter(scale)[0] = 3.0

    def brier() -> float:
        results = [d for task in run_protocol(learner, learnable, (8,)) for d in task]
        return float(np.mean([d.metrics["brier"] for d in results]))

    before = brier()
    calibrate(learner, learnable, replace(CONFIG, steps=40, learning_rate=0.1), seed=0)
    assert brier() < before - 0.02


def test_memory_is_sometimes_left_out_and_always_put_back(
    learnable: AssayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = _learner("deepkernel")
    memory = CompoundMemory.of(learnable)
    learner.memory = memory
    fit_head, seen = type(learner).fit_head, []

    def noting(self, support, labels):  # type: ignore[no-untyped-def]
        seen.append(self.memory is None)
        return fit_head(self, support, labels)

    monkeypatch.setattr(type(learner), "fit_head", noting)
    calibrate(learner, learnable, replace(CONFIG, memory_dropout=0.5), seed=0)
    assert 0.2 < np.mean(seen) < 0.8
    assert learner.memory is memory


def test_the_memory_is_asked_as_it_would_be_without_the_assay(
    learnable: AssayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = _learner("deepkernel")
    # Of all assays, of which the second half is calibrated on, backwards.
    learner.memory = CompoundMemory.of(learnable)
    places = list(range(len(learnable)))[: len(learnable) // 2 - 1 : -1]
    aside = replace(learnable, tasks=tuple(learnable.tasks[place] for place in places))
    asked: list[tuple[str, int]] = []
    known_assays = set(range(len(learnable)))

    def noting(learner, embedded, task, support, query):  # type: ignore[no-untyped-def]
        (missing,) = known_assays - set(learner.memory.assays.tolist())
        asked.append((task.assay_id, missing))
        return class_loss(learner, embedded, task, support, query)

    class_loss = calibration._class_loss
    monkeypatch.setattr(calibration, "_class_loss", noting)
    calibrate(learner, aside, replace(CONFIG, memory_dropout=0.0), 0, places)
    assert len({place for _, place in asked}) > 2
    assert all(learnable.tasks[place].assay_id == name for name, place in asked)


def test_half_of_the_whole_assays_are_new_chemistry_and_the_rest_known_compounds_and_panels(
    drugs: MoleculeBatch,
) -> None:
    # 40 assays of one panel, 4 that share their compounds with one other, and 8 of their own.
    firsts = [0] * 40 + [6, 6, 12, 12] + list(range(18, 66, 6))
    tasks = [
        task(f"T{place}", torch.tensor([1.0, 0.0] * 3), torch.arange(first, first + 6))
        for place, first in enumerate(firsts)
    ]
    assays = AssayStore(tuple(tasks), drugs, {}, "1" * 64)
    memory = CompoundMemory.of(assays)
    learner = _learner("protonet")
    ready = [
        calibration._Assay(one, calibration._embed(learner, assays, one), place)
        for place, one in enumerate(assays)
    ]
    chances = calibration._chances(calibration._kinds(ready, memory))
    for part, share in ((slice(0, 40), 0.25), (slice(40, 44), 0.25), (slice(44, 52), 0.5)):
        assert chances[part].sum() == pytest.approx(share)
    np.testing.assert_allclose(calibration._chances(calibration._kinds(ready, None)), 1 / 52)


def _assay(molecules: MoleculeBatch) -> calibration._Assay:
    labels = (torch.arange(len(molecules)) % 2).float()
    vectors = torch.zeros(len(molecules), 8, dtype=torch.float64)
    return calibration._Assay(task("A", labels), Embedded(vectors, molecules), None)


def test_decks_are_made_of_assays_that_are_large_and_no_panels(drugs: MoleculeBatch) -> None:
    ready = [_assay(drugs.gather(torch.arange(n))) for n in (29, 30, 90, 60)]
    kinds = np.array([0, 0, 1, 2])
    chances = calibration._chances_of_decks(ready, kinds)
    assert chances is not None
    np.testing.assert_allclose(chances, [0, 0.25, 0.75, 0])
    assert calibration._chances_of_decks(ready[:1], kinds[:1]) is None


def test_a_deck_has_no_near_analogues(drugs: MoleculeBatch) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        support, query = _assay(drugs).split(16, CONFIG, rng, is_deck=True)
        assert len(support) == 16
        assert len(query) <= CONFIG.query_size
        rows = torch.cat([support, query])
        similarity = tanimoto(drugs.gather(rows), drugs.gather(rows)).fill_diagonal_(0)
        assert similarity.max() <= calibration._MOST_ALIKE[1]
        labels = rows % 2
        assert 0 < labels[:16].sum() < 16


def test_a_series_of_which_no_deck_can_be_made_stays_whole() -> None:
    texts = [read_smiles(f"CC(C)c1ccc(C{'C' * n}O)cc1") for n in range(10, 40)]
    series = featurize([text for text in texts if isinstance(text, Molecule)])
    support, query = _assay(series).split(8, CONFIG, np.random.default_rng(0), is_deck=True)
    assert sorted(torch.cat([support, query]).tolist()) == list(range(30))


def test_the_same_seed_gives_the_same_head(learnable: AssayStore) -> None:
    first, second = _learner("deepkernel"), _learner("deepkernel")
    for learner in (first, second):
        calibrate(learner, learnable, CONFIG, seed=1)
    for one, other in zip(first.calibrated, second.calibrated, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "settings", [{"steps": -1}, {"share": 0.0}, {"memory_dropout": 1.5}, {"support_sizes": ()}]
)
def test_settings_that_cannot_run_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="calibration"):
        CalibrationConfig(**settings)


def test_a_learner_without_anything_to_calibrate_is_refused_before_it_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = replace(tiny_config("protonet"), calibration=CONFIG)
    assert build_learner(config).calibrated
    monkeypatch.setattr(ProtoNet, "calibrated", [])
    with pytest.raises(ConfigError, match="A ProtoNet has nothing to calibrate"):
        build_learner(config)
    build_learner(tiny_config("protonet"))


def test_assays_that_cannot_be_split_are_left_out(learnable: AssayStore) -> None:
    one_class = task("inactive", torch.zeros(40))
    mixed = replace(learnable, tasks=(*learnable.tasks, one_class))
    calibrate(_learner("protonet"), mixed, CONFIG, seed=0)
    with pytest.raises(ConfigError, match="can be split"):
        calibrate(_learner("protonet"), replace(learnable, tasks=(one_class,)), CONFIG, seed=0)


@pytest.fixture
def measured(learnable: AssayStore) -> AssayStore:
    """The learnable assays with values, half a unit higher where active, and some bounds."""
    tasks = []
    for one in learnable:
        values = 5 + one.labels / 2 + torch.linspace(0, 1, len(one))
        relations = torch.where(torch.arange(len(one)) % 9 == 0, -1, 0).to(torch.int8)
        tasks.append(replace(one, log_values=values, relations=relations))
    return replace(learnable, tasks=tuple(tasks))


def test_settings_of_values_are_fitted_where_assays_have_values(
    learnable: AssayStore, measured: AssayStore
) -> None:
    name = "value_settings.noise"
    before = _learner("deepkernel").get_parameter(name)
    for store, moves in ((learnable, False), (measured, True)):
        learner = _learner("deepkernel")
        calibrate(learner, store, CONFIG, seed=0)
        assert torch.equal(before, learner.get_parameter(name)) != moves


def test_what_assays_of_activity_cannot_teach_is_not_fitted(measured: AssayStore) -> None:
    name = "value_settings.composition"
    before = _learner("deepkernel").get_parameter(name)
    learner = _learner("deepkernel")
    calibrate(learner, measured, CONFIG, seed=0)
    assert torch.equal(learner.get_parameter(name), before)


def test_what_is_left_unexplained_is_the_squared_error_over_the_spread() -> None:
    measured, support = torch.tensor([6.0, 8.0]), torch.tensor([5.0, 7.0])
    # Around the support's mean of 6 the values spread by 0 + 4, and its variance is 2.
    means = torch.tensor([6.0, 7.0])
    assert calibration._unexplained(means, measured, support).item() == pytest.approx(1 / 6)
    nothing = measured[:0]
    assert calibration._unexplained(nothing, nothing, support).item() == 0


def test_the_loss_of_values_is_their_surprise_and_the_squared_error_of_those_measured(
    measured: AssayStore,
) -> None:
    learner, one = _learner("deepkernel"), next(iter(measured))
    assert isinstance(learner, ValueHeadLearner)
    support, query = torch.arange(12), torch.arange(12, len(one))
    values, relations = one.log_values, one.relations
    points = relations[query] == 0
    assert points.any()
    assert not points.all()
    with torch.no_grad():
        embedded = learner.embed(measured.molecules.gather(one.molecules))
        loss = calibration._value_loss(learner, embedded, one, support, query)
        head = learner.fit_value_head(embedded.gather(support), values[support], relations[support])
        found = head(embedded.gather(query))
    surprise = -found.log_density(values[query], relations[query]).mean()
    error = (values[query] - found.mean)[points].double().square().sum()
    known = values[support].double()
    spread = (values[query][points].double() - known.mean()).square().sum() + known.var()
    assert loss is not None
    torch.testing.assert_close(loss, surprise + error / spread, rtol=1e-5, atol=1e-6)


def test_intervals_get_better(measured: AssayStore) -> None:
    learner = _learner("deepkernel")
    # Variances of twenty times what they are: intervals that hold everything.
    with torch.no_grad():
        learner.get_parameter("value_settings.width")[0] = 3.0

    def coverage() -> float:
        tasks = run_protocol(learner, measured, (8,), task_run=run_value_task)
        results = [d for one in tasks for d in one]
        return float(np.mean([d.metrics["coverage"] for d in results]))

    before = coverage()
    calibrate(learner, measured, replace(CONFIG, steps=80, learning_rate=0.1), seed=0)
    assert abs(coverage() - 0.9) < abs(before - 0.9) - 0.05
