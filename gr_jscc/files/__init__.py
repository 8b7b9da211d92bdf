"""Files that a person names or programs write: names, places, locks, whole files, TOML."""
