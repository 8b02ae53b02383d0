"""The bodies of the `or_spatial` sub-commands: floor 4, beside `cli.py`. Heavy imports live inside the functions.

console.py       the two consoles, and what an error looks like
doctor.py        what is present, what is missing, what that costs
live.py          run, replay
learning.py      train, export, evaluate, benchmark perceive
load.py          benchmark live: the whole suite under a steady stream of images
tracking_load.py benchmark tracking: the tracker under the detections of several fast cameras
clinical.py      clinical fit and score: what reads roles and phases
soak.py          benchmark soak: a simulated day through everything that remembers
simulate.py      world
hazard_rules.py  hazards check
demo.py          the demo, start to end; demo_*.py its parts
docs.py          generated tables and figures between markers in README.md and docs/
"""
