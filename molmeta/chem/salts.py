"""Fragments and charges -> the parent: a salt, a hydrate and the free form are one molecule."""

from functools import cache

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from molmeta.chem.status import Rejected, Status, listed

# Written neutral, without stereo; the names appear in reasons. Common pharmaceutical salt formers,
# and what stands more than twice beside a larger fragment in Tox21, ToxCast, SIDER and MUV.
INORGANIC = {
    "water": "O", "hydrofluoride": "F", "hydrochloride": "Cl", "hydrobromide": "Br",
    "hydroiodide": "I", "ammonia": "N", "sulfate": "OS(=O)(=O)O", "phosphate": "OP(=O)(O)O",
    "nitrate": "O[N+](=O)[O-]", "perchlorate": "[O-][Cl+3]([O-])([O-])O",
    "tetrafluoroborate": "F[B-](F)(F)F", "hexafluorophosphate": "F[P-](F)(F)(F)(F)F",
}  # fmt: skip
SOLVENTS = {
    "methanol": "CO", "ethanol": "CCO", "propanol": "CCCO", "isopropanol": "CC(C)O",
    "butanol": "CCCCO", "tert-butanol": "CC(C)(C)O", "ethylene glycol": "OCCO",
    "propylene glycol": "CC(O)CO", "glycerol": "OCC(O)CO", "acetone": "CC(C)=O",
    "butanone": "CCC(C)=O", "acetonitrile": "CC#N", "DMSO": "CS(C)=O", "DMF": "CN(C)C=O",
    "dimethylacetamide": "CN(C)C(C)=O", "NMP": "CN1CCCC1=O", "THF": "C1CCOC1",
    "dioxane": "C1COCCO1", "diethyl ether": "CCOCC", "MTBE": "COC(C)(C)C",
    "ethyl acetate": "CCOC(C)=O", "isopropyl acetate": "CC(C)OC(C)=O",
    "dichloromethane": "ClCCl", "chloroform": "ClC(Cl)Cl", "toluene": "Cc1ccccc1",
    "urea": "NC(N)=O",
}  # fmt: skip
COUNTER_IONS = {
    "formate": "OC=O", "acetate": "CC(=O)O", "propionate": "CCC(=O)O", "butyrate": "CCCC(=O)O",
    "pivalate": "CC(C)(C)C(=O)O", "trifluoroacetate": "OC(=O)C(F)(F)F",
    "trichloroacetate": "OC(=O)C(Cl)(Cl)Cl", "glycolate": "OCC(=O)O", "lactate": "CC(O)C(=O)O",
    "oxalate": "OC(=O)C(=O)O", "malonate": "OC(=O)CC(=O)O", "succinate": "OC(=O)CCC(=O)O",
    "glutarate": "OC(=O)CCCC(=O)O", "adipate": "OC(=O)CCCCC(=O)O",
    "fumarate or maleate": "OC(=O)C=CC(=O)O", "malate": "OC(=O)CC(O)C(=O)O",
    "tartrate": "OC(=O)C(O)C(O)C(=O)O", "citrate": "OC(=O)CC(O)(CC(=O)O)C(=O)O",
    "saccharate": "OC(=O)C(O)C(O)C(O)C(O)C(=O)O",
    "gluconate": "OCC(O)C(O)C(O)C(O)C(=O)O", "ascorbate": "OCC(O)C1OC(=O)C(O)=C1O",
    "stearate": "CCCCCCCCCCCCCCCCCC(=O)O", "palmitate": "CCCCCCCCCCCCCCCC(=O)O",
    "benzoate": "OC(=O)c1ccccc1", "salicylate": "OC(=O)c1ccccc1O",
    "gentisate": "OC(=O)c1cc(O)ccc1O", "mandelate": "OC(C(=O)O)c1ccccc1",
    "nicotinate": "OC(=O)c1cccnc1", "hippurate": "OC(=O)CNC(=O)c1ccccc1",
    "xinafoate": "OC(=O)c1ccc2ccccc2c1O",
    "pamoate": "OC(=O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O",
    "carbonate": "OC(=O)O", "thiocyanate": "N#CS", "dicyanamide": "N#CN=C=N",
    "saccharinate": "O=C1NS(=O)(=O)c2ccccc12",
    "mesylate": "CS(=O)(=O)O", "esylate": "CCS(=O)(=O)O", "edisylate": "OS(=O)(=O)CCS(=O)(=O)O",
    "isethionate": "OCCS(=O)(=O)O", "triflate": "OS(=O)(=O)C(F)(F)F",
    "bistriflimide": "O=S(=O)(NS(=O)(=O)C(F)(F)F)C(F)(F)F", "besylate": "OS(=O)(=O)c1ccccc1",
    "tosylate": "Cc1ccc(cc1)S(=O)(=O)O", "napsylate": "OS(=O)(=O)c1ccc2ccccc2c1",
    "napadisylate": "OS(=O)(=O)c1cccc2c(cccc12)S(=O)(=O)O",
    "sulfosalicylate": "OC(=O)c1cc(ccc1O)S(=O)(=O)O",
    "camsylate": "CC1(C)C2CCC1(CS(=O)(=O)O)C(=O)C2", "methyl sulfate": "COS(=O)(=O)O",
    "ethyl sulfate": "CCOS(=O)(=O)O", "lauryl sulfate": "CCCCCCCCCCCCOS(=O)(=O)O",
    "methylamine": "CN", "dimethylamine": "CNC", "trimethylamine": "CN(C)C", "ethylamine": "CCN",
    "diethylamine": "CCNCC", "triethylamine": "CCN(CC)CC",
    "diisopropylethylamine": "CCN(C(C)C)C(C)C",
    "tert-butylamine": "CC(C)(C)N", "cyclohexylamine": "NC1CCCCC1",
    "dicyclohexylamine": "C1CCC(CC1)NC1CCCCC1", "ethylenediamine": "NCCN",
    "ethanolamine": "NCCO", "diethanolamine": "OCCNCCO", "triethanolamine": "OCCN(CCO)CCO",
    "deanol": "CN(C)CCO", "choline": "C[N+](C)(C)CCO", "tromethamine": "NC(CO)(CO)CO",
    "meglumine": "CNCC(O)C(O)C(O)C(O)CO", "piperazine": "C1CNCCN1", "morpholine": "C1COCCN1",
    "piperidine": "C1CCNCC1", "pyrrolidine": "C1CCNC1", "pyridine": "c1ccncc1",
    "imidazole": "c1c[nH]cn1", "benzathine": "C(CNCc1ccccc1)NCc1ccccc1",
    "glycine": "NCC(=O)O", "lysine": "NCCCCC(N)C(=O)O", "arginine": "NC(CCCNC(N)=N)C(=O)O",
    "aspartate": "NC(CC(=O)O)C(=O)O", "glutamate": "NC(CCC(=O)O)C(=O)O",
    "tetramethylammonium": "C[N+](C)(C)C", "tetraethylammonium": "CC[N+](CC)(CC)CC",
    "tetrabutylammonium": "CCCC[N+](CCCC)(CCCC)CCCC",
}  # fmt: skip

