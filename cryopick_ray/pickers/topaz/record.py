"""What Topaz's networks are."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="topaz",
    network="cryopick_ray.pickers.topaz.networks:TopazNetwork",
    picker="cryopick_ray.pickers.topaz.picker:TopazPicker",
    parameters=frozenset({"units"}),
    training=TrainingDefaults(
        "cryopick_ray.training.recipes.topaz:TopazRecipe", epochs=10, steps=100, share="pi"
    ),
)
