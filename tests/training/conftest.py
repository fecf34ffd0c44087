import pytest

from molmeta.assays.store import AssayStore
from molmeta.chem.batch import MoleculeBatch
from tests.training.tiny import learnable_store


@pytest.fixture(scope="session")
def learnable(drugs: MoleculeBatch) -> AssayStore:
    """Assays that a learner can learn something about."""
    return learnable_store(drugs)
