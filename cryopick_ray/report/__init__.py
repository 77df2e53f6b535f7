"""A run as a person looks at it: one page, with the pictures and the curves on it."""
