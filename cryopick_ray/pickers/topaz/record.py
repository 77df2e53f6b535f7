"""What Topaz's networks are."""

from cryopick_ray.pickers.record import Network, Recipe

RECORD = Network(
    name="topaz",
    network="cryopick_ray.pickers.topaz.networks:TopazNetwork",
    picker="cryopick_ray.pickers.topaz.picker:TopazPicker",
    parameters=frozenset({"units"}),
    recipe=Recipe("cryopick_ray.training.recipes.topaz:TopazLesson", epochs=10, steps=100, share="pi"),
)
