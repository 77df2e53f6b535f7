"""What crYOLO's network is."""

from cryopick_ray.pickers.record import Network, Recipe

RECORD = Network(
    name="cryolo",
    network="cryopick_ray.pickers.cryolo.networks:CryoloNetwork",
    picker="cryopick_ray.pickers.cryolo.picker:CryoloPicker",
    parameters=frozenset({"width"}),
    recipe=Recipe(
        "cryopick_ray.training.recipes.cryolo:CryoloLesson",
        epochs=20,
        steps=50,
        whole_image=True,
        own_greys="own_greys",
    ),
)
