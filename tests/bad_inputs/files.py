"""B1 to B35: libraries as files really are, given to `molmeta predict --input`.

Where this differs from what was proposed first: a file cut short (B22) leaves nothing under its
name, and no part either; latin-1 without `--encoding` (B13) is refused and never guessed; a comment
above the header (B16) is refused, as nothing tells it from a header by its look; the command
streams what it unpacks (B24), so that a cap on its bytes is an argument of `open_table`, no flag.
"""

import gzip

import pyarrow as pa

from tests.bad_inputs.case import Case

OK, PARSE, EMPTY = "scored", "parse_error", "empty"
TWO = "id,smiles\na,CCO\nb,CCN\n"
FOUND = {"statuses": (OK, OK), "cells": ("a", "b")}


def molblock(title: str, atom: str = "C", counts: str = "  1  0") -> str:
    """One atom in V2000."""
    return (
        f"{title}\n  x\n\n{counts}  0  0  0  0  0  0  0  0999 V2000\n"
        f"    0.0000    0.0000    0.0000 {atom:<3} 0  0\nM  END\n"
    )


V3000 = """v3
  x

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 1 0 0 0 0
M  V30 BEGIN ATOM
M  V30 1 N 0 0 0 0
M  V30 END ATOM
M  V30 END CTAB
M  END
"""
SDF = "".join(
    [
        molblock("a") + "$$$$\n",
        V3000 + "$$$$\n",
        "nothing\n  x\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n$$$$\n",
        molblock("counts", counts="  x  y") + "$$$$\n",
        molblock("two") + molblock("in one") + "$$$$\n",
        molblock("cut")[:60] + "\n$$$$\n",
        molblock("element", "Zz") + "$$$$\n",
        molblock("last, without its dollars"),
    ]
)

