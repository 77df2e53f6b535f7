"""What ``cryopick cluster`` is told: where to run, on what, and the run itself."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import checked
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings

# Rust's regular expressions: $ is the end of the text, a line break before it is refused.
Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,45}[a-z0-9])?$")]
"""A DNS label (RFC 1035), as short as KubeRay wants a RayJob's."""
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Image = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,254}$")]
LabelKey = Annotated[
    str, Field(pattern=r"^([a-z0-9][a-z0-9.-]{0,251}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
SharedPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./+@=-]{0,1000}$")]
Count = Annotated[int, Field(ge=0, le=10_000)]
Positive = Annotated[int, Field(ge=1, le=10_000)]

PLACE = re.compile(r"(/|(s3|gs)://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/|$))")
INPUT = re.compile(r"(/|s3://|gs://|https?://|empiar:)")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{brief(text)} holds characters that cannot be printed")
    return text


def _place(text: str) -> str:
    if not PLACE.match(_printable(text)):
        raise ValueError(f"{brief(text)} is neither s3://BUCKET/..., gs://BUCKET/... nor a full path")
    return text


Place = Annotated[str, AfterValidator(_place)]


class ClusterSettings(Settings):
    """What all kinds of clusters have in common.

    Attributes
    ----------
    places
        How ``out`` may begin.
    kind
        ``aws``, ``gcp``, ``kuberay`` or ``slurm``.
    name
        Of the cluster and of its jobs.
    out
        Folder of the run, as all nodes see it: a bucket's URL or a full path.
    run
        Settings of ``cryopick run``. Inputs are URLs or full paths; so is a model that is a file.
    engine
        Its workers, device and GPUs of a worker, where they are not what the nodes have room for.
    cpus_per_node, gpus_per_node
        Of a node that works; the head takes no work.
    """

    places: ClassVar[tuple[str, ...]] = ("s3://", "gs://", "/")
    kind: str
    name: Name
    out: Place
    run: RunSettings
    engine: EngineSettings = EngineSettings()
    cpus_per_node: Positive = 8
    gpus_per_node: Annotated[int, Field(ge=0, le=16)] = 1

    @model_validator(mode="after")
    def _seen_from_every_node(self) -> Self:
        if not self.out.startswith(self.places):
            raise ValueError(f"out is {brief(self.out)}; expected one of {', '.join(self.places)}")
        for text in self.run.inputs:
            if not INPUT.match(_printable(text)):
                raise ValueError(f"run.inputs: {brief(text)} is neither a URL nor a full path")
            if text.startswith("empiar:") and "://" in self.out:
                raise ValueError(
                    f"run.inputs: {brief(text)} is fetched to a folder that all nodes see, and out is a "
                    "bucket; copy the entry to the bucket and give its URL"
                )
        model = _printable(self.run.model)
        if model.endswith((".safetensors", ".sav")) and not model.startswith("/"):
            raise ValueError(f"run.model: {brief(model)} is no full path")
        project = self.run.relion_project
        if project is not None and not _printable(str(project)).startswith("/"):
            raise ValueError(f"run.relion_project: {brief(str(project))} is no full path")
        if self.engine.engine != "ray" or self.engine.address is not None:
            raise ValueError("engine: a cluster's is ray, and its address is known; leave them out")
        return self

    @property
    def elastic_workers(self) -> int | None:
        """Return how many actors the largest cluster has room for; ``None`` if the cluster is as it is."""
        return None


class ElasticSettings(ClusterSettings):
    """A cluster that grows and shrinks with the work.

    Attributes
    ----------
    image
        Container image made from ``cluster/Containerfile``.
    min_nodes, max_nodes
        Nodes that work; those beyond the least are there only while there is work for them.
    """

    image: Image
    min_nodes: Count = 0
    max_nodes: Positive = 4

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes {self.min_nodes} is above max_nodes {self.max_nodes}")
        return self

    @property
    def elastic_workers(self) -> int:
        """Return how many actors the largest cluster has room for."""
        if self.gpus_per_node:
            return int(self.max_nodes * self.gpus_per_node / self.engine.gpus_per_worker)
        return max(1, self.max_nodes * (self.cpus_per_node // self.run.threads))


class AwsSettings(ElasticSettings):
    """Amazon EC2: an on-demand head, spot workers.

    Attributes
    ----------
    region
        Such as eu-central-1.
    instance_type, head_instance_type
        Of the workers and the head.
    image_id
        Machine image with Docker and, for GPUs, NVIDIA's driver and container toolkit: ami-...
    worker_profile, head_profile
        Instance profiles: workers may use the bucket; the head may also start and end instances.
    """

    places: ClassVar[tuple[str, ...]] = ("s3://",)
    kind: Literal["aws"]
    region: Word
    instance_type: Word
    head_instance_type: Word = "m6i.xlarge"
    image_id: Annotated[str, Field(pattern=r"^ami-[0-9a-f]{8,17}$")]
    worker_profile: Word = "cryopick-worker"
    head_profile: Word = "cryopick-head"


class GcpSettings(ElasticSettings):
    """Google Compute Engine: an on-demand head, spot workers.

    Attributes
    ----------
    project, region, zone
        Where.
    machine_type, head_machine_type
        Of the workers and the head.
    gpu_type
        Accelerator to attach, such as nvidia-tesla-t4; ``None`` where the machine type has its own.
    source_image
        Machine image with Docker and, for GPUs, NVIDIA's driver and container toolkit:
        projects/PROJECT/global/images/family/FAMILY
    worker_account
        E-mail of the workers' service account, which may use the bucket.
    """

    places: ClassVar[tuple[str, ...]] = ("gs://",)
    kind: Literal["gcp"]
    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    region: Label
    zone: Label
    machine_type: Word
    head_machine_type: Word = "n2-standard-4"
    gpu_type: Label | None = None
    source_image: Annotated[
        str, Field(pattern=r"^projects/[a-z0-9-]{1,63}/global/images/(family/)?[a-z0-9-]{1,63}$")
    ]
    worker_account: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}@[a-z0-9.-]{1,200}$")]


class KuberaySettings(ElasticSettings):
    """Kubernetes with the KubeRay operator.

    Attributes
    ----------
    namespace
        Of everything.
    token_secret
        Secret whose key auth_token holds the cluster's token.
    service_account
        Of the pods: through it they may use the bucket.
    node_selector
        Labels of the nodes that workers go to; taints of the same names are tolerated, as is NVIDIA's.
    memory_GB
        Of a worker.
    volume_claim
        Volume to mount at /data in all pods, where inputs or ``out`` are paths.
    """

    kind: Literal["kuberay"]
    namespace: Label = "default"
    token_secret: Label = "cryopick-token"  # a Secret's name, no secret
    service_account: Label = "default"
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    memory_GB: Positive = 16
    volume_claim: Label | None = None


class SlurmSettings(ClusterSettings):
    """A SLURM partition.

    Attributes
    ----------
    nodes
        How many, each with the CPUs and GPUs stated.
    partition, account, gpu_type, memory_GB
        ``None`` for the site's defaults.
    time_limit
        HH:MM:SS or D-HH:MM:SS.
    venv
        Full path of the environment that cryopick-ray is installed in.
    shared_dir
        Folder for logs that all nodes see.
    """

    kind: Literal["slurm"]
    nodes: Positive
    partition: Word | None = None
    account: Word | None = None
    gpu_type: Word | None = None
    memory_GB: Positive | None = None
    time_limit: Annotated[str, Field(pattern=r"^([0-9]{1,3}-)?[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]$")] = (
        "24:00:00"
    )
    venv: Annotated[str, Field(pattern=r"^/"), AfterValidator(_printable)]
    shared_dir: SharedPath

    @property
    def log(self) -> Path:
        """The file that the job's script names."""
        return Path(self.shared_dir) / f"{self.name}.log"


KINDS: dict[str, type[ClusterSettings]] = {
    "aws": AwsSettings,
    "gcp": GcpSettings,
    "kuberay": KuberaySettings,
    "slurm": SlurmSettings,
}


def cluster_settings(data: dict[str, Any]) -> ClusterSettings:
    """Check plain data of a cluster.

    Raises
    ------
    UsageError
        Naming every wrong value.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"kind is {brief(kind)}; expected one of {', '.join(KINDS)}")
    return checked(KINDS[kind], data, of="cluster")
