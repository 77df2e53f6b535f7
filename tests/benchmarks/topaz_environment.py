"""Set up Topaz in an environment of its own, and print its program and its folder of weights."""

import subprocess
import venv
from pathlib import Path
from typing import Annotated

import typer

TOPAZ = ("topaz-em==0.3.20", "torchvision")  # without what they depend on: that would bring another torch
NEEDED = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "pillow",
    "tqdm",
    "h5py",
    "mrcfile",
    "future",
    "psutil",
)
REGISTERS_GPU_OPERATORS = "    _meta_registrations,\n"


def main(
    folder: Annotated[Path, typer.Argument(help="Where the environment is to lie.")],
    torch: Annotated[str, typer.Option(help="Which torch.")] = "torch==2.13.0",
) -> None:
    """Make the environment, unless it is there."""
    program = folder / "bin" / "topaz"
    if not program.exists():
        venv.create(folder, with_pip=True)
        _install(folder, torch, *NEEDED)
        _install(folder, "--no-deps", *TOPAZ)
        _forget_gpu_operators(folder)
    (weights,) = folder.glob("lib/python3*/site-packages/topaz/pretrained/detector")
    typer.echo(f"--topaz {program.absolute()} --weights {weights.absolute()}")


def _install(folder: Path, *packages: str) -> None:
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages], check=True)


def _forget_gpu_operators(folder: Path) -> None:
    """Let torchvision be imported beside a torch without CUDA; Topaz needs only its image functions."""
    for path in folder.glob("lib/python3*/site-packages/torchvision/__init__.py"):
        path.write_text(path.read_text().replace(REGISTERS_GPU_OPERATORS, ""))


if __name__ == "__main__":
    typer.run(main)
