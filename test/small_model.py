"""Sizes of a network that builds and runs in no time; random weights of it stand in for trained ones."""

SMALL = {
    "image_height": 64,
    "image_width": 112,
    "stem_channels": (8, 12, 16),
    "stem_blocks": (1, 1, 1),
    "hidden_size": 32,
    "tower_layers": 1,
    "queries": 6,
    "query_layers": 1,
    "pair_hidden": 16,
}
