"""Molecules for the tests: drugs, and small molecules for what drugs seldom have."""

from molmeta.chem.features import featurize
from molmeta.chem.intake import Molecule, read_smiles

DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",  # aspirin
    "CC(=O)Nc1ccc(O)cc1",  # paracetamol
    "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O",  # dexibuprofen
    "COc1ccc2cc(ccc2c1)[C@H](C)C(=O)O",  # naproxen
    "CN1C=NC2=C1C(=O)N(C)C(=O)N2C",  # caffeine
    "CN1CCC[C@H]1c1cccnc1",  # nicotine
    "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5",  # morphine
    "COc1ccc2nccc([C@@H](O)[C@@H]3C[C@@H]4CCN3C[C@@H]4C=C)c2c1",  # quinine
    "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",  # penicillin G
    "CC1(C)S[C@@H]2[C@H](NC(=O)[C@H](N)c3ccc(O)cc3)C(=O)N2[C@H]1C(=O)O",  # amoxicillin
    "O=C(O)c1cn(C2CC2)c2cc(N3CCNCC3)c(F)cc2c1=O",  # ciprofloxacin
    "C[C@H]1COc2c(N3CCN(C)CC3)c(F)cc3c(=O)c(C(=O)O)cn1c23",  # levofloxacin
    "CN1c2ccc(Cl)cc2C(c2ccccc2)=NCC1=O",  # diazepam
    "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",  # imatinib
    "COCCOc1cc2ncnc(Nc3cccc(C#C)c3)c2cc1OCCOC",  # erlotinib
    "COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1",  # gefitinib
    "CS(=O)(=O)CCNCc1ccc(-c2ccc3ncnc(Nc4ccc(OCc5cccc(F)c5)c(Cl)c4)c3c2)o1",  # lapatinib
    "CNC(=O)c1cc(Oc2ccc(NC(=O)Nc3ccc(Cl)c(C(F)(F)F)c3)cc2)ccn1",  # sorafenib
    "CCN(CC)CCNC(=O)c1c(C)[nH]c(/C=C2\\C(=O)Nc3ccc(F)cc32)c1C",  # sunitinib
    "Cc1nc(Nc2ncc(C(=O)Nc3c(C)cccc3Cl)s2)cc(N2CCN(CCO)CC2)n1",  # dasatinib
    "Cc1ccc(-n2nc(C(F)(F)F)cc2-c2ccc(S(N)(=O)=O)cc2)cc1",  # a celecoxib isomer
    "CC(C)c1c(C(=O)Nc2ccccc2)c(-c2ccccc2)c(-c2ccc(F)cc2)n1CC[C@@H](O)C[C@@H](O)CC(=O)O",
    "CC[C@H](C)C(=O)O[C@H]1C[C@@H](C)C=C2C=C[C@H](C)[C@H](CC[C@@H]3C[C@@H](O)CC(=O)O3)[C@H]21",
    "CCCc1nn(C)c2c1nc([nH]c2=O)-c1cc(ccc1OCC)S(=O)(=O)N1CCN(C)CC1",  # sildenafil
    "CN1CC(=O)N2[C@H](Cc3c([nH]c4ccccc34)[C@H]2c2ccc3OCOc3c2)C1=O",  # tadalafil
    "CC(C)NCC(O)COc1cccc2ccccc12",  # propranolol
    "CC(C)NCC(O)COc1ccc(CC(N)=O)cc1",  # atenolol
    "CC(C)(C)NC[C@H](O)c1ccc(O)c(CO)c1",  # salbutamol
    "NCCc1ccc(O)c(O)c1",  # dopamine
    "NCCc1c[nH]c2ccc(O)cc12",  # serotonin
    "CNC[C@H](O)c1ccc(O)c(O)c1",  # adrenaline
    "CNCCC(Oc1ccc(C(F)(F)F)cc1)c1ccccc1",  # fluoxetine
    "CN[C@H]1CC[C@@H](c2ccc(Cl)c(Cl)c2)c2ccccc12",  # sertraline
    "CN(C)CCCC1(c2ccc(F)cc2)OCc2cc(C#N)ccc12",  # citalopram
    "CN(C)CCC=C1c2ccccc2CCc2ccccc12",  # amitriptyline
    "CN(C)CCCN1c2ccccc2Sc2ccc(Cl)cc12",  # chlorpromazine
    "O=C(CCCN1CCC(O)(c2ccc(Cl)cc2)CC1)c1ccc(F)cc1",  # haloperidol
    "CN1CCN(C2=Nc3cc(Cl)ccc3Nc3ccccc32)CC1",  # clozapine
    "Cc1nc2n(c(=O)c1CCN1CCC(c3noc4cc(F)ccc34)CC1)CCCC2",  # risperidone
    "NC(=O)N1c2ccccc2C=Cc2ccccc21",  # carbamazepine
    "O=C1NC(=O)C(c2ccccc2)(c2ccccc2)N1",  # phenytoin
    "CCCC(CCC)C(=O)O",  # valproic acid
    "NCC1(CC(=O)O)CCCCC1",  # gabapentin
    "CN(C)C(=N)NC(N)=N",  # metformin
    "O=C1CCC(N2C(=O)c3ccccc3C2=O)C(=O)N1",  # thalidomide
    "CC(=O)C[C@@H](c1ccccc1)c1c(O)c2ccccc2oc1=O",  # warfarin
    "Clc1ccc(cc1)C(c1ccccc1)N1CCN(CCOCCO)CC1",  # hydroxyzine without its stereo
    "COc1ccc2[nH]c(nc2c1)[S@@](=O)Cc1ncc(C)c(OC)c1C",  # an omeprazole enantiomer
    "CNC(/N=C/[N+](=O)[O-])NCCSCc1ccc(CN(C)C)o1",  # close to ranitidine
    "CCOC(=O)C1=C(COCCN)NC(C)=C(C(=O)OC)C1c1ccccc1Cl",  # amlodipine
    "CCCCc1nc(Cl)c(CO)n1Cc1ccc(-c2ccccc2-c2nnn[nH]2)cc1",  # losartan
    "C[C@H](CS)C(=O)N1CCC[C@H]1C(=O)O",  # captopril
    "CCOC(=O)[C@H](CCc1ccccc1)N[C@@H](C)C(=O)N1CCC[C@H]1C(=O)O",  # enalapril
    "NS(=O)(=O)c1cc2c(cc1Cl)NCNS2(=O)=O",  # hydrochlorothiazide
    "NS(=O)(=O)c1cc(C(=O)O)c(NCc2ccco2)cc1Cl",  # furosemide
    "C[C@]12CC[C@H]3[C@@H](CCC4=CC(=O)CC[C@]34C)[C@@H]1CC[C@@H]2O",  # testosterone
    "C[C@]12CC[C@@H]3c4ccc(O)cc4CC[C@H]3[C@@H]1CC[C@@H]2O",  # oestradiol
    "C[C@@H]1C[C@H]2[C@@H]3CCC4=CC(=O)C=C[C@]4(C)[C@@]3(F)[C@@H](O)C[C@]2(C)[C@@]1(O)C(=O)CO",
    "CC(/C=C/C1=C(C)CCCC1(C)C)=C\\C=C\\C(C)=C\\C(=O)O",  # tretinoin
    "CC/C(=C(/c1ccccc1)c1ccc(OCCN(C)C)cc1)c1ccccc1",  # tamoxifen
    "Oc1ccc(/C=C/c2cc(O)cc(O)c2)cc1",  # resveratrol
    "COc1cc(/C=C/C(=O)CC(=O)/C=C/c2ccc(O)c(OC)c2)ccc1O",  # curcumin
    "Nc1ccn([C@@H]2O[C@H](CO)[C@@H](O)[C@@H]2O)c(=O)n1",  # cytidine
    "Nc1ncnc2c1ncn2[C@@H]1O[C@H](CO)[C@@H](O)[C@H]1O",  # adenosine
    "Cc1cn([C@H]2C[C@H](N=[N+]=[N-])[C@@H](CO)O2)c(=O)[nH]c1=O",  # zidovudine
    "Nc1nc2c(ncn2COCCO)c(=O)[nH]1",  # aciclovir
    "CCC(CC)O[C@@H]1C=C(C(=O)OCC)C[C@H](N)[C@H]1NC(C)=O",  # oseltamivir
    "OC(Cn1cncn1)(Cn1cncn1)c1ccc(F)cc1F",  # fluconazole
    "Cc1ncc([N+](=O)[O-])n1CCO",  # metronidazole
    "COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC",  # trimethoprim
    "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1",  # sulfamethoxazole
    "O=C(N[C@H](CO)[C@H](O)c1ccc([N+](=O)[O-])cc1)C(Cl)Cl",  # chloramphenicol
    "CC(=O)NC[C@H]1CN(c2ccc(N3CCOCC3)c(F)c2)C(=O)O1",  # linezolid
    "NNC(=O)c1ccncc1",  # isoniazid
    "CCN(CC)CCCC(C)Nc1ccnc2cc(Cl)ccc12",  # chloroquine
    "C[C@H]1CC[C@H]2[C@@H](C)C(=O)O[C@@H]3O[C@@]4(C)CC[C@@H]1[C@@]23OO4",  # artemisinin
    "CN(Cc1cnc2nc(N)nc(N)c2n1)c1ccc(C(=O)N[C@@H](CCC(=O)O)C(=O)O)cc1",  # methotrexate
    "O=c1[nH]cc(F)c(=O)[nH]1",  # fluorouracil
    "O=P1(N(CCCl)CCCl)NCCCO1",  # cyclophosphamide
    "CC(C)C[C@H](NC(=O)[C@H](Cc1ccccc1)NC(=O)c1cnccn1)B(O)O",  # bortezomib
    "N#C[C@@H]1CCCN1C(=O)CNC1(O)CCCC1",  # close to vildagliptin
    "C[C@@H](Oc1cc(cnc1N)-c1cnn(c1)C1CCNCC1)c1c(Cl)ccc(F)c1Cl",  # crizotinib
    "CCOP(=S)(OCC)Oc1ccc([N+](=O)[O-])cc1",  # parathion
    "C[N+](C)(C)CCOC(C)=O",  # acetylcholine
    "CC(=O)OCC[N+](C)(C)Cc1ccccc1",  # a benzyl choline ester
    "C[N+]1(C)CCCC(OC(=O)C(O)(c2ccccc2)c2ccccc2)C1",  # mepenzolate
    "C[n+]1cccc(C(N)=O)c1",  # N-methylnicotinamide
    "[O-][n+]1ccccc1Cc1ccccc1",  # a pyridine N-oxide
    "OC(=O)CNCP(=O)(O)O",  # glyphosate
    "NC(CC[Se]C)C(=O)O",  # selenomethionine
    "Oc1c(I)cc(cc1I)C[C@H](N)C(=O)O",  # diiodotyrosine
    "FC(F)(F)C(Cl)Br",  # halothane
    "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",  # glucose
    "OC[C@H]1O[C@H](O[C@]2(CO)O[C@H](CO)[C@@H](O)[C@@H]2O)[C@H](O)[C@@H](O)[C@@H]1O",  # sucrose
    "NC12CC3CC(CC(C3)C1)C2",  # amantadine
    "CC1(C)C2CCC1(C)C(=O)C2",  # camphor
    "C[C@]1(O)CC[C@H](CC1)C(C)(C)O",  # terpin, para stereo
)

