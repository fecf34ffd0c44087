"""What intake can say about a row: status codes, and the value that stands for a refused row."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Verdict on one input row; the values are part of the output format."""

    OK = "ok"
    OK_CHANGED = "ok_changed"
    WARN_DOMAIN = "warn_domain"
    ABSTAINED = "abstained"
    EMPTY = "empty"
    NOT_SMILES = "not_smiles"
    PARSE_ERROR = "parse_error"
    SANITIZE_ERROR = "sanitize_error"
    NO_HEAVY_ATOMS = "no_heavy_atoms"
    TOO_LARGE = "too_large"
    UNSUPPORTED_ATOM = "unsupported_atom"
    WILDCARD_OR_QUERY = "wildcard_or_query"
    MIXTURE = "mixture"
    REACTION = "reaction"
    MODEL_ERROR = "model_error"
    WORKER_CRASH = "worker_crash"
    TIMEOUT = "timeout"
    LABEL_ERROR = "label_error"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that gives no molecule; it keeps its place and says why."""

    status: Status
    reason: str
    """Printable ASCII, one line: what was found and, where it is known, what to do."""


class Rejected(Exception):
    """Carries a Rejection up to `read_smiles`; never leaves `molmeta.chem`."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.rejection = Rejection(status, reason)


def shown(text: str) -> str:
    """The start of `text`, quoted, printable and short enough to repeat in a reason."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def listed(words: Iterable[str], separator: str = ", ") -> str:
    """The first five of `words`, and how many more there are: short enough for a reason."""
    words = list(words)
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return separator.join(words[:5]) + more
