"""What a worker does with a unit, and how one stage of a run is put to an engine."""
