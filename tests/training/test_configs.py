"""The configurations that come with the project can be read."""

from pathlib import Path

import pytest

from molmeta.training.config import read_config

CONFIGS = sorted((Path(__file__).parents[2] / "benchmarks" / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_of_the_project_is_valid(path: Path) -> None:
    assert read_config(path).training.steps > 0


def test_learners_that_are_compared_share_encoder_and_pre_training() -> None:
    # The shipped model does not: it needs a smaller encoder.
    configs = [read_config(path) for path in CONFIGS if path.stem != "default"]
    assert len({config.learner for config in configs}) == len(configs) > 1
    shared = {(one.encoder, one.pretraining, one.calibration, one.seed) for one in configs}
    assert len(shared) == 1  # what is set aside to calibrate on is not pre-trained on
