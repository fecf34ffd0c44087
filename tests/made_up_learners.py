"""Learners that record or hide what a protocol does with them."""

import torch

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.base import Learner, Prediction, Predictor
from molmeta.learners.protonet import ProtoNet


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
