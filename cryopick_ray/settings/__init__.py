"""Settings: frozen, typed, saved beside the output; each is defined once."""
