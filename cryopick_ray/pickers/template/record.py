"""What templates are: a network of fixed kernels, made of a map and never taught."""

from cryopick_ray.pickers.record import Network

RECORD = Network(
    name="template",
    network="cryopick_ray.pickers.template.templates:Templates",
    picker="cryopick_ray.pickers.template.picker:TemplatePicker",
    parameters=frozenset({"count", "box_px"}),
)
