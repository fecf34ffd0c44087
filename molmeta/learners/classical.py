"""Baselines by scikit-learn on folded ECFP4 counts: nearest neighbours and logistic regression."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from molmeta.assays.task import LabeledMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import folded_counts
from molmeta.errors import ConfigError
from molmeta.learners.base import Prediction, Predictor
from molmeta.learners.baselines import Baseline

BITS = 2048
"""Length of the counts, as in FS-Mol."""


class CountsClassifier(Baseline):
    """A classifier of scikit-learn's; without a word of its own on how sure it is."""

    @abstractmethod
    def _fit(self, counts: Any, labels: Any) -> Any:
        """What `_logits` needs, from counts [n_support, BITS] and labels [n_support]."""

    @abstractmethod
    def _logits(self, fitted: Any, counts: Any) -> Any:
        """Log odds [n] of being active for counts [n, BITS], n at least 1."""

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        fitted = self._fit(_counts(support.molecules), support.labels.cpu().numpy())

        def predict(molecules: MoleculeBatch) -> Prediction:
            logits = torch.zeros(len(molecules), device=molecules.device)
            if len(molecules):
                logits = torch.as_tensor(self._logits(fitted, _counts(molecules))).to(logits)
            return Prediction(logits, torch.full_like(logits, torch.nan))

        return predict


@dataclass(frozen=True, slots=True)
class EuclideanNeighboursConfig:
    """Settings of EuclideanNeighbours."""

    neighbours: int = 4
    """At most this many, fewer if the support is smaller."""

    def __post_init__(self) -> None:
        """Refuse what cannot vote.

        Raises:
            ConfigError: no neighbour.
        """
        if self.neighbours < 1:
            raise ConfigError(f"learner.neighbours must be at least 1, not {self.neighbours}.")


class EuclideanNeighbours(CountsClassifier):
    """The share of actives among the four support compounds at the least Euclidean distance.

    The kNN baseline of FS-Mol: its search over 4 to 128 neighbours allows fewer than half the
    support and keeps what the first support, of 16, allowed, which is 4. It stands here to be
    compared with what is published; Tanimoto similarity finds far better neighbours, because
    Euclidean distance grows with the size of the molecules.
    """

    Config = EuclideanNeighboursConfig
    config: EuclideanNeighboursConfig

    def _fit(self, counts: Any, labels: Any) -> Any:
        from sklearn.neighbors import KNeighborsClassifier

        k = min(self.config.neighbours, len(labels))
        return KNeighborsClassifier(k, algorithm="brute").fit(counts, labels)

    def _logits(self, fitted: Any, counts: Any) -> Any:
        votes = fitted.n_neighbors * torch.from_numpy(fitted.predict_proba(counts)[:, 1])
        # As if one more neighbour had voted for each class: never 0 or 1, and the order is kept.
        return torch.logit((votes + 1) / (fitted.n_neighbors + 2))


@dataclass(frozen=True, slots=True)
class LogisticRegressionConfig:
    """Settings of LogisticRegression."""

    inverse_penalty: float = 1.0
    """scikit-learn's C: how little the squared weights are penalised."""

    def __post_init__(self) -> None:
        """Refuse what has no solution.

        Raises:
            ConfigError: not above 0.
        """
        if self.inverse_penalty <= 0:
            raise ConfigError(
                f"learner.inverse_penalty must be above 0, not {self.inverse_penalty}."
            )


class LogisticRegression(CountsClassifier):
    """Logistic regression on the counts with a ridge penalty, scikit-learn's defaults."""

    Config = LogisticRegressionConfig
    config: LogisticRegressionConfig

    def _fit(self, counts: Any, labels: Any) -> Any:
        from sklearn.linear_model import LogisticRegression as Regression

        return Regression(C=self.config.inverse_penalty, max_iter=1000).fit(counts, labels)

    def _logits(self, fitted: Any, counts: Any) -> Any:
        return fitted.decision_function(counts)


def _counts(molecules: MoleculeBatch) -> Any:
    counts: Tensor = folded_counts(molecules, BITS)
    return counts.cpu().numpy()
