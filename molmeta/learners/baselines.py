"""Learners without weights, on ECFP alone: what meta-training has to beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.similarity import folded_counts, tanimoto
from molmeta.encoders.config import EncoderConfig
from molmeta.encoders.graph import Backend
from molmeta.errors import ConfigError
from molmeta.learners.base import Learner, Prediction, Predictor
from molmeta.learners.tobit import posterior
from molmeta.learners.values import (
    Standard,
    ValueLearner,
    ValuePrediction,
    ValuePredictor,
    expected,
)

# From where the support says nothing: one imagined compound of each class beside the real ones.
_PRIOR_COMPOUNDS = 2.0


class Baseline(Learner):
    """A learner with nothing to meta-train; built like the others, it ignores the encoder."""

    trainable = False

    def __init__(self, encoder: EncoderConfig, config: Any, backend: Backend = "torch") -> None:
        super().__init__()
        self.config = config


@dataclass(frozen=True, slots=True)
class RandomForestConfig:
    """Settings of a RandomForest."""

    trees: int = 200
    bits: int = 2048
    """Length of the folded ECFP4 counts; a power of two."""
    least_leaf: int = 2
    """Fewest support compounds in a leaf; of labels only."""

    def __post_init__(self) -> None:
        """Refuse what cannot be grown.

        Raises:
            ConfigError: no tree, an empty leaf, or a length that is not a power of two.
        """
        for name in ("trees", "least_leaf"):
            if getattr(self, name) < 1:
                raise ConfigError(f"learner.{name} must be at least 1, not {getattr(self, name)}.")
        if self.bits < 1 or self.bits & (self.bits - 1):
            raise ConfigError(f"learner.bits must be a power of two, not {self.bits}.")


class RandomForest(Baseline, ValueLearner):
    """A random forest (Breiman 2001) on folded ECFP4 counts, the first baseline of FS-Mol.

    FS-Mol searches trees (100, 200), depth (5, 10, 20), features a split (all, root, logarithm) and
    leaf (2, 5) anew on every support, by the accuracy over five folds. Here they are fixed within
    that grid, at all features and leaves of two, which the search takes most often for 16
    compounds: 180 forests a support take a hundred times as long and rank no better. With leaves of
    one compound and the root of the features, scikit-learn's defaults, ΔAUPRC is about .01 higher.

    Of values, each tree ends in leaves of about one compound, so that the trees' answers are spread
    as single measurements are (Meinshausen 2006).
    """

    Config = RandomForestConfig
    config: RandomForestConfig

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_estimators=self.config.trees,
            max_features=None,
            min_samples_leaf=self.config.least_leaf,
            random_state=0,
        )
        forest.fit(self._counts(support.molecules), support.labels.cpu().numpy())

        def predict(molecules: MoleculeBatch) -> Prediction:
            if not len(molecules):
                return _without_deviation(torch.zeros(0, device=molecules.device))
            share = torch.from_numpy(forest.predict_proba(self._counts(molecules))[:, 1])
            # As if one more tree had voted for each class: never 0 or 1, and the order is kept.
            voted = (share * self.config.trees + 1) / (self.config.trees + 2)
            return _without_deviation(torch.logit(voted).to(molecules.device))

        return predict

    def _adapt_values(self, support: MeasuredMolecules) -> ValuePredictor:
        from sklearn.ensemble import RandomForestRegressor

        scale = Standard.of(support.values)
        points = expected(scale.shrink(support.values), support.relations)
        forest = RandomForestRegressor(n_estimators=self.config.trees, random_state=0)
        forest.fit(self._counts(support.molecules), points.cpu().numpy())

        def predict(molecules: MoleculeBatch) -> ValuePrediction:
            if not len(molecules):
                nothing = torch.zeros(0, device=molecules.device)
                return ValuePrediction(nothing, nothing)
            counts = self._counts(molecules)
            answers = np.stack([tree.predict(counts) for tree in forest.estimators_])
            votes = torch.from_numpy(answers).to(molecules.device)  # [trees, n_query]
            mean = votes.mean(0)
            # As if one more tree had said 0 ± 1, the support's own: trees that agree are not sure.
            spread = ((votes - mean).square().sum(0) + mean.square() + 1) / (len(votes) + 1)
            return scale.restored(mean, spread)

        return predict

    def _counts(self, molecules: MoleculeBatch) -> Any:
        return folded_counts(molecules, self.config.bits).cpu().numpy()


@dataclass(frozen=True, slots=True)
class NearestNeighboursConfig:
    """Settings of NearestNeighbours."""

    neighbours: int = 5
    """At most this many, fewer if the support is smaller, more if several are equally near."""
    prior: float = 0.1
    """Weight of the support's share of actives, in units of a neighbour of similarity 1."""

    def __post_init__(self) -> None:
        """Refuse what cannot be computed.

        Raises:
            ConfigError: no neighbour, or no prior, which would leave probabilities of 0 and 1.
        """
        if self.neighbours < 1:
            raise ConfigError(f"learner.neighbours must be at least 1, not {self.neighbours}.")
        if self.prior <= 0:
            raise ConfigError(f"learner.prior must be above 0, not {self.prior}.")


