"""TargetModel: one learner adapted to one target, and what it says of each compound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from molmeta.assays.measured_support import MeasuredSupport
from molmeta.assays.support import SupportSet
from molmeta.assays.task import LabeledMolecules, MeasuredMolecules
from molmeta.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, Rejection, Status, read_smiles
from molmeta.chem.similarity import tanimoto
from molmeta.errors import CheckpointError, ConfigError
from molmeta.learners.base import Learner, Predictor
from molmeta.learners.registry import LEARNERS
from molmeta.learners.values import ValueLearner, ValuePredictor

BATCH: Final = 256
"""Molecules a pass through the model; bounds the memory, and changes no score beyond 1e-5."""

DOMAIN_SIMILARITY: Final = 0.2
"""Below this Tanimoto similarity to every support compound, a score is marked `warn_domain`.

With 16 support compounds on the FS-Mol meta-valid fold the mean squared error of the probability
is .24 to .28 below 0.2, where a coin has .25, and falls from .21 to .16 above; see the table in
benchmarks/NOTES.md."""

_FAR: Final = "domain: the nearest support compound has similarity {:.2f}"
_NOT_FINITE: Final = "model: the score is not a finite number"
_USABLE: Final = (Status.OK, Status.OK_CHANGED, Status.WARN_DOMAIN)


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """What a TargetModel says of one input; a rejected one keeps its place and says why."""

    status: Status
    reason: str
    """What was changed, doubted or wrong; '' when nothing."""
    smiles: str | None = None
    """Canonical SMILES of the molecule that was scored; None when there is none."""
    logit: float | None = None
    """Log odds of being active; None when rejected, when the support has actives alone, or when
    values are predicted."""
    value: float | None = None
    """Expected value, in the unit of the support; None when rejected, or for classes."""
    low: float | None = None
    """Lower end of the interval that holds a measurement in nine cases of ten."""
    high: float | None = None
    """Its upper end."""
    deviation: float | None = None
    """Standard deviation of `logit` or of a measurement around `value`, by the method's own
    account; None where it has none."""
    similarity: float | None = None
    """Tanimoto similarity of ECFP4 counts to the nearest support compound, 0 to 1."""
    in_support: bool = False
    """Whether it is one of the support compounds, whose label the model was given."""
    seen: bool = False
    """Whether meta-training used the molecule, on some assay."""

    @property
    def probability(self) -> float | None:
        """Of being active, 0 to 1; None where there is no `logit`."""
        if self.logit is None:
            return None
        odds = math.exp(-abs(self.logit))  # in 0..1 for any logit, so that nothing overflows
        return (1.0 if self.logit > 0 else odds) / (1.0 + odds)

    @property
    def is_usable(self) -> bool:
        """Whether the row has an answer: a logit, a value or, from actives alone, a similarity."""
        return self.status in _USABLE

    @property
    def merit(self) -> float | None:
        """What ranks the rows: the logit, the value or, from actives alone, the similarity."""
        if not self.is_usable:
            return None
        answer = self.value if self.logit is None else self.logit
        return self.similarity if answer is None else answer


class TargetModel:
    """A learner adapted to the support set that its checkpoint holds.

    From a support of classes it predicts classes, from one of values values. A support of actives
    alone teaches no difference: such a model withholds probabilities, and ranks by similarity.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Adapt the checkpoint's learner to the checkpoint's support.

        Raises:
            CheckpointError: the checkpoint has no support.
            ConfigError: the support is of values, and the learner predicts classes alone.
            SupportError: the support is of values from which nothing can be learned.
        """
        if checkpoint.support is None:
            raise CheckpointError(
                "This model is not adapted to a target yet: give it a support set "
                "(molmeta predict --support, or molmeta adapt)."
            )
        self.checkpoint = checkpoint
        self.support = checkpoint.support
        self._predictor: Predictor | None = None
        self._value_predictor: ValuePredictor | None = None
        learner = checkpoint.learner.eval()
        # Without the graph; a method that descends gradients to adapt switches them on.
        with torch.no_grad():
            if isinstance(self.support, MeasuredMolecules):
                self._value_predictor = _of_values(learner).adapt_values(self.support)
            elif self.has_both_classes:
                self._predictor = learner.adapt(self.support)
        self._support_keys = self.support.molecules.keys.sort().values

    def __reduce__(self) -> tuple[type[TargetModel], tuple[Any, ...]]:
        """Pickle what it was adapted from: adapting again gives the same bits."""
        return TargetModel, (self.checkpoint,)

    @classmethod
    def load(
        cls, path: Path, *, device: torch.device | str = "cpu", memory: bool = True
    ) -> TargetModel:
        """The target model at `path`, with or without the compound memory in it.

        Raises:
            CheckpointError: the file is refused, or holds a learner without a support set.
        """
        return cls(load_checkpoint(path, device=device, memory=memory))

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the learner and the support to one file.

        Raises:
            OutputError: the file cannot be written, or exists and `overwrite` is off.
        """
        save_checkpoint(path, self.checkpoint, overwrite=overwrite)

    @property
    def predicts_values(self) -> bool:
        """Whether it predicts values, and not classes."""
        return isinstance(self.support, MeasuredMolecules)

    @property
    def has_both_classes(self) -> bool:
        """Whether the support holds actives and inactives, so that there are probabilities."""
        return 0 < self.n_active < len(self.support)

    @property
    def n_active(self) -> int:
        """Actives among the support compounds; 0 where values are predicted."""
        return 0 if isinstance(self.support, MeasuredMolecules) else int(self.support.labels.sum())

    @property
    def n_bounds(self) -> int:
        """Support compounds of which only a bound is known; 0 where classes are predicted."""
        if isinstance(self.support, MeasuredMolecules):
            return int((self.support.relations != 0).sum())
        return 0

    @property
    def n_support_seen(self) -> int:
        """Support compounds that meta-training used, on some assay."""
        return int(_members(self.support.molecules.keys.cpu(), self.checkpoint.seen_keys).sum())

    def score(self, texts: Sequence[object]) -> list[ScoredRow]:
        """One row for each text, in order; equal molecules are computed once.

        Args:
            texts: anything that `read_smiles` takes: SMILES or RDKit molecules.
        """
        verdicts = _read_each_once(texts)
        distinct = {v.smiles: v for v in verdicts if isinstance(v, Molecule)}
        molecules = list(distinct.values())
        answers: dict[str, ScoredRow] = {}
        for start in range(0, len(molecules), BATCH):
            rows = self._score_batch(molecules[start : start + BATCH])
            answers |= {str(row.smiles): row for row in rows}
        return [
            _answered(verdict, answers[verdict.smiles])
            if isinstance(verdict, Molecule)
            else ScoredRow(verdict.status, verdict.reason)
            for verdict in verdicts
        ]

    @torch.inference_mode()
    def _score_batch(self, molecules: Sequence[Molecule]) -> list[ScoredRow]:
        """Rows of different molecules; status and reason tell of the score alone."""
        batch = featurize(molecules).to(self.support.molecules.device)
        similarities = tanimoto(self.support.molecules, batch).amax(0).tolist()
        in_support = _members(batch.keys, self._support_keys).tolist()
        seen = _members(batch.keys.cpu(), self.checkpoint.seen_keys).tolist()
        answers = self._answers(batch)
        rows = []
        for i, molecule in enumerate(molecules):
            status, reason = Status.OK, ""
            answer = {name: column[i] for name, column in answers.items()}
            deviation = answer.pop("deviation", None)
            if not all(map(math.isfinite, answer.values())):
                status, reason, answer = Status.MODEL_ERROR, _NOT_FINITE, {}
            elif similarities[i] < DOMAIN_SIMILARITY:
                status, reason = Status.WARN_DOMAIN, _FAR.format(similarities[i])
            rows.append(
                ScoredRow(
                    status=status,
                    reason=reason,
                    smiles=molecule.smiles,
                    deviation=_finite(deviation),
                    similarity=similarities[i],
                    in_support=in_support[i],
                    seen=seen[i],
                    **answer,
                )
            )
        return rows

    def _answers(self, molecules: MoleculeBatch) -> dict[str, list[float]]:
        """What the learner says of the molecules [n], by field of ScoredRow; empty for nothing."""
        if self._value_predictor is not None:
            values = self._value_predictor(molecules)
            low, high = values.interval()
            columns = {"value": values.mean, "low": low, "high": high}
            columns["deviation"] = values.deviation
        elif self._predictor is not None:
            prediction = self._predictor(molecules)
            columns = {"logit": prediction.logit, "deviation": prediction.deviation}
        else:
            columns = {}
        return {name: column.tolist() for name, column in columns.items()}


