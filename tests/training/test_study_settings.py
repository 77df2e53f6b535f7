import csv
import io
from pathlib import Path

import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.score import Score
from cryopick_ray.settings.config import read_yaml, to_yaml
from cryopick_ray.training.results import Finished, ResultLine
from cryopick_ray.training.study import StudyFolder, study_settings
from cryopick_ray.training.study_table import StudyRow, to_csv, to_markdown

COMMON = {
    "folds": "families",
    "general": True,
    "epochs": 3,
    "options": {"particle_px": 20},
    "simulated": [{"molecules": ["ring", "rubisco"]}],
}
STUDY = COMMON | {"networks": {"heatmap": {"options": {"base": 8}}, "topaz": {"epochs": 5}, "deepem": None}}


def test_each_network_has_what_is_said_for_all_and_its_own_over_it():
    networks = study_settings(STUDY).networks
    assert {name: (network.network, network.epochs) for name, network in networks.items()} == {
        "heatmap": ("heatmap", 3), "topaz": ("topaz", 5), "deepem": ("deepem", 3),
    }  # fmt: skip
    assert networks["heatmap"].options == {"particle_px": 20, "base": 8}
    assert networks["topaz"].options == {"particle_px": 20}
    assert all(network.general and network.folds == "families" for network in networks.values())


def test_a_study_survives_its_file(tmp_path):
    settings = study_settings(STUDY)
    (tmp_path / "config.yaml").write_text(to_yaml(settings))
    assert study_settings(read_yaml(tmp_path / "config.yaml")) == settings


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"networks": {}}, "networks is {}"),
        ({"networks": ["heatmap"]}, r"networks is \['heatmap'\]; expected .* by its name"),
        ({"networks": {"unet": {}}}, r"networks\.unet: .*no network 'unet'"),
        ({"networks": {"topaz": {"epochs": 0}}}, r"networks\.topaz: epochs is 0"),
        ({"networks": {"topaz": {"network": "deepem"}}}, r"networks\.topaz has the network 'deepem'"),
        ({"network": "heatmap"}, "network is 'heatmap' beside networks"),
        ({"epoch": 3}, r"networks\.heatmap: epoch is not a setting"),
    ],
)
def test_what_is_wrong_is_named_with_its_network(change, said):
    with pytest.raises(UsageError, match=said):
        study_settings(STUDY | change)


def test_networks_may_come_and_go_but_none_may_learn_otherwise(tmp_path):
    folder = StudyFolder(tmp_path / "out")
    with folder.claim(study_settings(STUDY), resume=False):
        (folder.path / "heatmap" / "checkpoints").mkdir(parents=True)
        (folder.path / "heatmap" / "checkpoints" / "checkpoint.pt").touch()
    others = STUDY | {"networks": {"heatmap": {"options": {"base": 8}}, "cryolo": {}}}
    with folder.claim(study_settings(others | {"epochs": 9}), resume=True):
        pass
    with (
        pytest.raises(UsageError, match=r"networks\.cryolo\.seed: 0 -> 1"),
        folder.claim(study_settings(others | {"seed": 1}), resume=True),
    ):
        pass


def finished(part, f1):
    score = Score(50, 40, 40, 30, 0.75, f1, f1, f1 + 0.05, 0.3, f1 - 0.1, 0.08, 1.0)
    return Finished(part, "m.safetensors", (), ResultLine(part, "", 4, score), 12.34)


ROWS = [
    StudyRow.of("heatmap", finished("without-rings", 0.8)),
    StudyRow.of("heatmap", finished("without-capsids", 0.4)),
    StudyRow.of("topaz", finished("without-rings", 0.5)),
]


def test_the_table_has_a_line_of_each_part_left_out_and_the_means():
    lines = to_markdown(ROWS).split("\n\n")[1].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["left out", "heatmap", "topaz"]
    assert set(cells[1]) == {"---"}
    assert len(cells[1]) == 3
    assert cells[2] == ["rings", "0.800 / 0.850 / 0.700", "0.500 / 0.550 / 0.400"]
    assert cells[3] == ["capsids", "0.400 / 0.450 / 0.300", "-"]
    assert cells[4] == ["mean", "0.600 / 0.650 / 0.500", "0.500 / 0.550 / 0.400"]


def test_a_spreadsheet_has_a_line_of_each_training():
    rows = list(csv.DictReader(io.StringIO(to_csv(ROWS))))
    assert [(row["network"], row["left_out"]) for row in rows] == [
        ("heatmap", "rings"), ("heatmap", "capsids"), ("topaz", "rings"),
    ]  # fmt: skip
    numbers = [float(rows[1][name]) for name in ("f1", "best_f1", "auprc")]
    assert numbers == pytest.approx([0.4, 0.45, 0.3])
    assert (rows[0]["particles"], rows[0]["training_s"], rows[0]["centring_error"]) == ("40", "12.3", "0.08")


def test_what_nothing_tested_is_a_line_without_numbers():
    row = StudyRow.of("topaz", Finished("", str(Path("m.safetensors")), (), None, 1.0))
    (line,) = csv.DictReader(io.StringIO(to_csv([row])))
    assert (line["left_out"], line["micrographs"], line["f1"]) == ("", "0", "")
    assert "| - |" in to_markdown([row])
