"""A local web page to inspect, judge and correct the picks of a data set."""
