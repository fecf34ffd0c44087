"""An Expectation is a sum over the features that the kernel on structures compares."""

import torch

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.deepkernel import DeepKernel, DeepKernelConfig
from molmeta.learners.expectation import Expectation
from molmeta.learners.weighted_tanimoto import features_of, slots
from tests.training.tiny import ENCODER


def test_each_feature_adds_its_grade(batch: MoleculeBatch) -> None:
    expectation = Expectation()
    expectation.grades.normal_()
    features, owners = features_of(batch)
    for place in range(0, len(batch), 25):
        mine = slots(features[owners == place]).tolist()
        total = sum(float(expectation.grades[slot]) for slot in mine)
        assert abs(float(expectation(batch)[place]) - total) < 1e-3


def test_a_molecule_is_judged_by_itself_alone(batch: MoleculeBatch) -> None:
    expectation = Expectation()
    expectation.grades.normal_()
    whole = expectation(batch)
    rows = torch.tensor([7, 3, 50])
    torch.testing.assert_close(expectation(batch.gather(rows)), whole[rows])


def test_nothing_is_expected_before_it_is_fitted(batch: MoleculeBatch) -> None:
    learner = DeepKernel(ENCODER, DeepKernelConfig()).eval()
    expected = learner.embed(batch).expected
    assert expected is not None
    assert not expected.any()
