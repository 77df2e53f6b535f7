"""What a run will cost, before it starts: rates of a few micrographs, times their number."""