STRIPPED_METALS = frozenset({"Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Al", "Zn", "Ag"})
"""Their ions only balance a charge. Any other metal may hold its fragments in one complex."""
_NON_METALS = frozenset(
    {"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Sb", "Te", "I"}
)

# Proton moves only: the other corrections turn carbocations and borohydride into other molecules.
# Not forced: beside a charge that no proton carries away (betaines, mesoionic rings) the opposite
# charge stays, as in ChEMBL; FS-Mol has 282 of them.
_UNCHARGER = rdMolStandardize.Uncharger(canonicalOrder=True, force=False, protonationOnly=True)
_MOVABLE_CHARGE = Chem.MolFromSmarts("[!+0;#15,#16,#34,!$([+]~[-])&!$([-]~[+])]")
_CHARGE_SEPARATED = Chem.MolFromSmarts("[#15,#16,#34;!a;+,+2]-[O-;X1]")


def parent_of(mol: Chem.Mol) -> tuple[Chem.Mol, list[str]]:
    """The one organic fragment of `mol`, and in words what was taken away.

    Fragments of one constitution but different stereo are a racemate, or another mixture of
    stereoisomers: their parent is the constitution, without stereo.

    Raises:
        Rejected: MIXTURE, no organic part or more than one; UNSUPPORTED_ATOM, a metal complex.
    """
    if len(Chem.GetMolFrags(mol)) == 1:
        return mol, []
    by_constitution: dict[str, list[Chem.Mol]] = {}
    with rdBase.BlockLogs():
        fragments = Chem.GetMolFrags(mol, asMols=True)
    for fragment in fragments:
        _refuse_complex(fragment)
        fragment = neutral_form(fragment)
        by_constitution.setdefault(_constitution(fragment), []).append(fragment)
    parent = _choose(by_constitution)
    removed = [_label(other) for other in by_constitution if other != parent]
    changes = [f"salt: removed {listed(removed)}"] if removed else []
    forms = {Chem.MolToSmiles(form): form for form in by_constitution[parent]}
    if len(forms) == 1:
        return next(iter(forms.values())), changes
    flat = Chem.Mol(by_constitution[parent][0])
    Chem.RemoveStereochemistry(flat)
    return flat, [*changes, "racemate or other stereoisomers together: stereo removed"]


