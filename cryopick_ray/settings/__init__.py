"""What people may set: frozen, typed, saved beside the output; each setting stands once."""
