"""C1 to C27: what users measured, given to `molmeta predict --support`.

Where this differs from what was proposed first: values where classes are expected (C8) and classes
where values are (C9) name the flag that is missing; a label with a decimal comma (C10) is read
where it can mean one thing alone; one compound (C2) ranks others on request alone, and gives no
probability.
"""

from tests.bad_inputs.case import Case

BELOW = ("--threshold", "1000", "--active", "below")
ACTIVE = ("CC(=O)Nc1ccc(O)cc1", "CC(=O)Nc1ccc(F)cc1", "CCC(=O)Nc1ccc(O)cc1", "CC(=O)Nc1ccccc1")
INACTIVE = ("CCCCCC", "CCCCCCO", "CC(C)CCO", "CCCCCCN")


def table(*labels: object, header: str = "label", smiles: tuple[str, ...] = ()) -> str:
    """The labels beside actives and inactives in turn, or beside these SMILES."""
    smiles = smiles or tuple(s for pair in zip(ACTIVE, INACTIVE, strict=True) for s in pair)
    rows = [f"{text},{label}" for text, label in zip(smiles, labels, strict=False)]
    return "\n".join([f"smiles,{header}", *rows]) + "\n"


def beside(label: object) -> str:
    """Eight sound rows of concentrations, and one more with this label."""
    return table(*[5, 5000] * 4) + f'CCCl,"{label}"\n'


SUPPORTS = [
    Case("C1", table("", "", ""), code=4, said="no label"),
    Case("C1", "smiles,label\n", code=4, said="rows"),
    Case("C2", table(1), code=4, said="--allow-tiny"),
    Case("C2", table(1), words=("--allow-tiny",), said="no probability is given"),
    Case("C3", table(1, 1, 1), code=4, said="all 3 compounds are active"),
    Case("C3", table(0, 0, 0), code=4, said="all 3 compounds are inactive"),
    Case("C3", table(0, 0, 0), words=("--allow-tiny",), code=4, said="inactive"),
    Case("C4", table(1, 0), said="only 2 compounds"),
    *[
        Case("C5", table(*pair * 4), said="4 active and 4 inactive")
        for pair in (
            ("Active", "Inactive"), ("active ", " INACTIVE"), ("1.0", "0.0"), ("TRUE", "false"),
            ("yes", "no"), ("A", "I"), ("+", "-"), ("1", "0"),
        )
    ],
    Case("C5", table(*["hit", "weak"] * 4), code=4, said="'weak'"),
    Case("C6", table(*[1, 2] * 4), code=4, said="'1', '2'"),
    Case("C6", table(*[0, 1, 2, 0]), code=4, said="'0', '1', '2'"),
    Case("C7", table(1, 0, "", "NaN", 1, 0), said="label_error"),
    Case("C8", table(0.5, 17, 3.2, 250), code=4, said="--threshold"),
    Case("C9", table(*["a", "i"] * 4), words=BELOW, code=4, said="classes already"),
    *[
        Case("C10", beside(label), words=BELOW, said=said)
        for label, said in (
            (">10", "either side of the threshold"), (">=10000", "4 active and 5 inactive"),
            ("<100", "5 active and 4 inactive"), ("~5", "5 active and 4 inactive"),
            ("10 - 30", "5 active and 4 inactive"), ("500 - 5000", "label_error"),
            ("n.d.", "label_error"), ("inactive", "4 active and 5 inactive"),
            ("1,5", "5 active and 4 inactive"), ("about ten", "label_error"),
        )
    ],
    Case("C11", table(*["5 nM", "50 %"] * 4), words=BELOW, code=4, said="one unit"),
    Case("C11", table("5 nM", "9 uM", "0 nM", "-3 nM", "7 nM", "20 uM"),
         words=("--threshold", "1 uM", "--active", "below"), said="above zero"),
    Case("C11", table("5 nM", "9 uM"), words=BELOW, code=4, said="state the unit"),
    Case("C12", table(*[5.5, 8, 7, 6] * 2), words=BELOW, code=4, said="pIC50"),
    Case("C13", table(*[5, 5000] * 4), words=("--threshold", "1000"), code=2, said="--active"),
    Case("C13", table(*[5, 5000] * 4), words=BELOW, said="active means a value <= 1000"),
    Case("C14", table(1, 0, 1, 0) + f"{ACTIVE[0]},1\n", said="repeat a compound"),
    Case("C15", table(1, 0, 1, 0) + f"{ACTIVE[0]},0\n", said="were left out"),
    Case("C15", table(1, 0, 1, 0) + f"{ACTIVE[0]},0\n", words=("--conflict", "error"), code=4,
         said="contradict"),
    Case("C15", table(1, 0, 1, 0) + f"{ACTIVE[0]},0\n{ACTIVE[0]},1\n",
         words=("--conflict", "majority"), said="the majority counts"),
    Case("C16", table(5, 5000, 7, 9000) + f"{ACTIVE[0]},900\n", words=BELOW,
         said="log units apart"),
    Case("C17", table(1, 0, smiles=("CC(=O)O", "CCN")) + "CC(=O)[O-].[Na+],1\n",
         said="repeat a compound"),
    Case("C17", table(1, 0, smiles=("Oc1ccccn1", "O=c1cccc[nH]1")),
         said="stereoisomers or tautomers"),
    Case("C18", table(*[1, 0] * 4), words=("--smiles", ACTIVE[0]), said="in_support"),
    Case("C19", table(*[1, 0] * 4), said="1 of the 8 support compounds occur in the public assays"),
    Case("C21", table(1, *[0] * 40, smiles=(ACTIVE[0], *("C" * n for n in range(1, 41)))),
         said="one class is rare"),
    Case("C22", table(*[1, 0] * 4), words=("--smiles", "FS(F)(F)(F)(F)F"),
         said="Unlike every support compound"),
    Case("C23", table(1, 0, smiles=("aspirin", "C1")), code=4, said="1 x not_smiles"),
    Case("C24", "smiles,id,price\nCCO,a,5\nCCN,b,7\n", code=4, said="--label-column"),
    Case("C24", "smiles\nCCO\nCCN\n", code=4, said="label"),
    Case("C26", table("inf", 5000, 5, 9000), words=BELOW, said="label_error"),
    Case("C26", table("1e-9", "1e308", "5e-324", "9000"), words=BELOW,
         said="2 active and 2 inactive"),
]  # fmt: skip
