"""A run as a whole: its folder, what it does, what it leaves, what it costs."""
