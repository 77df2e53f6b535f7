"""A run on a cluster: what is rendered for clouds, Kubernetes and SLURM, and jobs on Ray that is there."""
