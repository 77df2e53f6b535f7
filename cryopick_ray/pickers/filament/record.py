"""What the filament network is."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="filament",
    network="cryopick_ray.pickers.filament.networks:FilamentNetwork",
    picker="cryopick_ray.pickers.filament.picker:FilamentPicker",
    parameters=frozenset({"base"}),
    training=TrainingDefaults(
        "cryopick_ray.training.recipes.filament:FilamentRecipe",
        epochs=16,
        steps=50,
        whole_image=True,
        filaments=True,
    ),
)
