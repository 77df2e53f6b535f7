"""Images to candidates: the pickers, the peaks they report and the weights they load."""
