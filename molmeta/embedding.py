"""MoleculeEmbedding: what meta-training made of molecules, for any model that takes numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from molmeta.assays.frames import molecules_in
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, Rejection, read_smiles
from molmeta.device import pick_device
from molmeta.encoders.fused import FusedEncoder
from molmeta.errors import ConfigError
from molmeta.molecule_input import tags_of_molecules, warn_of_rejected

BATCH: Final = 256
"""Molecules a pass through the encoder, which bounds the memory."""


class MoleculeEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Vectors of molecules by the encoder of a meta-trained model, before it adapts to anything.

    `X` is as for FewShotClassifier. A molecule that cannot be read is a row of NaN; a warning
    counts such rows. The vectors have unit length: what meta-training shaped is the angle between
    two molecules.

    Args:
        model: file of a meta-trained model; the shipped one if None.
        device: "auto", "cpu" or "cuda".

    Attributes:
        encoder_: the FusedEncoder.
    """

    def __init__(self, model: str | Path | None = None, *, device: str = "auto") -> None:
        self.model = model
        self.device = device

    def fit(self, X: object = None, y: object = None) -> Self:
        """Load the model; nothing is learned from `X` or `y`.

        Raises:
            CheckpointError: the model file is refused.
            ConfigError: its method has no encoder.
        """
        path = shipped_model_path() if self.model is None else Path(self.model)
        learner: Any = load_checkpoint(path, device=pick_device(self.device), memory=False).learner
        if not hasattr(learner, "encoder"):
            raise ConfigError(f"{path} is a {type(learner).__name__}, which has no encoder.")
        self.encoder_: FusedEncoder = learner.encoder
        self._n_features_out = self.encoder_.dim
        return self

    def transform(self, X: Iterable[object]) -> NDArray[np.float32]:
        """The embedding of each molecule, NaN where it was rejected: [n, dim]."""
        check_is_fitted(self)
        verdicts = dict(enumerate(map(read_smiles, molecules_in(X))))
        molecules = {row: v for row, v in verdicts.items() if isinstance(v, Molecule)}
        vectors = np.full((len(verdicts), self.encoder_.dim), np.nan, dtype=np.float32)
        vectors[list(molecules)] = self._encoded(list(molecules.values()))
        rejected = {row: v for row, v in verdicts.items() if isinstance(v, Rejection)}
        warn_of_rejected(rejected, len(verdicts), "embedding")
        return vectors

    @torch.inference_mode()
    def _encoded(self, molecules: Sequence[Molecule]) -> NDArray[np.float32]:
        """Their embeddings at unit length: [n, dim]."""
        device = next(self.encoder_.parameters()).device
        vectors = [
            self.encoder_(featurize(molecules[start : start + BATCH]).to(device)).cpu()
            for start in range(0, len(molecules), BATCH)
        ]
        stacked = torch.cat([torch.empty(0, self.encoder_.dim), *vectors])
        unit: NDArray[np.float32] = torch.nn.functional.normalize(stacked, dim=1).numpy()
        return unit

    def __sklearn_tags__(self) -> Tags:
        tags = tags_of_molecules(super().__sklearn_tags__())
        # Text comes in, so that there is no dtype to keep.
        tags.transformer_tags.preserves_dtype = []
        return tags