SMALL = (
    "C", "N", "O", "CC", "C=C", "C#C", "C=O", "CO", "CS", "CN", "CF", "CCl", "CBr", "CI", "C#N",
    "O=C=O", "C=C=C", "CC(=O)C", "CC#N", "CN=[N+]=[N-]", "C[N+](=O)[O-]", "CS(C)=O", "CS(C)(=O)=O",
    "C[Si](C)(C)C", "CB(O)O", "CP(C)C", "COP(=O)(OC)OC", "C[N+](C)(C)C", "C[S+](C)C",
    "[O-][n+]1ccccc1", "c1ccccc1", "c1ccncc1", "c1ccoc1", "c1ccsc1", "c1cc[nH]c1", "c1cnc[nH]1",
    "c1cn[nH]c1", "c1cnoc1", "c1cocn1", "c1cscn1", "c1nnn[nH]1", "c1ncncn1", "c1cnccn1", "c1ccnnc1",
    "c1ccc2ccccc2c1", "c1ccc2[nH]ccc2c1", "c1ccc2ncccc2c1", "c1ccc2c(c1)ccc1ccccc12",
    "c1ccc2c(c1)[nH]c1ccccc12", "c1cc2ccc3cccc4ccc(c1)c2c34", "c1ccc(-c2ccccc2)cc1",
    "C1CC1", "C1CCC1", "C1CCCC1", "C1CCCCC1", "C1CCCCCC1", "C1CO1", "C1CN1", "C1CCOC1", "C1CCNCC1",
    "C1COCCN1", "C1CNCCN1", "C1CC2CCC1C2", "C1CC2CCC1CC2", "C1CCC2(CC1)CCCC2", "C12C3C4C1C5C2C3C45",
    "C1=CCCCC1", "C1=CC=CCC1", "O=C1CCCCC1", "O=C1CCCN1", "O=C1C=CC(=O)C=C1", "O=C1NC(=O)C=C1",
    "F/C=C/F", "F/C=C\\F", "C/C=C/C", "C/C=C\\C", "C/C=C/C=C/C", "C/C=C/C=C\\C",
    "OC(=O)/C=C/C(=O)O", "OC(=O)/C=C\\C(=O)O", "C/C(F)=C(/C)Cl", "C/C=N/O", "C/C=N\\O",
    "c1ccccc1/N=N/c1ccccc1",
    "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "C[C@H](O)[C@H](N)C(=O)O", "C[C@@H](O)[C@H](N)C(=O)O",
    "C[C@H](F)Cl", "C[C@@H](F)Cl", "OC(=O)[C@H](O)[C@H](O)C(=O)O", "OC(=O)[C@H](O)[C@@H](O)C(=O)O",
    "C[C@H]1CC[C@H](C)CC1", "C[C@H]1CC[C@@H](C)CC1", "C[C@@H]1CCCC[C@H]1O", "C[C@H]1CCCC[C@H]1O",
    "C[S@](=O)CC", "C[S@@](=O)CC", "C[P@](=O)(CC)c1ccccc1", "FC(F)(F)c1ccccc1", "FS(F)(F)(F)(F)F",
    "OC(=O)CC(O)(CC(=O)O)C(=O)O", "NC(=O)N", "NC(=N)N", "NC(=S)N", "NN", "NO", "OO", "CSSC",
    "CC(C)(C)c1cc(C)cc(C(C)(C)C)c1O", "CCCCCCCCCCCCCCCC(=O)O", "OCC(O)CO", "C(C(CO)(CO)CO)O",
    "O=[N+]([O-])c1ccc(cc1)[N+](=O)[O-]", "Nc1ccccc1S(=O)(=O)O", "O=S(=O)(O)c1ccccc1",
)  # fmt: skip

MOLECULES = DRUGS + SMALL


def key_of(smiles: str) -> int:
    """Identity key of a molecule that can be read."""
    molecule = read_smiles(smiles)
    assert isinstance(molecule, Molecule)
    return int(featurize([molecule]).keys[0])
