"""The filament picker: a network that sees ridges and their directions, and traces through them."""
