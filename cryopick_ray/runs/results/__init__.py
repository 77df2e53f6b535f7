"""What a run leaves: table, coordinates, report, summary."""
