"""What the heat-map network is."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="heatmap",
    network="cryopick_ray.pickers.heatmap.networks:HeatmapNetwork",
    picker="cryopick_ray.pickers.heatmap.picker:HeatmapPicker",
    parameters=frozenset({"base"}),
    optional=frozenset({"answers"}),
    training=TrainingDefaults(
        "cryopick_ray.training.recipes.heatmap:HeatmapRecipe", epochs=16, steps=50, whole_image=True
    ),
)
