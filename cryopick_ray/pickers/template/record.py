"""The record of templates: a network of fixed kernels, projected from a map and never trained."""

from cryopick_ray.pickers.record import Network

RECORD = Network(
    name="template",
    network="cryopick_ray.pickers.template.templates:Templates",
    picker="cryopick_ray.pickers.template.picker:TemplatePicker",
    parameters=frozenset({"count", "box_px"}),
)
