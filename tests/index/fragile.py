"""A learner whose encoder some molecules kill or stop; importable by worker processes."""

import os
import signal
import time

from torch import Tensor, nn

from molmeta.chem.batch import MoleculeBatch
from molmeta.learners.base import HeadLearner
from tests.index.library import learner_of
from tests.molecules import key_of

DEADLY, ENDLESS = "CCCCCCCI", "CCCCCCCCI"


class FragileEncoder(nn.Module):
    """Does as the molecules say."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = encoder.dim

    def forward(self, molecules: MoleculeBatch) -> Tensor:
        keys = set(molecules.keys.tolist())
        if key_of(DEADLY) in keys:
            os.kill(os.getpid(), signal.SIGSEGV)
        if key_of(ENDLESS) in keys:
            time.sleep(3600)
        vectors: Tensor = self.encoder(molecules)
        return vectors


def fragile_learner() -> HeadLearner:
    learner = learner_of()
    learner.encoder = FragileEncoder(learner.encoder)  # type: ignore[assignment]
    return learner
