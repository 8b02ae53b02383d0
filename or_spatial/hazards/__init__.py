"""Declarative rules over scene graphs and the life of an alert."""