def neutral_form(mol: Chem.Mol) -> Chem.Mol:
    """`mol` with each charge gone that a proton or a double bond can take away.

    Acids, amines and zwitterions become neutral; S+-O- and P+-O- become S=O and P=O. Nitro,
    N-oxide, azide, isocyanide and quaternary nitrogen stay as they are.
    """
    if not mol.HasSubstructMatch(_MOVABLE_CHARGE):
        return mol
    joined = Chem.RWMol(mol)
    while pair := joined.GetSubstructMatch(_CHARGE_SEPARATED):
        centre, oxygen = (joined.GetAtomWithIdx(index) for index in pair)
        centre.SetFormalCharge(centre.GetFormalCharge() - 1)
        oxygen.SetFormalCharge(0)
        joined.GetBondBetweenAtoms(*pair).SetBondType(Chem.BondType.DOUBLE)
    try:
        with rdBase.BlockLogs():
            # Read back: a proton leaves stale stereo behind, and would make PF6- impossible.
            neutral = Chem.MolFromSmiles(Chem.MolToSmiles(_UNCHARGER.uncharge(joined.GetMol())))
    except (ValueError, RuntimeError):
        neutral = None
    return mol if neutral is None else neutral


def _refuse_complex(fragment: Chem.Mol) -> None:
    for atom in fragment.GetAtoms():
        symbol = atom.GetSymbol()
        if symbol not in _NON_METALS and (symbol not in STRIPPED_METALS or atom.GetDegree()):
            reason = f"{symbol}: a metal that may bind the other fragments in one complex"
            raise Rejected(Status.UNSUPPORTED_ATOM, reason)


def _choose(by_constitution: dict[str, list[Chem.Mol]]) -> str:
    """The parent: the one unknown organic fragment, else the one acid or base, else the solvent."""
    organic = [
        constitution
        for constitution, (fragment, *_) in by_constitution.items()
        if any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
    ]
    solvents = [name for name in organic if _names().get(name) in SOLVENTS]
    ions = [name for name in organic if _names().get(name) in COUNTER_IONS]
    unknown = [name for name in organic if name not in _names()]
    candidates = unknown or ions or solvents
    if not candidates:
        raise Rejected(Status.MIXTURE, "only inorganic ions, no organic part")
    if len(candidates) > 1:
        reason = f"{len(candidates)} organic parts: {listed(map(_label, candidates))}"
        raise Rejected(Status.MIXTURE, f"{reason}; keep the one that was measured")
    return candidates[0]


def _constitution(mol: Chem.Mol) -> str:
    return str(Chem.MolToSmiles(mol, isomericSmiles=False))


def _label(constitution: str) -> str:
    short = constitution if len(constitution) <= 40 else f"{constitution[:37]}..."
    name = _names().get(constitution)
    return short if name is None else f"{name} ({short})"


@cache
def _names() -> dict[str, str]:
    named = INORGANIC | SOLVENTS | COUNTER_IONS
    return {_constitution(Chem.MolFromSmiles(smiles)): name for name, smiles in named.items()}
