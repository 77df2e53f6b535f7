"""The picks in other programs' formats."""
