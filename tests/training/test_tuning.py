import json
import multiprocessing
import signal
import sqlite3
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch

from molmeta.assays.store import AssayStore
from molmeta.errors import ConfigError, OutputError
from molmeta.evaluation.protocol import run_protocol, summarize
from molmeta.learners.base import Learner
from molmeta.learners.protonet import ProtoNet
from molmeta.learners.prototypes import RIDGE
from molmeta.learners.registry import LEARNERS
from molmeta.learners.space import Choice, Float, Int
from molmeta.training import studies, tuning
from molmeta.training.studies import open_study
from molmeta.training.tuning import Tuned, TuningConfig, measure, tune
from tests.training.tiny import ENCODER, drug_store, task

SMALL = TuningConfig(trials=4, support_sizes=(8, 16), runs=2)
TUNABLE = sorted(name for name, kind in LEARNERS.items() if kind.search_space)


def fresh(name: str = "protonet", **settings: Any) -> Learner:
    torch.manual_seed(0)
    kind: Any = LEARNERS[name]
    learner: Learner = kind(ENCODER, kind.Config(**settings))
    return learner.eval()


@pytest.fixture
def run(learnable: AssayStore, tmp_path: Path) -> Callable[..., Tuned]:
    """Tunes on small assays; what is not said is the same each time."""

    def start(learner: Learner | None = None, config: TuningConfig = SMALL, **other: Any) -> Tuned:
        arguments: dict[str, Any] = {
            "model_sha256": "f" * 64,
            "storage": f"journal:{tmp_path / 'journal'}",
            "study_name": "test",
        } | other
        store = arguments.pop("store", learnable)
        return tune(learner or fresh(), store, config, **arguments)

    return start


@pytest.fixture
def trials(tmp_path: Path) -> Callable[..., list[optuna.trial.FrozenTrial]]:
    """The trials of the study that `run` makes."""

    def load(name: str = "journal") -> list[optuna.trial.FrozenTrial]:
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / name))
        storage = optuna.storages.JournalStorage(backend)
        return optuna.load_study(study_name="test", storage=storage).trials

    return load


def mean_score(learner: Learner, store: AssayStore, config: TuningConfig) -> float:
    """Computed here without the tuning's own code."""
    scores = []
    for results in run_protocol(learner, store, config.support_sizes, range(config.runs)):
        values = [
            np.mean([r.metrics["delta_auprc"] for r in results if r.support_size == size])
            for size in config.support_sizes
        ]
        scores.append(np.mean(values))
    return float(np.mean(scores))


@pytest.mark.parametrize("name", TUNABLE)
def test_the_result_is_the_best_trial_and_never_worse_than_before(
    name: str, learnable: AssayStore, run
):
    learner = fresh(name)
    weights = {name: t.clone() for name, t in learner.state_dict().items()}
    before = mean_score(learner, learnable, SMALL)
    tuned = run(learner)
    assert tuned.score_before == pytest.approx(before, abs=1e-12)
    assert tuned.score >= tuned.score_before
    assert mean_score(learner, learnable, SMALL) == pytest.approx(tuned.score, abs=1e-12)
    assert tuned.before == {n: getattr(fresh(name).config, n) for n in learner.search_space}
    assert tuned.settings == {n: getattr(learner.config, n) for n in learner.search_space}
    assert all(torch.equal(weights[n], t) for n, t in learner.state_dict().items())


def test_a_bad_setting_is_left_for_a_better_one(run, monkeypatch: pytest.MonkeyPatch):
    # Only the ridge matters here, and it is the better the nearer it is to 30.
    def scores(learner, store, config):
        for place in range(len(store)):
            yield 0.01 * place - abs(np.log10(learner.config.ridge / 30))

    monkeypatch.setattr(tuning, "_task_scores", scores)
    learner = fresh(ridge=700.0)
    tuned = run(learner, replace(SMALL, trials=40))
    assert tuned.before["ridge"] == 700.0
    assert 10 < tuned.settings["ridge"] < 90
    assert learner.config.ridge == tuned.settings["ridge"]


def test_a_trial_that_is_worse_on_every_task_is_given_up_early(
    run, trials, monkeypatch: pytest.MonkeyPatch
):
    def scores(learner, store, config):
        for _ in store:
            yield 0.5 if learner.config.ridge == RIDGE else 0.1

    monkeypatch.setattr(tuning, "_task_scores", scores)
    tuned = run()
    assert tuned.settings == tuned.before
    first, *others = trials()
    assert first.state == optuna.trial.TrialState.COMPLETE
    assert len(first.intermediate_values) == 6
    for other in others:
        assert other.state == optuna.trial.TrialState.PRUNED
        assert len(other.intermediate_values) < 6


