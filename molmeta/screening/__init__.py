"""A library of any size through a TargetModel: streamed, in place, parallel, resumable."""

from molmeta.screening.columns import (
    APPENDED,
    APPENDED_VALUES,
    NUMERIC,
    appended_columns,
    free_names,
)
from molmeta.screening.library import CHUNK, RowOutput, ScreenSummary, screen

__all__ = [
    "APPENDED",
    "APPENDED_VALUES",
    "CHUNK",
    "NUMERIC",
    "RowOutput",
    "ScreenSummary",
    "appended_columns",
    "free_names",
    "screen",
]
