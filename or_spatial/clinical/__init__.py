"""Roles, phases and sterility read from a stream of scene graphs."""
