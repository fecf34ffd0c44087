"""Every metric that is measured has a name and a meaning for readers of a report."""

import pytest

from molmeta.evaluation.measures import measure_of
from molmeta.evaluation.metrics import METRICS
from molmeta.evaluation.value_metrics import VALUE_METRICS


@pytest.mark.parametrize("metric", [*METRICS, *VALUE_METRICS])
def test_a_metric_is_called_by_words_and_explained(metric: str) -> None:
    measure = measure_of(metric)
    assert measure.label != metric
    assert measure.meaning.endswith(".")


def test_errors_are_better_when_they_are_low_and_coverage_has_no_best() -> None:
    assert measure_of("rmse").lower_is_better
    assert not measure_of("roc_auc").lower_is_better
    assert measure_of("r2").has_best
    assert not measure_of("coverage").has_best


def test_a_metric_of_somebody_else_is_called_by_its_own_name() -> None:
    assert measure_of("enrichment").label == "enrichment"
