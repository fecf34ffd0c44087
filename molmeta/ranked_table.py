"""Compounds in the order in which to look at them: a table for a notebook and for data frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from molmeta.explanation.drawing import draw
from molmeta.scores import ScoredRow

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DRAWN: Final = 25
"""Rows that a notebook shows; a structure takes 8 kB, and the notebook keeps them all."""

_MEASURES: Final = ("probability", "value", "low", "high", "deviation", "similarity")
_CELL: Final = "text-align:left;vertical-align:middle;padding:2px 8px"


@dataclass(frozen=True, slots=True)
class RankedTable:
    """Scored compounds, the best first and those without a score last.

    A notebook shows it with structures. `polars.DataFrame(ranked)` and whatever else takes Arrow
    takes it as it is.
    """

    rows: tuple[ScoredRow, ...]
    """[n], in order of rank; equal ones in the order in which they were given."""
    places: tuple[int, ...]
    """[n]; where each row stood among the compounds given, from 0."""
    predicts_values: bool

    def __len__(self) -> int:
        return len(self.rows)

    def head(self, n: int) -> RankedTable:
        """The `n` best."""
        return RankedTable(self.rows[:n], self.places[:n], self.predicts_values)

    def to_arrow(self) -> pa.Table:
        """A row a compound; `rank` from 1 and null where there is no score, `row` from 0."""
        import pyarrow as pa

        types = {"rank": pa.int64(), "row": pa.int64(), "smiles": pa.string()}
        types |= dict.fromkeys(self._measures(), pa.float64())
        types |= {"in_support": pa.bool_(), "known": pa.bool_()}
        types |= {"status": pa.string(), "reason": pa.string()}
        return pa.Table.from_pylist(self._records(), schema=pa.schema(types))

    def to_pandas(self) -> Any:
        """The same as a `pandas.DataFrame`; pandas must be installed."""
        return self.to_arrow().to_pandas()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        n_failed = sum(not row.is_usable for row in self.rows)
        return f"RankedTable({len(self)} compounds, {n_failed} without a score)"

    def _repr_html_(self) -> str:
        """The first rows as an HTML table with their structures; what came from outside escaped."""
        shown = self.head(MAX_DRAWN)
        names = ["rank", "structure", "row", *self._measures(), "known", "status", "reason"]
        head = "".join(f'<th style="{_CELL}">{name}</th>' for name in names)
        body = "".join(
            "<tr>" + "".join(_html_cell(record, name) for name in names) + "</tr>"
            for record in shown._records()
        )
        rest = len(self) - len(shown)
        more = f"<p>and {rest:,} more: head(n), to_pandas() or to_arrow()</p>" if rest else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _measures(self) -> list[str]:
        """The columns of numbers that this table has."""
        unasked = ("probability",) if self.predicts_values else ("value",)
        return [name for name in _MEASURES if name not in unasked]

    def _records(self) -> list[dict[str, Any]]:
        return [
            {
                "rank": rank if row.is_usable else None,
                "row": place,
                "smiles": row.smiles,
                **{name: getattr(row, name) for name in self._measures()},
                "in_support": row.in_support,
                "known": row.seen,
                "status": str(row.status),
                "reason": row.reason,
            }
            for rank, (place, row) in enumerate(zip(self.places, self.rows, strict=True), start=1)
        ]


def rank_rows(rows: Sequence[ScoredRow], *, predicts_values: bool) -> RankedTable:
    """The rows [n] of a target, the best first."""

    def order(place: int) -> tuple[bool, float]:
        merit = rows[place].merit
        return merit is None, 0.0 if merit is None else -merit

    places = sorted(range(len(rows)), key=order)
    return RankedTable(tuple(rows[place] for place in places), tuple(places), predicts_values)


def _html_cell(record: dict[str, Any], name: str) -> str:
    if name == "structure":
        smiles = record["smiles"]
        drawing = "" if smiles is None else draw(smiles, width=180, height=120)
        # RDKit draws in black, which a dark notebook would swallow.
        style = f"{_CELL};background:white;min-width:180px"
        return f'<td style="{style}" title="{escape(smiles or "")}">{drawing}</td>'
    value = record[name]
    if isinstance(value, bool):
        text = "yes" if value else ""
    elif isinstance(value, float):
        text = f"{value:.2f}"
    else:
        text = "" if value is None else str(value)
    return f'<td style="{_CELL}">{escape(text)}</td>'
