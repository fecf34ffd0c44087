"""SMI: a header, then a molecule a line, with the other cells after it, parted by tabs."""

from collections.abc import Sequence

from molmeta.assays.writers.row_writer import Sink, encoded, on_one_line


class SmiWriter:
    """The SMILES first, the other cells in their order; a line without SMILES starts with a tab.

    The header starts with `smiles`. The format has no quotes: a tab or a line end within a cell
    becomes a blank.

    Args:
        sink: where the bytes go.
        columns: the header.
        smiles_place: which of them is the molecule.
    """

    def __init__(self, sink: Sink, columns: Sequence[str], smiles_place: int) -> None:
        self._sink = sink
        self._place = smiles_place
        self.write([*columns[:smiles_place], "smiles", *columns[smiles_place + 1 :]])

    def write(self, cells: Sequence[str]) -> None:
        """Add one row."""
        place = self._place
        ordered = (cells[place], *cells[:place], *cells[place + 1 :])
        self._sink.write(encoded("\t".join(map(on_one_line, ordered)) + "\n"))

    def finish(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing ends the file."""