FILES = [
    Case("B1", b"\xef\xbb\xbf" + TWO.encode(), **FOUND),
    Case("B2", TWO.replace(",", ";"), said="delimiter ';' was found", **FOUND),
    Case("B3", "y;smiles\n1,5;CCO\n2;CCN\n", statuses=(OK, OK), cells=("1,5", "2")),
    Case("B4", TWO.replace(",", "\t"), said="delimiter tab was found", **FOUND),
    Case("B5", TWO.replace("\n", "\r\n"), **FOUND),
    Case("B5", TWO.replace("\n", "\r"), **FOUND),
    Case("B6", "a,CCO\nb,CCN\n", code=3, said="--no-header"),
    Case("B6", "a,CCO\nb,CCN\n", words=("--no-header",), **FOUND),
    Case("B7", "smiles,smiles\nCCO,CCN\n", code=3, said="2 columns called 'smiles'"),
    Case("B7", "x,smiles,x\na,CCO,1\nb,CCN,2\n", **FOUND),
    Case("B8", TWO, words=("--smiles-column", "Mol"), code=3, said="columns are 'id', 'smiles'"),
    Case("B8", TWO, words=("--smiles-column", "SMILES"), code=3, said="did you mean 'smiles'"),
    Case("B9", "id,smiles\na,CCO\nb,CCN,1\nc\nd,CCF\n", said="line 3 has 3 cells",
         statuses=(OK, PARSE, PARSE, OK), cells=("a", "b", "c", "d")),
    Case("B10", "id,smiles\na,CCO,1\nb,CCN,2\n", code=3, said="every row has 3 cells"),
    Case("B11", "id,smiles\na,CC |&1:1,2|\nb,CC |&1:1,3|\n", code=3, said="must be quoted"),
    Case("B11", "id,smiles\na,CC |&1:1,2|\nb,CCN\n", said="must be quoted",
         statuses=(PARSE, OK), cells=("a", "b")),
    Case("B11", 'id,smiles\na,"C[C@H](O)F |&1:0,1|"\n', statuses=(OK,), said="racemate"),
    Case("B12", 'id,smiles\na,CCO\n"b,CCN\nc,CCC\n', code=3, said="line 3"),
    Case("B13", b"id,smiles\ncaf\xe9,CCO\n", code=3, said="byte 13 is 0xe9"),
    Case("B13", b"id,smiles\ncaf\xe9,CCO\n", words=("--encoding", "latin-1"),
         statuses=(OK,), cells=("café",)),
    Case("B13", TWO, words=("--encoding", "klingon"), code=2, said="no text encoding"),
    Case("B14", TWO.encode("utf-16"), **FOUND),
    Case("B14", TWO.encode("utf-16")[:-1], code=3, said="not utf-16"),
    Case("B15", "id,smiles\na,C\0C\nb,CCN\n", said="NUL", statuses=(PARSE, OK), cells=("a", "b")),
    Case("B16", "# made today\nid,smiles\na,CCO\n", code=3, said="comment"),
    Case("B17", "", code=3, said="no rows"),
    Case("B17", "\n\n", code=3, said="no rows"),
    Case("B18", "id,smiles\n"),
    Case("B19", "id,smiles\n\na,CCO\n\n\nb,CCN\n", said="3 blank lines were passed over", **FOUND),
    Case("B19", "CCO a\n\nCCN b\n", "l.smi", statuses=(OK, EMPTY, OK), cells=("CCO", "", "CCN")),
    Case("B20", "id,smiles\n007,CCO\n1E5,CCN\n1-Mar,CCC\nNA,CCF\n ,CCS\n",
         statuses=(OK,) * 5, cells=("007", "1E5", "1-Mar", "NA", " ")),
    Case("B21", gzip.compress(TWO.encode()), "l.csv.gz", **FOUND),
    Case("B21", gzip.compress(TWO.encode()[:12]) + gzip.compress(TWO.encode()[12:]), "l.csv.gz",
         **FOUND),
    Case("B21", pa.compress(TWO.encode(), "zstd").to_pybytes(), "l.csv.zst", **FOUND),
    Case("B22", gzip.compress(TWO.encode() * 9)[:-9], "l.csv.gz", code=3, said="cut short"),
    Case("B22", pa.compress(TWO.encode(), "zstd").to_pybytes()[:-9], "l.csv.zst", code=3,
         said="cut short"),
    Case("B23", gzip.compress(TWO.encode()), **FOUND),
    Case("B23", TWO, "l.csv.gz", **FOUND),
    Case("B26", "id,smiles\na," + "C" * 1_000_001, code=3, said="line 2 is longer"),
    Case("B27", TWO, "-", **FOUND),
    Case("B27", gzip.compress(TWO.encode()), "-", **FOUND),
    Case("B27", name=".", code=3, said="folder"),
    Case("B28", name="missing.csv", code=3, said="missing.csv cannot be read: No such file"),
    Case("B30", b"PK\x03\x04\x14\x00\x06\x00", code=3, said="Excel workbook"),
    Case("B30", b"\xd0\xcf\x11\xe0", code=3, said="old Excel workbook"),
    Case("B30", "<!DOCTYPE html><html>Log in", code=3, said="web page"),
    Case("B30", b"BZh91AY&SY", code=3, said="bzip2"),
    Case("B30", b"\xfd7zXZ\0\0", code=3, said="an xz archive"),
    Case("B31", SDF, "l.sdf", said="several molblocks",
         statuses=(OK, OK, EMPTY, PARSE, PARSE, PARSE, PARSE, OK)),
    Case("B32", molblock("") + "> <id>\n1-Mar\n\n$$$$\n" + molblock("7") + "> <id>\nx\ny\n\n$$$$\n"
         + molblock("7") + "> <id>\n\n$$$$\n", "l.sdf", statuses=(OK,) * 3),
    Case("B33", "SMILES\tName\nCCO\ta\nCCN\tb c\n", "l.smi", said="taken for a header",
         statuses=(OK, OK), cells=("CCO", "CCN")),
    Case("B33", "CCO a 5\nCCN\tb\n\tc\n", "l.smi", statuses=(OK, OK, EMPTY),
         cells=("CCO", "CCN", "")),
    Case("B35", "id,smiles\n" + "a,CCO\n" * 1000, statuses=(OK,) * 1000, cells=("a",) * 1000),
]  # fmt: skip
