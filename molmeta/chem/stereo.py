"""Which molecules differ in nothing but stereo: enantiomers, E and Z, one of them drawn flat."""

from collections.abc import Iterator, Sequence

from rdkit import Chem
from torch import Tensor

from molmeta.chem.batch import MoleculeBatch
from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles

# A CX extension can mark stereo too; it stands between bars.
_MARKS = frozenset("@/\\|")


def without_stereo(molecule: Molecule) -> Molecule:
    """The same molecule drawn flat; isotopes stay."""
    flat = Chem.Mol(molecule.mol)
    Chem.RemoveStereochemistry(flat)
    # Read back, because a hydrogen that told E from Z was an atom of the graph and is none now.
    again = read_smiles(Chem.MolToSmiles(flat))
    return again if isinstance(again, Molecule) else molecule


def keys_without_stereo(
    batches: Sequence[MoleculeBatch], texts: Sequence[Sequence[str]]
) -> list[Tensor]:
    """Keys that agree, within and between the batches, where molecules differ in stereo alone.

    Stereo changes neither ECFP counts nor descriptors. A molecule that shares them with no other
    keeps its identity key, so that few molecules are read again: one in twenty of FS-Mol.

    Args:
        batches: of n_i molecules.
        texts: what each molecule of each batch was read from.

    Returns:
        For each batch [n_i], int64; to be compared with keys of the same call only.
    """
    from tqdm import tqdm

    keys = [batch.keys.cpu().clone() for batch in batches]
    look_alikes: dict[bytes, list[tuple[int, int]]] = {}
    for b, (batch, own_texts) in enumerate(zip(batches, texts, strict=True)):
        for i, (signature, text) in enumerate(zip(_signatures(batch), own_texts, strict=True)):
            # The graph has the hydrogen of [H]/N=C, and the same molecule drawn flat has not.
            if "[H" in text:
                flat = featurize([_read_flat(text)])
                keys[b][i] = flat.keys[0]
                signature = next(_signatures(flat))
            look_alikes.setdefault(signature, []).append((b, i))
    marked = [
        (b, i)
        for group in look_alikes.values()
        if len({int(keys[b][i]) for b, i in group}) > 1
        for b, i in group
        if not _MARKS.isdisjoint(texts[b][i])
    ]
    for b, i in tqdm(marked, desc="compare without stereo", unit="mol", disable=None):
        keys[b][i] = featurize([_read_flat(texts[b][i])]).keys[0]
    return keys


def _read_flat(text: str) -> Molecule:
    molecule = read_smiles(text)
    assert isinstance(molecule, Molecule), "what was featurised can be read"
    return without_stereo(molecule)


def _signatures(batch: MoleculeBatch) -> Iterator[bytes]:
    """The ECFP counts and descriptors of each molecule as bytes."""
    offsets = batch.ecfp_offsets.tolist()
    ids, counts = batch.ecfp_ids.cpu().numpy(), batch.ecfp_counts.cpu().numpy()
    for i, descriptors in enumerate(batch.descriptors.cpu().numpy()):
        part = slice(offsets[i], offsets[i + 1])
        yield ids[part].tobytes() + counts[part].tobytes() + descriptors.tobytes()
