"""What DeepPicker's network is."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="deeppicker",
    network="cryopick_ray.pickers.deeppicker.networks:DeepPickerNetwork",
    picker="cryopick_ray.pickers.deeppicker.picker:DeepPickerPicker",
    parameters=frozenset({"hidden"}),
    training=TrainingDefaults(
        "cryopick_ray.training.recipes.deeppicker:DeepPickerRecipe", epochs=20, steps=50
    ),
)
