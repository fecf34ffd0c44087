"""The `molmeta` command: parses, calls the library, prints."""
