"""Files to list as sources, in the working folder of a test."""

from pathlib import Path

from cryopick_ray.micrographs.sources import list_sources


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def sources(*inputs: str, project: str = ".", **options):
    return list_sources(inputs, relion_project=Path(project), **options)


def ids(*inputs: str, **options) -> list[str]:
    return [source.micrograph_id for source in sources(*inputs, **options)]
