"""CSV, TSV and their cousins with `;` or `|`: the delimiter found, the rows checked one by one."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from molmeta.assays.readers.columns import is_smiles_header
from molmeta.assays.readers.records import Record, Records, damaged
from molmeta.chem.intake import Molecule, read_smiles
from molmeta.chem.status import shown
from molmeta.errors import InputError

_NAMES = {",": "comma", "\t": "tab", ";": "';'", "|": "'|'"}
_FIRST_RECORDS = 20
_QUOTE_HINT = "; a SMILES with an extension |...| must be quoted"


def delimiter_by_header(sample: Sequence[str], candidates: str = ",\t;|") -> str | None:
    """The delimiter under which the first line is a header with a cell that announces SMILES."""
    for delimiter in candidates:
        header = _split(sample[0], delimiter)
        if len(header) > 1 and any(is_smiles_header(cell) for cell in header):
            return delimiter
    return None


def delimiter_by_count(sample: Sequence[str]) -> str | None:
    """The delimiter that nearly every line has and most have equally often, or None for a list."""
    lines = [line for line in sample if line.strip()]
    best, best_score = None, (0.0, 0)
    # Not `|`: it closes the extensions of a CXSMILES, and without a header it proves nothing.
    for delimiter in ",\t;":
        widths = [len(_split(line, delimiter)) for line in lines]
        if widths[0] < 2 or sum(width > 1 for width in widths) < 0.9 * len(widths):
            continue
        score = (widths.count(widths[0]) / len(widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def read_delimited(
    lines: Iterator[str],
    delimiter: str,
    *,
    header: bool | None,
    smiles_column: str | None,
    source: str,
    notes: list[str],
) -> Records:
    """Columns and records of a delimited table.

    Blank lines are passed over and counted in `notes`; in a table of one column they are rows, as
    in a list. A row with too few or too many cells, a NUL or a stray quote keeps its place.

    Raises:
        InputError: no header where one was expected, a comment in its place, every row off by the
            same number of cells, or a quote that is never closed.
    """
    rows = _rows(lines, delimiter, source)
    first = next((row for row in rows if not _is_blank(row)), None)
    if first is None:
        raise InputError(f"{source} has only blank lines: there are no rows in it")
    if header is not False:
        columns = first.cells
        if header is None and smiles_column not in columns:
            _check_header(columns, source)
    else:
        columns = tuple(f"column_{place + 1}" for place in range(len(first.cells)))
        rows = chain([first], rows)
    # Looked at together: one row that is off is a bad row, all of them off is a bad header.
    fitting = _fitted(rows, len(columns), notes)
    head = list(islice(fitting, _FIRST_RECORDS))
    _check_widths(head, columns, delimiter, source)
    if delimiter != ",":
        notes.append(f"delimiter {_NAMES.get(delimiter, repr(delimiter))} was found")
    records = (record for _, record in chain(head, fitting))
    return Records("tsv" if delimiter == "\t" else "csv", columns, records)


def _rows(lines: Iterator[str], delimiter: str, source: str) -> Iterator[Record]:
    """Rows as `csv` splits them, of any width; a stray quote makes a damaged one."""
    last = [""]

    def remembered() -> Iterator[str]:
        for last[0] in lines:
            yield last[0]

    reader = csv.reader(remembered(), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield Record(line, tuple(next(reader)))
        except StopIteration:
            return
        except csv.Error as error:
            # `strict` resumes at the next line; only a row that has eaten others is beyond help.
            if reader.line_num != line or "expected after" not in str(error):
                raise InputError(
                    f"{source}: the quote opened in the row of line {line} is not closed as it "
                    f"should be ({error}, line {reader.line_num}); mend the quotes there"
                ) from error
            yield Record(
                line,
                tuple(last[0].rstrip("\r\n").split(delimiter)),
                damaged(f"line {line}: there is text after a closing quote; mend the quotes"),
            )


def _fitted(
    rows: Iterator[Record], width: int, notes: list[str]
) -> Iterator[tuple[Record, Record]]:
    """Each row as found and as a record of exactly `width` cells."""
    blank = 0
    for row in rows:
        if _is_blank(row) and width > 1:
            blank += 1
            continue
        if _is_blank(row):
            row = Record(row.line, row.cells or ("",), row.problem)
        problem = row.problem
        if problem is None and len(row.cells) != width:
            problem = damaged(_ragged(row, width))
        elif problem is None and any("\0" in cell for cell in row.cells):
            problem = damaged(f"line {row.line}: a cell holds a NUL byte")
        if problem is None:
            yield row, row
            continue
        cells = (row.cells + ("",) * (width - len(row.cells)))[:width]
        yield row, Record(row.line, cells, problem)
    if blank:
        notes.append(f"{blank} blank lines were passed over; rows are counted without them")


def _ragged(row: Record, width: int) -> str:
    found = f"line {row.line} has {len(row.cells)} cells where the header has {width}"
    if len(row.cells) < width:
        return found
    surplus = ", ".join(shown(cell) for cell in row.cells[width:][:3])
    hint = _QUOTE_HINT if _has_extension(row) else ""
    return f"{found} (too many: {surplus}){hint}"


def _check_widths(
    head: list[tuple[Record, Record]], columns: tuple[str, ...], delimiter: str, source: str
) -> None:
    widths = [len(found.cells) for found, _ in head]
    if len(widths) < 2 or len(set(widths)) > 1 or widths[0] == len(columns):
        return
    hint = _QUOTE_HINT if any(_has_extension(found) for found, _ in head) else ""
    raise InputError(
        f"{source}: every row has {widths[0]} cells but the header has {len(columns)}, so no cell "
        f"can be told its column (delimiter: {_NAMES.get(delimiter, repr(delimiter))}); give the "
        f"header a name for each column{hint}"
    )


def _check_header(columns: tuple[str, ...], source: str) -> None:
    if any(is_smiles_header(cell) for cell in columns):
        return
    if columns[0].lstrip().startswith("#"):
        raise InputError(
            f"{source} starts with the comment {shown(columns[0])} where the header should be; "
            "remove the lines above the header"
        )
    for cell in columns:
        if isinstance(read_smiles(cell), Molecule):
            raise InputError(
                f"{source} has no header: its first row holds the molecule {shown(cell)}; add a "
                "header line, or say that there is none (--no-header)"
            )


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a cell beyond what csv takes: no table under this delimiter
        return []


def _is_blank(row: Record) -> bool:
    return not row.cells or (row.cells == (row.cells[0],) and row.cells[0].isspace())


def _has_extension(row: Record) -> bool:
    return any(" |" in cell for cell in row.cells)
