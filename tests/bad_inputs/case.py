"""What a row of the tables in this folder says: what is given, and what must come of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One call of `molmeta predict`."""

    id: str
    """As in the table of bad inputs: B7."""
    content: str | bytes | None = None
    """Of the file in question, library or support; None for no file."""
    name: str = "file.csv"
    """What it is called; "-" for stdin."""
    words: tuple[str, ...] = ()
    """What else the command is given."""
    code: int = 0
    """The exit code."""
    said: str = ""
    """Words on stderr or in a row's reason."""
    statuses: tuple[str, ...] = ()
    """Of the rows that come out, in order; "scored" stands for every one that brings a score."""
    cells: tuple[str, ...] = ()
    """Of the input's first column, as they come out."""

    def __str__(self) -> str:
        return self.id
