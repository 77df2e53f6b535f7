"""The models that come with the package, from their cards."""

from cryopick_ray.pickers.catalogue import listed_models, summarise
from generate.markdown import code, page, table


def model_pages() -> dict[str, str]:
    """Return the page of models, by its file name."""
    found = listed_models()
    listed = table(["model", ""], ([f"[{name}](#{_anchor(name)})", text] for name, text in found.items()))
    text = "Models that come with the package, as `cryopick models show NAME` tells them."
    return {"models.md": page("Models", text, listed, *map(_section, found))}


def _section(name: str) -> str:
    rows = [[fact, value.replace("\n", "; ")] for fact, value in summarise(name) if fact != "name"]
    return f"({_anchor(name)})=\n## {code(name)}\n\n{table(['', ''], rows)}"


def _anchor(name: str) -> str:
    return f"model-{name}"
