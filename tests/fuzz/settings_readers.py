"""Readers of settings, cluster definitions and molecules."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from reader import Reader, only, text_file

from cryopick_ray.launch.check import read_crds
from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.settings.config import load_settings, read_yaml
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.suite.suite_settings import suite_settings
from cryopick_ray.training.training_settings import train_settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _example(name: str) -> Callable[[Path], object]:
    return text_file("settings.yaml", (EXAMPLES / name).read_text())


def _settings(check: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return lambda folder: repr(check(read_yaml(only(folder))))


CRD = """
kind: CustomResourceDefinition
spec:
  names: {kind: RayJob}
  versions:
  - name: v1
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}
"""
PDB = (
    "ATOM      1  CA  GLY A   1      11.104   6.134  -6.504  1.00  0.00           C\n"
    "ATOM      2  CB  ALA A   2      31.104  16.134  -6.504  1.00  0.00           C\nEND\n"
)
CIF = """data_x
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_alt_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.auth_asym_id
_atom_site.auth_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.pdbx_PDB_model_num
ATOM 1 C CA GLY A . 1 1 A 1 11.1 6.1 -6.5 1.0 1
ATOM 2 C CB ALA A . 1 2 A 2 31.1 16.1 -6.5 1.0 1
"""


def _molecule(folder: Path) -> object:
    made = load_molecule(only(folder))
    return made.mass_kDa


def _density(folder: Path) -> None:
    values = np.zeros((12, 12, 12), np.float32)
    values[4:8, 4:8, 4:8] = 1
    with mrcfile.new(folder / "d.map") as mrc:
        mrc.set_data(values)
        mrc.voxel_size = 4.0


SETTINGS: Mapping[str, Reader] = {
    "settings": Reader((_example("run.yaml"),), _settings(load_settings)),
    "simulation": Reader((_example("01_simulate.yaml"),), _settings(simulation_settings)),
    "training": Reader(
        (_example("06_train.yaml"), _example("08_across_molecules.yaml")), _settings(train_settings)
    ),
    "suite": Reader((_example("10_suite.yaml"),), _settings(suite_settings)),
    "cluster": Reader((_example("12_cluster.yaml"),), _settings(cluster_settings)),
    "definitions": Reader((text_file("crd.yaml", CRD),), lambda folder: repr(read_crds(only(folder)))),
    "molecule": Reader((_density, text_file("m.pdb", PDB), text_file("m.cif", CIF)), _molecule),
}
