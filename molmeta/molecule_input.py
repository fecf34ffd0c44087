"""What all estimators of scikit-learn's kind share that take molecules for X."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping

from sklearn.utils import Tags

from molmeta.chem.status import Rejection
from molmeta.scores import ScoredRow


def warn_of_rejected(failed: Mapping[int, ScoredRow | Rejection], n: int, answer: str) -> None:
    """One warning for the molecules of `failed`, by row, that have no `answer`, out of `n`."""
    if not failed:
        return
    kinds = Counter(verdict.status for verdict in failed.values())
    listed = ", ".join(f"{count} {status}" for status, count in kinds.most_common())
    first = min(failed)
    warnings.warn(
        f"{len(failed)} of {n} molecules have no {answer} and are NaN ({listed}); the first is in "
        f"row {first}, counted from 0: {failed[first].reason}.",
        UserWarning,
        # The user's line: below it lie a method, what it calls or is wrapped in, and this one.
        stacklevel=4,
    )


def tags_of_molecules(tags: Tags) -> Tags:
    """The tags with those of an input of molecules."""
    tags.input_tags.string = True
    tags.input_tags.one_d_array = True
    tags.input_tags.two_d_array = False
    tags.input_tags.allow_nan = True
    # Text cannot pass the checks for numbers; the intake has its own.
    tags.no_validation = True
    return tags
