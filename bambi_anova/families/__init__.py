"""Response families: one file each."""
