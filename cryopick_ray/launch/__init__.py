"""Runs on clusters: rendered files for clouds, Kubernetes and SLURM, and jobs on a Ray cluster."""
