"""A1 to A75: texts in place of a SMILES, and what becomes of each.

Where this differs from what was proposed first: an InChI (A19) is never converted, as a second way
in would need its own checks; the bound of 999 atoms (A65) cannot be raised, as RDKit may crash the
process above it; a racemate written as its two enantiomers (A42) and one marked so (A27) are read
with the centre undefined, as `ok_changed`, so that the change is told.
"""

from typing import Any

from rdkit import Chem

FULLERENE = (
    "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6"
    "c6c%11c2c2c7c3c3c8c4c4c9c5c1c1c6c2c3c41"
)
BIARYL = (
    "Cc1cccc(Cl)c1-c1c(C)cccc1Cl |(0.8,-2.6,;1.5,-1.3,;3,-1.3,;3.8,0,;3,1.3,;1.5,1.3,;0.8,2.6,;"
    "0.7,0,;-0.8,0,;-1.5,1.3,;-0.8,2.6,;-3,1.3,;-3.8,0,;-3,-1.3,;-1.5,-1.3,;-0.8,-2.6,),wU:7.7|"
)


class NAType:
    """Stands for pandas.NA, which is known by the name of its type."""


# id, input, canonical SMILES, status, words in the reason
ACCEPTED: list[tuple[str, Any, str, str, str]] = [
    ("A4", b"CCO", "CCO", "ok", ""),
    ("A6", "\ufeffCCO", "CCO", "ok_changed", "bom"),
    ("A7", "CCO\u00a0", "CCO", "ok_changed", "whitespace"),
    ("A7", "CCO\u200b", "CCO", "ok_changed", "whitespace"),
    ("A9", "“CCO”", "CCO", "ok_changed", "quotes"),
    ("A10", '"CCO"', "CCO", "ok_changed", "quotes"),
    ("A14", "CCO ethanol", "CCO", "ok_changed", "trailing text ignored: 'ethanol'"),
    ("A14", "CCO\tid", "CCO", "ok_changed", "trailing text ignored: 'id'"),
    ("A27", "C[C@H](O)F |&1:1|", "CC(O)F", "ok_changed", "racemate"),
    ("A27", "C[C@@H](O)F |o1:1|", "CC(O)F", "ok_changed", "racemate"),
    ("A27", "C[C@H](O)F |a:1|", "C[C@H](O)F", "ok", ""),
    ("A29", "C[C@H](O)F |&1:1,4,r", "C[C@H](O)F", "ok_changed", "cx dropped"),
    ("A29", "CCO |junk|", "CCO", "ok_changed", "cx dropped"),
    ("A30", "CC |^1:0|", "[CH2]C", "ok", "radical"),
    ("A32", "[13CH4]", "[13CH4]", "ok", ""),
    ("A32", "[2H]OC", "[2H]OC", "ok", ""),
    ("A37", "C", "C", "ok", ""),
    ("A37", "[Na+]", "[Na+]", "ok", ""),
    ("A39", "CC(=O)[O-].[Na+]", "CC(=O)O", "ok_changed", "salt: removed [Na+]"),
    ("A39", "CN.Cl", "CN", "ok_changed", "salt: removed hydrochloride (Cl)"),
    ("A40", "CN.Cl.O", "CN", "ok_changed", "water"),
    ("A40", "Cc1ccncc1O.CCO", "Cc1ccncc1O", "ok_changed", "ethanol"),
    ("A42", "C[C@H](F)Cl.C[C@@H](F)Cl", "CC(F)Cl", "ok_changed", "racemate"),
    ("A44", "C[Se]C", "C[Se]C", "ok", ""),
    ("A44", "C[As](C)C", "C[As](C)C", "ok", ""),
    ("A44", "CB(O)O", "CB(O)O", "ok", ""),
    ("A44", "C[Si](C)(C)C", "C[Si](C)(C)C", "ok", ""),
    ("A46", "C[CH2]", "[CH2]C", "ok", "radical: unpaired electrons 1"),
    ("A46", "C[C]C", "C[C]C", "ok", "radical: unpaired electrons 2"),
    ("A47", "CN(=O)=O", "C[N+](=O)[O-]", "ok", ""),
    ("A47", "CN=N#N", "CN=[N+]=[N-]", "ok", ""),
    ("A47", "O=n1ccccc1", "[O-][n+]1ccccc1", "ok", ""),
    ("A48", "O=Cl(=O)(=O)O", "[O-][Cl+3]([O-])([O-])O", "ok", ""),
    ("A48", "FS(F)(F)(F)(F)F", "FS(F)(F)(F)(F)F", "ok", ""),
    ("A48", "F[P-](F)(F)(F)(F)F", "F[P-](F)(F)(F)(F)F", "ok", ""),
    ("A48", "Cc1ccc(I(=O)=O)cc1", "Cc1ccc(I(=O)=O)cc1", "ok", ""),
    ("A51", "C1=CC=CC=C1", "c1ccccc1", "ok", ""),
    ("A51", "c:1:c:c:c:c:c1", "c1ccccc1", "ok", ""),
    ("A55", "C1.C1", "CC", "ok", ""),
    ("A56", "C1CC%(100)CCC%(100)1", "C1CC2CCC12", "ok", ""),
    ("A59", "C[C@SP1](F)(Cl)Br", "C[C@SP1](F)(Cl)Br", "ok", ""),
    ("A60", BIARYL, "Cc1cccc(Cl)c1-c1c(C)cccc1Cl", "ok_changed", "axial"),
    ("A62", "[CH3:1][OH:2]", "CO", "ok_changed", "maps"),
    ("A62", "[H:3][O:2][CH3:1]", "CO", "ok_changed", "maps"),
    ("A63", "OCC", "CCO", "ok", ""),
    ("A64", "[H]OC([H])([H])C", "CCO", "ok", ""),
    ("A72", FULLERENE, str(Chem.CanonSmiles(FULLERENE)), "ok", ""),
    ("A73", "NC(C)C(=O)" * 40 + "O", str(Chem.CanonSmiles("NC(C)C(=O)" * 40 + "O")), "ok", ""),
    ("A75", "C1CC[C@H]2C[C@@H]1CC2", "C1C[C@@H]2CC[C@H](C1)C2", "ok", ""),
]

