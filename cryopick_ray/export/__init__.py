"""The table in other programs' formats, and the report a person looks at."""
