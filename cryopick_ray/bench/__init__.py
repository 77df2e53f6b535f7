"""Where the time of one micrograph goes on this machine, and how much of that the hardware asks for."""
