"""4D-OR, MM-OR, MVOR, the world and recordings as one kind of sample."""
