"""A small SQLite database with the schema of ChEMBL, as far as a recipe could look at it."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE version (
    name VARCHAR(20) NOT NULL PRIMARY KEY, creation_date DATETIME, comments VARCHAR(2000));
CREATE TABLE docs (
    doc_id BIGINT NOT NULL PRIMARY KEY, journal VARCHAR(50), year INTEGER,
    chembl_id VARCHAR(20) NOT NULL UNIQUE, doc_type VARCHAR(50) NOT NULL);
CREATE TABLE molecule_dictionary (
    molregno BIGINT NOT NULL PRIMARY KEY, pref_name VARCHAR(255),
    chembl_id VARCHAR(20) NOT NULL UNIQUE, structure_type VARCHAR(10) NOT NULL);
CREATE TABLE compound_structures (
    molregno BIGINT NOT NULL PRIMARY KEY REFERENCES molecule_dictionary (molregno),
    molfile TEXT, standard_inchi VARCHAR(4000), standard_inchi_key VARCHAR(27) NOT NULL,
    canonical_smiles VARCHAR(4000));
CREATE TABLE target_dictionary (
    tid BIGINT NOT NULL PRIMARY KEY, target_type VARCHAR(30), pref_name VARCHAR(200) NOT NULL,
    tax_id BIGINT, organism VARCHAR(150), chembl_id VARCHAR(20) NOT NULL UNIQUE,
    species_group_flag SMALLINT NOT NULL);
CREATE TABLE component_sequences (
    component_id BIGINT NOT NULL PRIMARY KEY, component_type VARCHAR(50), accession VARCHAR(25));
CREATE TABLE target_components (
    tid BIGINT NOT NULL REFERENCES target_dictionary (tid),
    component_id BIGINT NOT NULL REFERENCES component_sequences (component_id),
    targcomp_id BIGINT NOT NULL PRIMARY KEY, homologue SMALLINT NOT NULL,
    UNIQUE (tid, component_id));
CREATE TABLE protein_classification (
    protein_class_id BIGINT NOT NULL PRIMARY KEY, parent_id BIGINT, pref_name VARCHAR(500),
    short_name VARCHAR(50), protein_class_desc VARCHAR(410) NOT NULL, definition VARCHAR(4000),
    class_level BIGINT NOT NULL);
CREATE TABLE component_class (
    component_id BIGINT NOT NULL REFERENCES component_sequences (component_id),
    protein_class_id BIGINT NOT NULL REFERENCES protein_classification (protein_class_id),
    comp_class_id BIGINT NOT NULL PRIMARY KEY, UNIQUE (component_id, protein_class_id));
CREATE TABLE assays (
    assay_id BIGINT NOT NULL PRIMARY KEY, doc_id BIGINT NOT NULL REFERENCES docs (doc_id),
    description VARCHAR(4000), assay_type VARCHAR(1), assay_organism VARCHAR(250),
    tid BIGINT REFERENCES target_dictionary (tid), relationship_type VARCHAR(1),
    confidence_score SMALLINT, src_id INTEGER NOT NULL, chembl_id VARCHAR(20) NOT NULL UNIQUE);
CREATE TABLE activities (
    activity_id BIGINT NOT NULL PRIMARY KEY,
    assay_id BIGINT NOT NULL REFERENCES assays (assay_id), doc_id BIGINT, record_id BIGINT NOT NULL,
    molregno BIGINT REFERENCES molecule_dictionary (molregno),
    standard_relation VARCHAR(50)
        CHECK (standard_relation IN ('>', '<', '=', '~', '<=', '>=', '<<', '>>')),
    standard_value NUMERIC, standard_units VARCHAR(100), standard_flag SMALLINT,
    standard_type VARCHAR(250), activity_comment VARCHAR(4000), data_validity_comment VARCHAR(30),
    potential_duplicate SMALLINT CHECK (potential_duplicate IN (0, 1)), pchembl_value NUMERIC(4, 2),
    bao_endpoint VARCHAR(11), type VARCHAR(250) NOT NULL, relation VARCHAR(50), value NUMERIC,
    units VARCHAR(100));
CREATE INDEX fk_act_assay_id ON activities (assay_id);
CREATE UNIQUE INDEX idx_assays_chembl_id ON assays (chembl_id);
"""

