"""What DeepEM's networks are."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="deepem",
    network="cryopick_ray.pickers.deepem.networks:DeepEMNetwork",
    picker="cryopick_ray.pickers.deepem.picker:DeepEMPicker",
    parameters=frozenset({"box_px", "relu"}),
    training=TrainingDefaults("cryopick_ray.training.recipes.deepem:DeepEMRecipe", epochs=20, steps=75),
)
