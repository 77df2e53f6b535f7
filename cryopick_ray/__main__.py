"""``python -m cryopick_ray``: the command line."""

from cryopick_ray.cli.main import app

app(prog_name="cryopick")
