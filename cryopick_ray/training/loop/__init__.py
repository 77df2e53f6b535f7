"""The training loop, its checkpoints, and the workers that it runs on."""
