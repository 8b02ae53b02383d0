"""Questions in words, answers over the graph."""
