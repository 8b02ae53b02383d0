"""Losses, loops and export."""
