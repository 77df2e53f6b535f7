"""What the microscope's programs write beside an image or a movie of it."""
