"""A valid configuration of each kind."""

RUN = {"inputs": ["s3://bucket/micrographs"], "diameter_A": 150, "model": "log"}
GROWING = {"name": "picks", "image": "registry.example.org/cryopick:1", "max_nodes": 3, "run": RUN}
CONFIGS = {
    "aws": GROWING
    | {
        "kind": "aws",
        "region": "eu-central-1",
        "instance_type": "g6.2xlarge",
        "image_id": "ami-0123456789abcdef0",
        "out": "s3://bucket/out",
    },
    "gcp": GROWING
    | {
        "kind": "gcp",
        "project": "our-project",
        "region": "europe-west4",
        "zone": "europe-west4-a",
        "machine_type": "n1-standard-8",
        "gpu_type": "nvidia-tesla-t4",
        "source_image": "projects/our-images/global/images/family/docker-and-driver",
        "worker_account": "worker@our-project.iam.gserviceaccount.com",
        "out": "gs://bucket/out",
    },
    "kuberay": GROWING
    | {
        "kind": "kuberay",
        "namespace": "cryoem",
        "node_selector": {"cloud.google.com/gke-spot": "true"},
        "volume_claim": "microscope",
        "out": "/data/out",
    },
    "slurm": {
        "kind": "slurm",
        "name": "picks",
        "nodes": 3,
        "partition": "gpu",
        "venv": "/opt/it's here",
        "shared_dir": "/shared/jobs",
        "out": "/shared/out",
        "run": RUN,
    },
}
