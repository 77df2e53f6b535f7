"""What crYOLO's network is."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="cryolo",
    network="cryopick_ray.pickers.cryolo.networks:CryoloNetwork",
    picker="cryopick_ray.pickers.cryolo.picker:CryoloPicker",
    parameters=frozenset({"width"}),
    training=TrainingDefaults(
        "cryopick_ray.training.recipes.cryolo:CryoloRecipe",
        epochs=20,
        steps=50,
        whole_image=True,
        own_greys="own_greys",
    ),
)