def adapt_target(checkpoint: Checkpoint, support_set: SupportSet | MeasuredSupport) -> TargetModel:
    """The checkpoint's learner adapted to a user's measured compounds.

    Raises:
        SupportError: the support cannot teach the learner anything.
        ConfigError: the support is of values, and the learner predicts classes alone.
    """
    device = next((w.device for w in checkpoint.learner.parameters()), torch.device("cpu"))
    molecules = featurize(support_set.molecules).to(device)
    support: LabeledMolecules | MeasuredMolecules
    if isinstance(support_set, MeasuredSupport):
        support = MeasuredMolecules(
            molecules,
            torch.tensor(support_set.values, device=device),
            torch.tensor(support_set.relations, dtype=torch.int8, device=device),
        )
    else:
        support = LabeledMolecules(molecules, torch.tensor(support_set.labels, device=device))
    smiles = tuple(molecule.smiles for molecule in support_set.molecules)
    return TargetModel(replace(checkpoint, support=support, support_smiles=smiles))


def _of_values(learner: Learner) -> ValueLearner:
    if isinstance(learner, ValueLearner):
        return learner
    able = ", ".join(name for name, kind in LEARNERS.items() if issubclass(kind, ValueLearner))
    raise ConfigError(
        f"A {type(learner).__name__} predicts classes and no values: use a model of another method "
        f"({able}), or turn the values into classes with a threshold."
    )


def _read_each_once(texts: Sequence[object]) -> list[Molecule | Rejection]:
    """The verdict on each text; a text that occurs again is not parsed again."""
    known: dict[str, Molecule | Rejection] = {}
    verdicts = []
    for text in texts:
        if not isinstance(text, str):
            verdicts.append(read_smiles(text))
            continue
        if text not in known:
            known[text] = read_smiles(text)
        verdicts.append(known[text])
    return verdicts


def _answered(molecule: Molecule, answer: ScoredRow) -> ScoredRow:
    """The answer with what the intake had to say about this way of writing the molecule."""
    if molecule.status is Status.OK and not molecule.reason:
        return answer
    status = molecule.status if answer.status is Status.OK else answer.status
    reason = "; ".join(filter(None, (molecule.reason, answer.reason)))
    return replace(answer, status=status, reason=reason)


def _members(keys: Tensor, ascending: Tensor) -> Tensor:
    """Whether each of `keys` [n] is among those `ascending` [m]: [n], bool."""
    if not len(ascending):
        return torch.zeros_like(keys, dtype=torch.bool)
    place = torch.searchsorted(ascending, keys).clamp(max=len(ascending) - 1)
    return ascending[place] == keys


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
