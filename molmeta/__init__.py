"""Few-shot activity prediction: adapt a meta-trained model to an assay of a few measured compounds.

from molmeta import FewShotClassifier
FewShotClassifier().fit(smiles, labels).predict_proba(new_smiles)
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from molmeta.checkpoint import load_checkpoint
    from molmeta.embedding import MoleculeEmbedding
    from molmeta.errors import MolmetaError
    from molmeta.predictor import FewShotClassifier, FewShotRegressor
    from molmeta.target import TargetModel

__version__ = "0.1.0"

__all__ = [
    "FewShotClassifier",
    "FewShotRegressor",
    "MoleculeEmbedding",
    "MolmetaError",
    "TargetModel",
    "__version__",
    "load_checkpoint",
]

_HOMES: Final = {
    "FewShotClassifier": "molmeta.predictor",
    "FewShotRegressor": "molmeta.predictor",
    "MoleculeEmbedding": "molmeta.embedding",
    "MolmetaError": "molmeta.errors",
    "TargetModel": "molmeta.target",
    "load_checkpoint": "molmeta.checkpoint",
}


def __getattr__(name: str) -> object:
    # Imported on first use (PEP 562): torch alone takes seconds, which `molmeta --help` need not.
    if name not in _HOMES:
        raise AttributeError(f"module 'molmeta' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