class NearestNeighbours(Baseline, ValueLearner):
    """The nearest support compounds vote with their Tanimoto similarity on unfolded ECFP4 counts.

    Whoever is as near as the last neighbour votes too, so that no order decides between equals.
    """

    Config = NearestNeighboursConfig
    config: NearestNeighboursConfig

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        labels = support.labels.double()
        share_active = (labels.sum() + _PRIOR_COMPOUNDS / 2) / (len(support) + _PRIOR_COMPOUNDS)

        def predict(molecules: MoleculeBatch) -> Prediction:
            votes = self._votes(tanimoto(support.molecules, molecules).double())
            active = labels @ votes + self.config.prior * share_active
            return _without_deviation(torch.logit(active / (votes.sum(0) + self.config.prior)))

        return predict

    def _adapt_values(self, support: MeasuredMolecules) -> ValuePredictor:
        scale = Standard.of(support.values)
        points = expected(scale.shrink(support.values), support.relations)

        def mean(similarity: Tensor) -> Tensor:
            votes = self._votes(similarity)
            return points @ votes / (votes.sum(0) + self.config.prior)

        # Each support compound as the others would have it: how far votes are from the truth.
        others = tanimoto(support.molecules, support.molecules).double().fill_diagonal_(-1)
        error = (points - mean(others)).square().mean()

        def predict(molecules: MoleculeBatch) -> ValuePrediction:
            return scale.restored(mean(tanimoto(support.molecules, molecules).double()), error)

        return predict

    def _votes(self, similarity: Tensor) -> Tensor:
        """Weight of each support compound for each query molecule: [n_support, n_query]."""
        k = min(self.config.neighbours, len(similarity))
        last = similarity.topk(k, dim=0).values[-1]
        return torch.where(similarity >= last, similarity.clamp(min=0), 0.0)


@dataclass(frozen=True, slots=True)
class TanimotoGPConfig:
    """Settings of a TanimotoGP: the noise levels that it chooses from."""

    least_noise: float = 0.1
    """Variance of the label noise in units of the kernel's amplitude."""
    most_noise: float = 10.0
    steps: int = 21
    """How many levels, evenly spaced in the logarithm."""

    def __post_init__(self) -> None:
        """Refuse what is no grid.

        Raises:
            ConfigError: the levels do not ascend from above 0, or there is none.
        """
        if not 0 < self.least_noise <= self.most_noise:
            raise ConfigError(
                "learner.least_noise must be above 0 and no more than most_noise, "
                f"not {self.least_noise} and {self.most_noise}."
            )
        if self.steps < 1:
            raise ConfigError(f"learner.steps must be at least 1, not {self.steps}.")


class TanimotoGP(Baseline, ValueLearner):
    """Gaussian process regression on the labels -1 and 1 with k = a·Tanimoto on ECFP4 counts.

    Noise and amplitude maximise the marginal likelihood of the support (Rasmussen & Williams 2006,
    eq. 5.8). With the noise as a multiple r of the amplitude, the best amplitude has a closed form,
    a = y'(K + rI)⁻¹y / n, and one eigendecomposition of K serves a whole grid of r: deterministic,
    and without the poor optima that gradient steps find on 16 compounds. The posterior becomes a
    probability as f/√(var f + noise) in units of the probit (eq. 3.25), written as a log odds.
    Values are modelled likewise; bounds among them are points for noise and amplitude alone.
    """

    Config = TanimotoGPConfig
    config: TanimotoGPConfig

    def _adapt(self, support: LabeledMolecules) -> Predictor:
        targets = 2 * support.labels.double() - 1
        mean = targets.sum() / (len(support) + _PRIOR_COMPOUNDS)
        similarity = tanimoto(support.molecules, support.molecules).double()
        amplitude, noise = self._likeliest(similarity, targets - mean)
        measured = torch.zeros_like(targets)
        process = posterior(amplitude * similarity, targets - mean, measured, noise)

        def predict(molecules: MoleculeBatch) -> Prediction:
            cross = amplitude * tanimoto(support.molecules, molecules).double()
            f, variance = process.moments(cross, amplitude)
            # √(8/π) is the slope of the probit's log odds at 0.
            scale = math.sqrt(8 / math.pi) / torch.sqrt(variance + noise)
            return Prediction((scale * (mean + f)).float(), (scale * variance.sqrt()).float())

        return predict

    def _adapt_values(self, support: MeasuredMolecules) -> ValuePredictor:
        scale = Standard.of(support.values)
        targets = scale.shrink(support.values)
        similarity = tanimoto(support.molecules, support.molecules).double()
        amplitude, noise = self._likeliest(similarity, expected(targets, support.relations))
        process = posterior(amplitude * similarity, targets, support.relations, noise)

        def predict(molecules: MoleculeBatch) -> ValuePrediction:
            cross = amplitude * tanimoto(support.molecules, molecules).double()
            mean, variance = process.moments(cross, amplitude)
            return scale.restored(mean, variance + noise)

        return predict

    def _likeliest(self, similarity: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Amplitude and noise variance, [] each, of the greatest marginal likelihood."""
        n = len(targets)
        eigenvalues, eigenvectors = torch.linalg.eigh(similarity)
        rotated = eigenvectors.T @ targets
        ratios = torch.logspace(
            math.log10(self.config.least_noise),
            math.log10(self.config.most_noise),
            self.config.steps,
            dtype=torch.float64,
            device=targets.device,
        )
        # A kernel is positive semidefinite: what eigh gives below 0 is rounding.
        spectra = eigenvalues.clamp(min=0) + ratios[:, None]  # [steps, n]
        amplitudes = (rotated.square() / spectra).sum(1) / n
        best = int(torch.argmin(n * amplitudes.log() + spectra.log().sum(1)))
        return amplitudes[best], amplitudes[best] * ratios[best]


def _without_deviation(logit: Tensor) -> Prediction:
    return Prediction(logit.float(), torch.full_like(logit, torch.nan, dtype=torch.float32))
