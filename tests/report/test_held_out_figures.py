"""Figures of the held-out support are drawn where they can be honest, and else say why not."""

import re

import numpy as np
import pytest

from molmeta.chem.intake import Status
from molmeta.report.held_out import HeldOut
from molmeta.report.held_out_figures import held_out_figures
from molmeta.report.verdict import value_figures
from molmeta.scores import ScoredRow


def of_classes(labels: list[int], logits: dict[int, list[float]]) -> HeldOut:
    """One deal in one part, so that all compounds are compared with each other."""
    n = len(labels)
    return HeldOut(
        predicts_values=False,
        labels=np.array(labels, dtype=float),
        relations=np.zeros(n, dtype=np.int8),
        parts=np.zeros((1, n), dtype=np.int64),
        answers={
            size: (tuple(ScoredRow(Status.OK, "", logit=x) for x in of_size),)
            for size, of_size in logits.items()
        },
        guesses={},
    )


def of_values(truth: list[float], said: list[float], relations: list[int]) -> HeldOut:
    rows = tuple(ScoredRow(Status.OK, "", value=x, low=x - 1, high=x + 1) for x in said)
    return HeldOut(
        predicts_values=True,
        labels=np.array(truth),
        relations=np.array(relations, dtype=np.int8),
        parts=np.zeros((1, len(truth)), dtype=np.int64),
        answers={12: (rows,)},
        guesses={12: np.full((1, len(truth)), 6.0)},
    )


def test_calibration_counts_the_actives_of_each_group() -> None:
    # Ten compounds each at .12, .50 and .88, of which 1, 5 and 9 are active.
    logits = [x for x in (-2.0, 0.0, 2.0) for _ in range(10)]
    labels = [1] + [0] * 9 + [1] * 5 + [0] * 5 + [1] * 9 + [0]
    _, calibration, _ = held_out_figures(of_classes(labels, {20: logits}), "probability")
    alt = re.search('aria-label="(.*?)"', calibration["svg"])
    assert alt is not None
    assert "10 of mean probability 0.12: 0.10 active (0.02 to 0.40)" in alt[1]  # Wilson
    assert "10 of mean probability 0.50: 0.50 active (0.24 to 0.76)" in alt[1]
    assert "10 of mean probability 0.88: 0.90 active (0.60 to 0.98)" in alt[1]
    assert "intervals of all hold" in calibration["words"]


def test_probabilities_that_promise_too_much_are_told() -> None:
    logits = [x for x in (-4.0, 0.0, 4.0) for _ in range(10)]
    labels = [1] * 5 + [0] * 5 + [1] * 5 + [0] * 5 + [1] * 5 + [0] * 5
    _, calibration, _ = held_out_figures(of_classes(labels, {20: logits}), "probability")
    assert "The intervals of 2 of them miss the dashed line" in calibration["words"]


def test_too_few_compounds_get_words_and_no_figure() -> None:
    labels, logits = [1, 0] * 10, [1.0, -1.0] * 10
    shown, calibration, curve = held_out_figures(of_classes(labels, {15: logits}), "probability")
    assert shown["svg"] is not None
    assert calibration["svg"] is None
    assert "cannot be told from 20 compounds: it takes 3 groups of 10" in calibration["words"]
    assert curve["svg"] is None
    assert "two sizes" in curve["words"]


def test_a_learning_curve_says_whether_the_gain_is_beyond_doubt() -> None:
    labels = [1, 0] * 15
    coin = [0.0] * 30
    right = [1.0, -1.0] * 15
    for first, last, told in ((coin, right, "Yes: +0.50"), (right, coin, "worse: −0.50")):
        *_, curve = held_out_figures(of_classes(labels, {11: first, 22: last}), "probability")
        assert told in curve["words"]
        assert "from 11 to 22 compounds" in curve["words"]
    *_, curve = held_out_figures(of_classes(labels, {11: right, 22: right}), "probability")
    assert "cannot be told yet" in curve["words"]


def test_value_figures_are_those_counted_by_hand() -> None:
    truth = [5.0, 6.0, 7.0, 8.0, 4.0]
    said = [5.5, 6.0, 6.5, 6.5, 9.0]
    found = value_figures(of_values(truth, said, [0, 0, 0, 0, -1]), 12)
    assert found is not None
    assert found.n == 4  # the bound is left out
    assert found.error.value == pytest.approx((0.5 + 0 + 0.5 + 1.5) / 4)
    assert found.guess.value == pytest.approx((1 + 0 + 1 + 2) / 4)
    # Gains .5, 0, .5, .5: mean .375, standard error .125, t of three degrees of freedom 3.182.
    assert found.gain.low == pytest.approx(0.375 - 3.182 * 0.125, abs=1e-3)
    assert found.inside.value == 0.75
    assert found.correlation.value == pytest.approx(np.sqrt(0.9))
    assert found.correlation.low < found.correlation.value < found.correlation.high


def test_hardly_any_measured_value_gives_no_figures() -> None:
    assert value_figures(of_values([5.0, 6.0, 7.0, 8.0], [5.0] * 4, [0, 0, 0, 1]), 12) is None
