"""Movies to aligned, dose-weighted averages: readers, gain and defects, alignment, dose, average."""
