"""The synthetic operating room: layouts, people, procedures, renderer, exact ground truth."""
