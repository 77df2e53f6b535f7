"""The command line: parse, fill the settings, one library call, print."""
