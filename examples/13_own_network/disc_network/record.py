"""What the network is: all that cryopick-ray asks first, so nothing heavy is imported here."""

from cryopick_ray.pickers.record import Network, TrainingDefaults

RECORD = Network(
    name="disc",
    network="disc_network.picker:DiscNetwork",
    picker="disc_network.picker:DiscPicker",
    parameters=frozenset({"kernels"}),
    training=TrainingDefaults("disc_network.recipe:DiscRecipe", epochs=5, steps=40),
)
