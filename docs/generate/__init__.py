"""The reference, written from the code each time that the documentation is built."""
