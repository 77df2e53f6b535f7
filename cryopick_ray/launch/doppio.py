"""A job of doppio, CCP-EM's interface, which finds it by its entry point; only then is this imported."""

from collections.abc import Sequence
from pathlib import Path

from pipeliner.display_tools import create_results_display_object, make_particle_coords_thumb
from pipeliner.external_program_utils import ExternalProgram
from pipeliner.job_options import FileDescription, FloatJobOption, InputNodeJobOption, StringJobOption
from pipeliner.nodes import NODE_MICROGRAPHCOORDSGROUP, NODE_MICROGRAPHGROUPMETADATA
from pipeliner.pipeliner_job import PipelinerCommand, PipelinerJob
from pipeliner.results_display_objects import ResultsDisplayObject
from pipeliner.starfile_handler import StarFile

from cryopick_ray import DEFAULT_MODEL


class CryopickJob(PipelinerJob):  # type: ignore[misc]
    """Lets ``cryopick relion`` pick micrographs."""

    PROCESS_NAME = "cryopick.autopick"
    OUT_DIR = "AutoPick"
    CATEGORY_LABEL = "Automated Particle Picking"

    def __init__(self) -> None:
        super().__init__()
        self.can_continue = self.always_continue_in_schedule = True
        info = self.jobinfo
        info.display_name = "cryopick picking"
        info.short_desc = "Automated particle picking without references or labels"
        info.long_desc = (
            "A general network finds particles of molecules that it was never shown, and their diameter "
            "where it is not given."
        )
        info.programs = [ExternalProgram("cryopick", vers_com=["cryopick", "--version"])]
        info.documentation = "https://github.com/cryopick-ray/cryopick-ray"
        self.joboptions["input_file"] = InputNodeJobOption(
            label="Input micrographs file:",
            node_type=NODE_MICROGRAPHGROUPMETADATA,
            node_kwds=["relion"],
            pattern=FileDescription("Input micrographs", [".star"]),
            help_text="STAR file of the micrographs to pick, best with CTF information.",
            is_required=True,
        )
        self.joboptions["diameter"] = FloatJobOption(
            label="Particle diameter (A):",
            hard_min=1.0,
            suggested_max=1000.0,
            help_text="Longest dimension of the particle; estimated from the micrographs if left blank.",
            in_continue=True,
        )
        self.joboptions["model"] = StringJobOption(
            label="Model:",
            default_value=DEFAULT_MODEL,
            help_text="A name that `cryopick models list` knows, or a file of weights.",
            is_required=True,
        )
        self.joboptions["threshold"] = StringJobOption(
            label="Threshold:",
            default_value="auto",
            help_text="Score from which a candidate is picked; auto: as the model says.",
            in_continue=True,
            is_required=True,
        )
        self.joboptions["precision"] = FloatJobOption(
            label="OR: precision:",
            hard_min=0.0,
            hard_max=1.0,
            help_text="Pick as low as this share of the picks are particles; threshold must be auto.",
            in_continue=True,
        )
        self.joboptions["expect"] = FloatJobOption(
            label="OR: particles per micrograph:",
            hard_min=0.0,
            help_text="Pick so many in the mean; threshold must be auto.",
            in_continue=True,
        )
        self.get_runtab_options(threads=True, addtl_args=True)

    def create_output_nodes(self) -> None:
        """Say that the job makes lists of coordinates, which RELION's Extract takes."""
        self.add_output_node("autopick.star", NODE_MICROGRAPHCOORDSGROUP, ["relion", "autopick"])

    def get_commands(self) -> list[PipelinerCommand]:
        """Return the command, run in the project's folder."""
        command = ["cryopick", "relion", "--o", self.output_dir]
        options = {
            "--in_mics": "input_file",
            "--diameter": "diameter",
            "--model": "model",
            "--threshold": "threshold",
            "--precision": "precision",
            "--expect": "expect",
            "--j": "nr_threads",
        }
        for option, name in options.items():
            if not self.joboptions[name].is_blank:
                command += [option, self.joboptions[name].get_string()]
        return [PipelinerCommand([*command, *self.parse_additional_args()])]

    def create_results_display(self) -> Sequence[ResultsDisplayObject]:
        """Show the picks of a micrograph, and how many there are in each."""
        listed, summary = (str(Path(self.output_dir, name)) for name in ("autopick.star", "summary.star"))
        columns = ["_rlnMicrographName", "_rlnMicrographCoordinates"]
        micrograph, coordinates = StarFile(listed).get_block("coordinate_files").find(columns)[0]
        counts = [
            int(row[0]) for row in StarFile(summary).get_block("summary").find(["_rlnGroupNrParticles"])
        ]
        return [
            make_particle_coords_thumb(micrograph, coordinates, self.output_dir),
            create_results_display_object(
                "histogram",
                title=f"{sum(counts)} picked particles",
                data_to_bin=counts,
                xlabel="Number of particles",
                ylabel="Micrographs",
                associated_data=[listed],
            ),
        ]