KINASE, GPCR, CELL = 1, 2, 3
"""`tid` of the targets."""

TARGETS = """
INSERT INTO version VALUES ('BAO_2.1', NULL, NULL), ('ChEMBL_99', '2031-05-04 00:00:00', NULL);
INSERT INTO docs VALUES (1, 'J Med Chem', 2020, 'CHEMBL9000', 'PUBLICATION');
INSERT INTO target_dictionary VALUES
    (1, 'SINGLE PROTEIN', 'Tyrosine-protein kinase X', 9606, 'Homo sapiens', 'CHEMBL501', 0),
    (2, 'SINGLE PROTEIN', 'Receptor Y', 9606, 'Homo sapiens', 'CHEMBL502', 0),
    (3, 'CELL-LINE', 'HeLa', 9606, 'Homo sapiens', 'CHEMBL503', 0);
INSERT INTO component_sequences VALUES (11, 'PROTEIN', 'P1'), (12, 'PROTEIN', 'P2');
INSERT INTO target_components VALUES (1, 11, 1, 0), (2, 12, 2, 0);
INSERT INTO protein_classification VALUES
    (0, NULL, 'Protein class', 'Protein class', 'protein class', NULL, 0),
    (1, 0, 'Enzyme', 'Enzyme', 'enzyme', NULL, 1),
    (2, 1, 'Kinase', 'Kinase', 'enzyme  kinase', NULL, 2),
    (3, 0, 'Membrane receptor', 'Membrane receptor', 'membrane receptor', NULL, 1);
INSERT INTO component_class VALUES (11, 1, 1), (11, 2, 2), (12, 3, 3);
"""


@dataclass
class Database:
    """Rows to be written, each call one row with what a plain one has for the rest."""

    molecules: dict[str | None, int] = field(default_factory=dict)
    assays: list[tuple[Any, ...]] = field(default_factory=list)
    activities: list[tuple[Any, ...]] = field(default_factory=list)

    def assay(self, chembl_id: str, tid: int | None = GPCR, confidence: int = 9) -> int:
        """A binding assay; gives its `assay_id`, which runs against its `chembl_id`."""
        self.assays.append((1000 - len(self.assays), chembl_id, "B", tid, confidence))
        return 1000 - len(self.assays) + 1

    def measure(
        self,
        assay_id: int,
        smiles: str | None,
        value: object,
        *,
        type: str | None = "IC50",
        relation: str | None = "=",
        unit: str | None = "nM",
        validity: str | None = None,
        duplicate: int = 0,
    ) -> None:
        """One activity."""
        molregno = self.molecules.setdefault(smiles, len(self.molecules) + 1)
        self.activities.append(
            (assay_id, molregno, type, relation, value, unit, validity, duplicate)
        )

    def write(self, path: Path) -> Path:
        """Make the file."""
        connection = sqlite3.connect(path)
        connection.executescript(SCHEMA + TARGETS)
        for smiles, molregno in self.molecules.items():
            connection.execute(
                "INSERT INTO molecule_dictionary VALUES (?, NULL, ?, 'MOL')",
                (molregno, f"CHEMBL{molregno}"),
            )
            if smiles is not None:
                connection.execute(
                    "INSERT INTO compound_structures VALUES (?, NULL, NULL, ?, ?)",
                    (molregno, f"KEY{molregno}", smiles),
                )
        for assay_id, chembl_id, type_, tid, confidence in self.assays:
            connection.execute(
                "INSERT INTO assays VALUES (?, 1, NULL, ?, NULL, ?, 'D', ?, 1, ?)",
                (assay_id, type_, tid, confidence, chembl_id),
            )
        connection.executemany(
            "INSERT INTO activities (activity_id, assay_id, record_id, molregno, standard_type,"
            " standard_relation, standard_value, standard_units, data_validity_comment,"
            " potential_duplicate, type) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, 'IC50')",
            [(number, *row) for number, row in enumerate(self.activities, start=1)],
        )
        connection.commit()
        connection.close()
        return path
