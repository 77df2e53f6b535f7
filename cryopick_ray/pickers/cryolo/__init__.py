"""crYOLO (Wagner et al. 2019): one pass over a micrograph, one box a grid cell."""
