"""One recipe per network: the examples it is shown, its loss, its optimiser, as its paper has them."""
