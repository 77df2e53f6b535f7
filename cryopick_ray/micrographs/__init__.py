"""Files to arrays: where micrographs lie, how they are read, and what is done to their pixels."""