# id, input, status, words in the reason
REFUSED: list[tuple[str, Any, str, str]] = [
    ("A1", "", "empty", ""),
    ("A2", " \t\n", "empty", ""),
    ("A3", None, "empty", ""),
    ("A3", float("nan"), "empty", ""),
    ("A3", NAType(), "empty", ""),
    ("A3", 5, "not_smiles", "type int"),
    ("A4", b"CC\xff", "not_smiles", "ASCII"),
    ("A5", "CC\udc80", "not_smiles", "character 3 is U+DC80"),
    ("A8", "ССO", "not_smiles", "character 1 is U+0421 (CYRILLIC CAPITAL LETTER ES)"),
    ("A9", "“CCO", "not_smiles", "U+201C"),
    ("A11", "C😀", "not_smiles", "U+1F600"),
    ("A12", "ＣＣＯ", "not_smiles", "looks like 'C'"),
    ("A12", "C\u2212C", "not_smiles", "looks like '-'"),
    ("A12", "CC–O", "not_smiles", "looks like '-'"),
    ("A13", "CC\0O", "not_smiles", "U+0000"),
    ("A15", "CCO,ethanol", "parse_error", "delimiter"),
    ("A16", "aspirin", "not_smiles", "name"),
    ("A16", "Cocaine", "not_smiles", "name"),
    ("A17", "50-78-2", "not_smiles", "CAS"),
    ("A17", "CHEMBL25", "not_smiles", "identifier"),
    ("A17", "C9H8O4", "not_smiles", "formula"),
    ("A17", "CH4", "not_smiles", "formula"),
    *[("A18", text, "empty", "") for text in ("NA", "nan", "None", "null", "-", "#N/A", '"NA"')],
    ("A19", "InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3", "not_smiles", "InChI"),
    ("A20", "LFQSCWFLJHTTHZ-UHFFFAOYSA-N", "not_smiles", "InChIKey"),
    ("A21", "[C][C][O]", "not_smiles", "SELFIES"),
    ("A21", "[C][=C][Branch1][C][O][C]", "not_smiles", "SELFIES"),
    ("A22", "[#6]~[#8]", "wildcard_or_query", "[#6]"),
    ("A23", "[C,N]", "wildcard_or_query", "[C,N]"),
    ("A23", "[$(CO)]", "wildcard_or_query", "[$(CO)]"),
    ("A23", "[CH3;X4]", "wildcard_or_query", "[CH3;X4]"),
    ("A24", "CCO>>CC=O", "reaction", ""),
    ("A24", "A.B>c>D", "reaction", ""),
    ("A25", "PEPTIDE1{A.R.C}$$$$", "not_smiles", "HELM"),
    ("A25", ">sp|P1\nMKT", "not_smiles", "FASTA"),
    ("A25", "\n  RDKit\n\n  1  0  0 V2000\nM  END", "not_smiles", "molblock"),
    ("A26", "*", "wildcard_or_query", "*"),
    ("A26", "*c1ccccc1", "wildcard_or_query", "*"),
    ("A26", "[*:1]CC", "wildcard_or_query", "*"),
    ("A26", "[R1]CC", "wildcard_or_query", "R group"),
    ("A28", "CC |&1:6,26|", "parse_error", "cx"),
    ("A28", f"CC |&1:{'9' * 5000}|", "parse_error", "cx"),
    ("A31", "*CCO* |Sg:n:1,2,3::ht|", "wildcard_or_query", "*"),
    ("A31", "CCO |Sg:n:0,1::ht|", "wildcard_or_query", "polymer"),
    *[
        ("A33", text, "no_heavy_atoms", "")
        for text in ("[2H][2H]", "[H][H]", "[H]", "[H+]", "[H-]")
    ],
    ("A34", "[99999C]", "parse_error", "range"),
    ("A34", "[999C]", "parse_error", "range"),
    ("A35", "[Mg+1000]", "parse_error", "range"),
    ("A35", "[O-1000]", "parse_error", "range"),
    ("A36", "[C+15]", "unsupported_atom", "+15"),
    ("A38", "[Na+].[Cl-]", "mixture", "no organic part"),
    ("A41", "c1ccccc1.CCCCCO", "mixture", "2 organic parts"),
    ("A43", "N[Pt](N)(Cl)Cl", "unsupported_atom", "Pt"),
    ("A43", "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "unsupported_atom", "Fe"),
    ("A43", "N.N.[Cl-].[Cl-].[Pt+2]", "unsupported_atom", "Pt"),
    ("A44", "C[Mg]Br", "unsupported_atom", "Mg"),
    ("A44", "[Li]CCCC", "unsupported_atom", "Li"),
    ("A44", "CCCC[Sn](C)(C)C", "unsupported_atom", "Sn"),
    *[("A45", f"[{symbol}]", "unsupported_atom", symbol) for symbol in ("U", "Xe", "Og")],
    ("A49", "C[C](C)(C)(C)C", "sanitize_error", "atom 1 C, 5"),
    ("A49", "CFC", "sanitize_error", "atom 1 F, 2"),
    ("A49", "C[Cl](C)C", "sanitize_error", "atom 1 Cl, 3"),
    ("A49", "CB(C)(C)C", "sanitize_error", "atom 1 B, 4"),
    ("A50", "c1cccc1", "sanitize_error", "0 1 2 3 4"),
    ("A50", "c1ccnc1", "sanitize_error", "[nH]"),
    ("A50", "c1cncn1", "sanitize_error", "[nH]"),
    ("A52", "C1CC", "parse_error", "ring closure 1 opened at character 2"),
    ("A52", "C(C", "parse_error", "opened at character 2"),
    ("A52", "CC)", "parse_error", "closed at character 3"),
    ("A52", "C[", "parse_error", "bracket opened at character 2"),
    ("A52", "C()C", "parse_error", "character 3"),
    ("A52", "C==C", "parse_error", "character 3"),
    ("A52", "C11", "parse_error", "itself"),
    ("A53", "C(", "parse_error", "character 3"),
    *[("A54", text, "parse_error", "character") for text in (".", "CCO.", ".CCO", "CC..O")],
    ("A56", "C%1", "parse_error", "character 2"),
    *[("A57", text, "parse_error", "Cl, Br") for text in ("CCL", "CBR", "[NA+]", "cl")],
    ("A58", "C[NH2]->B", "unsupported_atom", "dative"),
    ("A58", "C~C", "wildcard_or_query", "~"),
    ("A58", "C$C", "unsupported_atom", "quadruple"),
    ("A61", "[Fe]1234567(C8C1C2C3C48)C9C5C6C7C9", "unsupported_atom", "Fe"),
    ("A65", "C" * 10_000, "too_large", "10,000 atoms"),
    ("A66", "C" * 20_000, "too_large", "20,000 atoms"),
    ("A67", "C" * 100_000, "too_large", "100,000 characters"),
    ("A68", "C(" * 20_000 + "C" + ")" * 20_000, "too_large", ""),
    ("A68", "C(" * 501 + "C" + ")" * 501, "too_large", "501 deep"),
    ("A69", "(" * 1_000_000, "too_large", ""),
    ("A69", "[" * 1_000_000, "too_large", ""),
    ("A69", "(" * 10_000, "too_large", "nested"),
    ("A69", "[" * 10_000, "parse_error", "never closed"),
    ("A70", ".".join("C" * 100_000), "too_large", ""),
    ("A70", ".".join("C" * 51), "too_large", "51 fragments"),
    ("A71", "CCO " + "x" * 10_000_000, "not_smiles", "characters"),
    ("A74", "=CMD|'/c calc'!A0", "parse_error", ""),
    ("A74", "<script>alert(1)</script>", "not_smiles", ""),
    ("A74", "'; DROP TABLE molecules; --", "parse_error", ""),
    ("A74", "../../etc/passwd", "not_smiles", ""),
]