def test_a_study_that_was_stopped_goes_on_and_ends_like_one_that_was_not(
    run, trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = run(storage=f"journal:{tmp_path / 'whole'}")
    run(config=replace(SMALL, trials=2))
    assert len(trials()) == 2
    assert run() == whole
    assert [t.params for t in trials()] == [t.params for t in trials("whole")]
    assert [t.values for t in trials()] == [t.values for t in trials("whole")]
    # Finished: nothing is evaluated again.
    monkeypatch.setattr(tuning, "_task_scores", None)
    assert run() == whole


@pytest.mark.parametrize("at_trial", [0, 1])
def test_an_interruption_keeps_what_was_found_and_the_learner_as_it_was(
    at_trial: int, run, trials, monkeypatch: pytest.MonkeyPatch
):
    original, calls = tuning._task_scores, iter(range(100))

    def interrupted(*arguments):
        call = next(calls)
        for place, score in enumerate(original(*arguments)):
            if call == at_trial and place == 1:
                signal.raise_signal(signal.SIGINT)
            yield score

    learner = fresh()
    config = learner.config
    monkeypatch.setattr(tuning, "_task_scores", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(learner)
    assert learner.config is config
    monkeypatch.undo()
    tuned = run(learner)
    assert tuned.score >= tuned.score_before
    states = [t.state for t in trials()]
    assert states.count(optuna.trial.TrialState.FAIL) == 1
    assert states[at_trial] == optuna.trial.TrialState.FAIL
    assert len(states) == SMALL.trials + 1


def work(folder: Path) -> None:
    torch.set_num_threads(1)
    tune(
        fresh(),
        drug_store(),
        replace(SMALL, trials=300),
        model_sha256="f" * 64,
        storage=f"journal:{folder / 'journal'}",
        study_name="test",
    )


def test_a_process_killed_while_others_share_its_study_does_no_harm(
    run, trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(studies, "LOCK_SECONDS", 3)
    process = multiprocessing.get_context("spawn").Process(target=work, args=(tmp_path,))
    process.start()
    journal = tmp_path / "journal"
    while process.is_alive() and not (journal.exists() and journal.stat().st_size > 4000):
        time.sleep(0.01)
    shared = run()
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    n_finished = sum(t.state.is_finished() for t in trials())
    assert n_finished >= SMALL.trials
    # As a kill leaves them: a lock that nobody will release.
    (tmp_path / "journal.lock").touch()
    later = run(config=replace(SMALL, trials=n_finished + 1))
    assert later.score >= shared.score >= shared.score_before
    assert len({t.number for t in trials()}) == len(trials())


def test_a_line_of_the_journal_that_a_full_disk_cut_off_is_dropped(run, trials, tmp_path: Path):
    run(config=replace(SMALL, trials=2))
    with (tmp_path / "journal").open("ab") as file:
        file.write(b'{"op_code": 5, "work')
    run()
    assert len(trials()) == SMALL.trials


def test_a_data_base_gives_the_same_as_a_journal(run, tmp_path: Path):
    path = tmp_path / "study.db"
    with warnings.catch_warnings():
        # SQLAlchemy's pool closes its connections when it is collected.
        warnings.simplefilter("ignore", ResourceWarning)
        assert run(storage=f"sqlite:///{path}") == run()
    with sqlite3.connect(path) as base:
        assert base.execute("select count(*) from trials").fetchone() == (SMALL.trials,)
    base.close()


@pytest.mark.parametrize(
    "other",
    [
        {"model_sha256": "0" * 64},
        {"config": replace(SMALL, runs=3)},
        {"config": replace(SMALL, support_sizes=(8,))},
        {"config": replace(SMALL, seed=1)},
        {"learner": fresh(ridge=5000.0)},
    ],
)
def test_a_study_about_something_else_is_refused(other: dict[str, Any], run):
    run(config=replace(SMALL, trials=1))
    with pytest.raises(ConfigError, match="choose another study"):
        run(**other)


def test_a_study_on_other_assays_is_refused(run, learnable: AssayStore):
    run(config=replace(SMALL, trials=1))
    with pytest.raises(ConfigError, match="choose another study"):
        run(store=replace(learnable, sha256="2" * 64))


def test_two_studies_share_a_storage_without_mixing(run):
    run(config=replace(SMALL, trials=1))
    other = run(study_name="other", model_sha256="0" * 64)
    assert other.score >= other.score_before


def test_a_present_setting_outside_the_usual_range_is_tried_too(run, trials):
    tuned = run(fresh(ridge=5000.0), replace(SMALL, trials=1))
    assert tuned.before["ridge"] == tuned.settings["ridge"] == 5000.0
    assert trials()[0].params["ridge"] == 5000.0


def test_a_setting_that_gives_scores_that_are_no_numbers_is_given_up(
    run, trials, monkeypatch: pytest.MonkeyPatch
):
    original = ProtoNet.fit_head

    def fit_head(self, support, labels):
        head = original(self, support, labels)
        if self.config.ridge == RIDGE:
            return head
        return lambda query: replace(head(query), logit=head(query).logit * torch.nan)

    monkeypatch.setattr(ProtoNet, "fit_head", fit_head)
    tuned = run()
    assert tuned.settings == tuned.before
    assert len(trials()) == SMALL.trials
    with pytest.raises(ConfigError, match="no numbers"):
        run(fresh(ridge=0.2), study_name="other")


def test_a_learner_without_a_search_space_is_refused(run):
    with pytest.raises(ConfigError, match="TanimotoGP has no settings to tune"):
        run(fresh("tanimoto_gp"))


def test_assays_too_small_to_draw_from_are_refused(run, learnable: AssayStore):
    small = replace(learnable, tasks=(task("small", torch.tensor([1.0, 0, 0, 0])),))
    with pytest.raises(ConfigError, match="smaller support sizes"):
        run(store=small)


def test_an_assay_too_small_for_one_size_counts_at_the_other(run, learnable: AssayStore):
    small = task("small", torch.tensor([1.0, 0] * 6))
    mixed = replace(learnable, tasks=(*learnable.tasks, small))
    assert np.isfinite(run(store=mixed).score)


@pytest.mark.parametrize(
    "storage",
    ["journal:{}/missing/j", "sqlite:///{}/missing/s.db", "journal:{}", "nonsense", "mysql+x://a"],
)
def test_a_storage_that_cannot_be_used_is_refused_in_a_sentence(storage: str, run, tmp_path: Path):
    with pytest.raises(OutputError) as refusal:
        run(storage=storage.format(tmp_path))
    assert len(str(refusal.value).splitlines()) == 1


def test_a_password_in_the_storage_is_not_repeated():
    with (
        pytest.raises(OutputError) as refusal,
        open_study("nonsense://me:secret@host/base", "test", {}),
    ):
        pass
    assert "secret" not in str(refusal.value)


def test_a_damaged_journal_is_refused(run, tmp_path: Path):
    (tmp_path / "journal").write_text("{\n{}\n")
    with pytest.raises(OutputError, match="damaged"):
        run()


@pytest.mark.parametrize(
    ("name", "value"), [("trials", 0), ("runs", 0), ("support_sizes", ()), ("seed", -1)]
)
def test_settings_out_of_range_are_refused(name: str, value: Any):
    with pytest.raises(ConfigError):
        replace(SMALL, **{name: value})


def test_the_measured_metrics_are_those_of_the_protocol(learnable: AssayStore):
    learner = fresh()
    metrics = measure(learner, learnable, SMALL)
    results = [
        draw for task in run_protocol(learner, learnable, (8, 16), range(2)) for draw in task
    ]
    expected = summarize(results)
    assert metrics == {
        "tuned_delta_auprc_8": expected[8].mean,
        "tuned_delta_auprc_8_se": expected[8].standard_error,
        "tuned_delta_auprc_16": expected[16].mean,
        "tuned_delta_auprc_16_se": expected[16].standard_error,
    }


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_every_search_space_names_settings_and_holds_their_defaults(name: str):
    kind = LEARNERS[name]
    defaults = kind.Config()
    for setting, limits in kind.search_space.items():
        value = getattr(defaults, setting)
        match limits:
            case Float(low, high, log):
                assert isinstance(value, float)
                assert low <= value <= high
                assert low > 0 or not log
                ends = (low, high)
            case Int(low, high):
                assert type(value) is int
                assert low <= value <= high
                ends = (low, high)
            case Choice(options):
                assert value in options
                ends = options
        for end in ends:
            replace(defaults, **{setting: end})
        assert json.loads(json.dumps(value)) == value
