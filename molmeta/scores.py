"""Scores: what a model of one target says of compounds, by row and in columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from molmeta.assays.tables import Row
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.status import Status

DOMAIN_SIMILARITY: Final = 0.2
"""Below this Tanimoto similarity to every support compound, a score is marked `warn_domain`.

With 16 support compounds on the FS-Mol meta-valid fold the mean squared error of the probability
is .22 to .25 below 0.2, where a coin has .25, and falls from .21 to .17 above; see the table in
benchmarks/NOTES.md."""

UNSURE: Final = (0.35, 0.65)
"""A probability between these is withheld on request. With 16 support compounds on the FS-Mol
meta-valid fold, of the answers in each twentieth of this band .41 to .49 are wrong, and of those in
the next .34; see benchmarks/NOTES.md for what abstaining gains."""

_FAR: Final = "domain: the nearest support compound has similarity {:.2f}"
_UNSURE: Final = "abstained: a probability of {:.2f} is hardly better than a coin's"
_NOT_FINITE: Final = "model: the score is not a finite number"
_USABLE: Final = (Status.OK, Status.OK_CHANGED, Status.WARN_DOMAIN)


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """What a TargetModel says of one input; a rejected one keeps its place and says why."""

    status: Status
    reason: str
    """What was changed, doubted or wrong; '' when nothing."""
    text: str | None = None
    """SMILES that the molecule was read from; None when there is no molecule."""
    logit: float | None = None
    """Log odds of being active; None when rejected, when the support has actives alone, or when
    values are predicted."""
    value: float | None = None
    """Expected value, in the unit of the support; None when rejected, or for classes."""
    low: float | None = None
    """Lower end of the interval that holds a measurement of the value or, for classes, what the
    probability becomes when more compounds are measured (see `probability_reach`), in nine cases
    of ten."""
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
    def smiles(self) -> str | None:
        """Canonical SMILES of the molecule that was scored; None when there is none.

        Made from `text` when asked for, because few rows of a library are looked at.
        """
        molecule = None if self.text is None else read_smiles(self.text)
        return molecule.smiles if isinstance(molecule, Molecule) else None

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

    def or_abstained(self) -> ScoredRow:
        """The row or, where its answer should not be trusted, one that withholds it and says why.

        Withheld are probabilities hardly better than a coin's, and answers for compounds that are
        unlike every support compound.
        """
        reason = self.reason
        probability = self.probability
        if probability is not None and UNSURE[0] < probability < UNSURE[1]:
            reason = "; ".join(filter(None, (self.reason, _UNSURE.format(probability))))
        elif self.status is not Status.WARN_DOMAIN:
            return self
        return replace(
            self,
            status=Status.ABSTAINED,
            reason=reason,
            logit=None,
            value=None,
            low=None,
            high=None,
            deviation=None,
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """What a TargetModel says of n molecules, in columns."""

    answers: Mapping[str, Tensor]
    """[n] each, by field of ScoredRow; none where the support has actives alone."""
    similarity: Tensor
    """[n], to the nearest support compound."""
    in_support: Tensor
    """[n], bool."""
    seen: Tensor
    """[n], bool."""

    @property
    def merit(self) -> Tensor:
        """What ranks the molecules: [n]; NaN where there is no answer."""
        return self.answers.get("logit", self.answers.get("value", self.similarity))

    @property
    def is_finite(self) -> Tensor:
        """Whether a molecule has an answer: [n], bool."""
        finite = [c.isfinite() for name, c in self.answers.items() if name != "deviation"]
        return torch.stack([torch.ones_like(self.in_support), *finite]).all(0)

    @property
    def is_far(self) -> Tensor:
        """Whether a molecule is unlike every support compound: [n], bool."""
        return self.similarity < DOMAIN_SIMILARITY

    def at(self, rows: Tensor) -> Scores:
        """The molecules at `rows` [k]."""
        return Scores(
            {name: column[rows] for name, column in self.answers.items()},
            self.similarity[rows],
            self.in_support[rows],
            self.seen[rows],
        )

    def rows(self, texts: Sequence[str | None]) -> list[ScoredRow]:
        """A row a molecule, read from `texts` [n]; status and reason tell of the score alone."""
        answers = {name: column.tolist() for name, column in self.answers.items()}
        columns = (self.similarity, self.in_support, self.seen, self.is_finite, self.is_far)
        rows = []
        for i, (similarity, in_support, seen, is_finite, is_far) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            status, reason = Status.OK, ""
            answer = {name: column[i] for name, column in answers.items()}
            deviation = answer.pop("deviation", None)
            if not is_finite:
                status, reason, answer = Status.MODEL_ERROR, _NOT_FINITE, {}
            elif is_far:
                status, reason = Status.WARN_DOMAIN, _FAR.format(similarity)
            rows.append(
                ScoredRow(
                    status=status,
                    reason=reason,
                    text=texts[i],
                    deviation=_finite(deviation),
                    similarity=similarity,
                    in_support=in_support,
                    seen=seen,
                    **answer,
                )
            )
        return rows


def joined(parts: Sequence[Scores]) -> Scores:
    """The molecules of all `parts`, at least one and all of one model, in order."""
    return Scores(
        {name: torch.cat([part.answers[name] for part in parts]) for name in parts[0].answers},
        torch.cat([part.similarity for part in parts]),
        torch.cat([part.in_support for part in parts]),
        torch.cat([part.seen for part in parts]),
    )


def probability_reach(n_support: int) -> float:
    """How far log odds move, in nine cases of ten, when many more compounds are measured.

    Adapted to half of an assay's other compounds too (at most 128), nine of ten log odds of the
    shipped model moved by less than 1.78 (FS-Mol meta-valid) and 1.93 (novel chemistry) from 16
    support compounds, 1.58 and 1.62 from 32, 1.30 and 1.32 from 64: a power law through these. The
    model's own deviation has no part in it: it says nothing of how far one compound moves against
    another (correlation .01 to .05, see benchmarks/NOTES.md).
    """
    return 1.88 * math.pow(n_support / 16, -0.255)


def in_place(rows: Sequence[Row], scored: Iterable[ScoredRow]) -> list[ScoredRow]:
    """One ScoredRow for each of `rows`: of `scored`, or what the file itself damaged."""
    answers = iter(scored)
    return [
        next(answers) if row.problem is None else ScoredRow(row.problem.status, row.problem.reason)
        for row in rows
    ]


def after_intake(answer: ScoredRow, status: Status, reason: str) -> ScoredRow:
    """The answer with what the intake had to say about this way of writing the molecule."""
    if status is Status.OK and not reason:
        return answer
    status = status if answer.status is Status.OK else answer.status
    return replace(answer, status=status, reason="; ".join(filter(None, (reason, answer.reason))))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
