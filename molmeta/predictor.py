"""The scikit-learn face of a model that adapts to a few measured compounds, by class or value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from molmeta.assays.frames import labels_in, molecules_in
from molmeta.assays.label_column import Side
from molmeta.assays.measured_support import MeasuredSupport, build_measured_support
from molmeta.assays.replicates import Conflict
from molmeta.assays.support import SupportSet, build_support
from molmeta.checkpoint import load_checkpoint, shipped_model_path
from molmeta.device import pick_device
from molmeta.errors import SupportError
from molmeta.evaluation.check import SelfCheck, check_target
from molmeta.explanation.explain import Explanation, explain
from molmeta.molecule_input import tags_of_molecules, warn_of_rejected
from molmeta.ranked_table import RankedTable, rank_rows
from molmeta.scores import ScoredRow
from molmeta.target import TargetModel, adapt_target


class FewShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Active or inactive, learned from a few compounds by a meta-trained model.

    `X` is one-dimensional: SMILES or RDKit molecules, in a list, an array, a Series, or a data
    frame (pandas, polars, pyarrow) with a column of them. A molecule that cannot be read keeps its
    row, and the row is NaN in everything that is predicted; a warning counts such rows,
    `score_rows` says what is wrong with each.

    Args:
        model: file of a meta-trained model; the shipped one if None.
        threshold: turns measured values into classes, in their unit or with its own ("1 uM").
        active: the side of the threshold that is active, "above" or "below".
        conflict: what to do with a compound that is labelled both ways: "drop", "error" or
            "majority".
        allow_tiny: accept actives alone; they give a ranking by similarity, and no probability.
        memory: let the model draw on what public assays said of compounds that it knows.
        device: "auto", "cpu" or "cuda".

    Attributes:
        classes_: [2], 0 inactive and 1 active, however the labels were written.
        support_: the SupportSet, with the verdict on each row given to `fit`.
        target_: the TargetModel.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threshold: float | str | None = None,
        active: Side | None = None,
        conflict: Conflict = "drop",
        allow_tiny: bool = False,
        memory: bool = True,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.threshold = threshold
        self.active = active
        self.conflict = conflict
        self.allow_tiny = allow_tiny
        self.memory = memory
        self.device = device

    def fit(self, X: Iterable[object], y: Iterable[object]) -> Self:
        """Adapt to the measured compounds.

        Args:
            X: [n_support] SMILES or RDKit molecules.
            y: [n_support] labels: bool, 1/0, active/inactive and the like, or values with
                `threshold`; None, NaN and empty text are no label.

        Raises:
            SupportError: the compounds cannot teach anything: one class, unreadable labels.
            CheckpointError: the model file is refused.
        """
        self.support_: SupportSet = build_support(
            molecules_in(X),
            labels_in(y),
            threshold=self.threshold,
            active=self.active,
            conflict=self.conflict,
            allow_tiny=self.allow_tiny,
        )
        path = shipped_model_path() if self.model is None else Path(self.model)
        checkpoint = load_checkpoint(path, device=pick_device(self.device), memory=self.memory)
        self.target_: TargetModel = adapt_target(checkpoint, self.support_)
        self.classes_ = np.array([0, 1])
        return self

    def score_rows(self, X: Iterable[object]) -> list[ScoredRow]:
        """Everything the model says of each compound, in order; rejected ones with their reason."""
        check_is_fitted(self)
        return self.target_.score(molecules_in(X))

    def rank(self, X: Iterable[object]) -> RankedTable:
        """All compounds, the best first, as a table that Jupyter shows with structures."""
        return rank_rows(self.score_rows(X), predicts_values=self.target_.predicts_values)

    def predict_proba(self, X: Iterable[object]) -> NDArray[np.float64]:
        """Probability of inactive and of active: [n, 2], NaN where a molecule was rejected.

        Raises:
            SupportError: the support had actives alone, from which no probability follows.
        """
        check_is_fitted(self)
        if not self.target_.has_both_classes:
            raise SupportError(
                "The support has actives alone, so there are no probabilities: rank by "
                "decision_function, or add measured inactives."
            )
        active = _column([row.probability for row in _answered(self.score_rows(X))])
        return np.stack([1 - active, active], axis=1)

    def predict(self, X: Iterable[object]) -> NDArray[np.float64]:
        """1.0 for active, 0.0 for inactive, NaN where a molecule was rejected: [n].

        Float, because a whole number that stands for a missing answer would be counted as a class
        somewhere; scikit-learn's metrics refuse NaN instead, so leave such rows out before them.

        Raises:
            SupportError: the support had actives alone.
        """
        active = self.predict_proba(X)[:, 1]
        return np.where(np.isnan(active), np.nan, active >= 0.5)

    def decision_function(self, X: Iterable[object]) -> NDArray[np.float64]:
        """What ranks the compounds: log odds of being active, NaN for rejected ones: [n].

        From a support of actives alone, the similarity to the nearest of them, 0 to 1.
        """
        return _column([row.merit for row in _answered(self.score_rows(X))])

    def explain(self, X: Iterable[object], *, atoms: bool = True) -> list[Explanation]:
        """What each compound's score is made of, in order: support compounds, and atoms.

        Args:
            X: [n] SMILES or RDKit molecules.
            atoms: whether to attribute it to the compound's own atoms too, which takes longer.
        """
        check_is_fitted(self)
        return explain(self.target_, molecules_in(X), atoms=atoms)

    def check(self, *, seed: int = 0) -> SelfCheck:
        """Whether to trust the model here: the support's own compounds held out in turn.

        Raises:
            SupportError: a class has fewer than two compounds, so that none can be held out.
        """
        check_is_fitted(self)
        return check_target(self.target_, seed=seed)

    def __sklearn_tags__(self) -> Tags:
        tags = tags_of_molecules(super().__sklearn_tags__())
        tags.classifier_tags.multi_class = False
        return tags


class FewShotRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A value such as a pIC50, learned from a few compounds by a meta-trained model.

    `X` is as for FewShotClassifier. Values should be logarithms, in which errors are alike along
    the scale. Text with units is read too: concentrations become their pIC50 (minus log10 of
    mol/L), and everything that is predicted is on that scale.

    Args:
        model: file of a meta-trained model; the shipped one if None.
        unit: of numbers that come without one, such as "nM"; "" takes them as they are.
        memory: let the model draw on what public assays said of compounds that it knows.
        device: "auto", "cpu" or "cuda".

    Attributes:
        support_: the MeasuredSupport, with the verdict on each row given to `fit`.
        target_: the TargetModel.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        unit: str = "",
        memory: bool = True,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.unit = unit
        self.memory = memory
        self.device = device

    def fit(
        self, X: Iterable[object], y: Iterable[object], relations: Iterable[int] | None = None
    ) -> Self:
        """Adapt to the measured compounds.

        Args:
            X: [n_support] SMILES or RDKit molecules.
            y: [n_support] numbers, or text such as "5.2 uM" and "> 10 uM"; None, NaN and empty text
                are no value.
            relations: [n_support] of the truth to the value as a logarithm: 0 measured, 1 higher,
                -1 lower, where the value is only a bound; instead of marks in the text.

        Raises:
            SupportError: the compounds cannot teach anything: fewer than two measured values, or
                all of them equal.
            InputError: relations that are none.
            ConfigError: the model predicts no values.
            CheckpointError: the model file is refused.
        """
        self.support_: MeasuredSupport = build_measured_support(
            molecules_in(X),
            labels_in(y),
            None if relations is None else list(relations),
            unit=self.unit,
        )
        path = shipped_model_path() if self.model is None else Path(self.model)
        checkpoint = load_checkpoint(path, device=pick_device(self.device), memory=self.memory)
        self.target_: TargetModel = adapt_target(checkpoint, self.support_)
        return self

    def score_rows(self, X: Iterable[object]) -> list[ScoredRow]:
        """Everything the model says of each compound, in order; rejected ones with their reason."""
        check_is_fitted(self)
        return self.target_.score(molecules_in(X))

    def rank(self, X: Iterable[object]) -> RankedTable:
        """All compounds, the best first, as a table that Jupyter shows with structures."""
        return rank_rows(self.score_rows(X), predicts_values=self.target_.predicts_values)

    def predict(
        self, X: Iterable[object], return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected values, NaN where a molecule was rejected: [n].

        Args:
            X: [n] SMILES or RDKit molecules.
            return_std: give the standard deviation of a new measurement as well, [n].
        """
        rows = _answered(self.score_rows(X))
        values = _column([row.value for row in rows])
        return (values, _column([row.deviation for row in rows])) if return_std else values

    def predict_interval(self, X: Iterable[object]) -> NDArray[np.float64]:
        """Ends of the interval that holds a measurement in nine cases of ten: [n, 2]."""
        rows = _answered(self.score_rows(X))
        low, high = (_column([getattr(row, end) for row in rows]) for end in ("low", "high"))
        return np.stack([low, high], axis=1)

    def explain(self, X: Iterable[object], *, atoms: bool = True) -> list[Explanation]:
        """What each compound's value is made of, in order: support compounds, and atoms.

        Args:
            X: [n] SMILES or RDKit molecules.
            atoms: whether to attribute it to the compound's own atoms too, which takes longer.
        """
        check_is_fitted(self)
        return explain(self.target_, molecules_in(X), atoms=atoms)

    def __sklearn_tags__(self) -> Tags:
        return tags_of_molecules(super().__sklearn_tags__())


def _answered(rows: list[ScoredRow]) -> list[ScoredRow]:
    """The rows, with one warning for all rejected molecules."""
    failed = {place: row for place, row in enumerate(rows) if not row.is_usable}
    warn_of_rejected(failed, len(rows), "score")
    return rows


def _column(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
