"""SDF: a structure drawn from the SMILES of each row, and every cell as a data item."""

from collections.abc import Iterator, Sequence

from rdkit import Chem
from rdkit.Chem import rdDepictor

from molmeta.assays.writers.row_writer import Sink, encoded, on_one_line
from molmeta.chem.intake import Molecule, read_smiles

_TITLES = ("title", "name", "id", "compound_id", "molecule_name")
"""Columns whose cell becomes the title of a record, the likeliest first."""

_DRAWN_ATOMS = 200
"""Larger molecules get no coordinates: laying out 1,000 atoms takes RDKit seconds."""


class SdfWriter:
    """One record a row: the molecule as it is scored, without counter-ions, and all of its cells.

    A text that is no molecule gives a record of no atoms, which keeps its place. The text as found
    is among the data items, like every other cell; it also has the stereo of the few bridged rings
    that a flat drawing cannot show. As an item ends at an empty line and a record at
    `$$$$`, such a line within a cell gets a blank before it.

    Args:
        sink: where the bytes go.
        columns: names of the data items; an empty or repeated one is numbered.
        smiles_place: which of them is the molecule.
    """

    def __init__(self, sink: Sink, columns: Sequence[str], smiles_place: int) -> None:
        self._sink = sink
        self._items = list(_distinct(columns))
        self._smiles_place = smiles_place
        known = {column.strip().lower(): place for place, column in reversed([*enumerate(columns)])}
        self._title_place = next((known[title] for title in _TITLES if title in known), None)

    def write(self, cells: Sequence[str]) -> None:
        """Add one row."""
        title = "" if self._title_place is None else cells[self._title_place]
        molecule = read_smiles(cells[self._smiles_place])
        mol = molecule.mol if isinstance(molecule, Molecule) else Chem.Mol()
        items = map(_item, self._items, cells)
        record = f"{_guarded(on_one_line(title))}\n{_molblock(mol)}{''.join(items)}$$$$\n"
        self._sink.write(encoded(record))

    def finish(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing ends the file."""


def _molblock(mol: Chem.Mol) -> str:
    """The molblock without its first line, the title."""
    if 0 < mol.GetNumAtoms() <= _DRAWN_ATOMS:
        mol = Chem.Mol(mol)
        # Else a double bond of unknown stereo would be read as it happens to be drawn.
        Chem.FindPotentialStereoBonds(mol)
        rdDepictor.Compute2DCoords(mol)
    return str(Chem.MolToMolBlock(mol)).partition("\n")[2]


def _item(name: str, cell: str) -> str:
    lines = cell.replace("\r\n", "\n").replace("\r", "\n").split("\n") if cell else []
    if len(lines) > 1:
        lines = [line or " " for line in lines]
    return "\n".join([f"> <{name}>", *map(_guarded, lines), "", ""])


def _guarded(line: str) -> str:
    return f" {line}" if line.startswith("$$$$") else line


def _distinct(columns: Sequence[str]) -> Iterator[str]:
    taken: set[str] = set()
    for place, column in enumerate(columns, start=1):
        name = on_one_line(column).strip() or f"column_{place}"
        while name in taken:
            name = f"{name}_{place}"
        taken.add(name)
        yield name
