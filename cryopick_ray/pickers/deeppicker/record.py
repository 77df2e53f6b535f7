"""What DeepPicker's network is."""

from cryopick_ray.pickers.record import Network, Recipe

RECORD = Network(
    name="deeppicker",
    network="cryopick_ray.pickers.deeppicker.networks:DeepPickerNetwork",
    picker="cryopick_ray.pickers.deeppicker.picker:DeepPickerPicker",
    parameters=frozenset({"hidden"}),
    recipe=Recipe("cryopick_ray.training.recipes.deeppicker:DeepPickerLesson", epochs=20, steps=50),
)
