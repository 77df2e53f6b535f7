"""``cryopick view``: a local web page to inspect, judge and correct picks."""
