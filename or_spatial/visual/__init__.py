"""Pictures without ROS: marker data, overlays, the floor map, timelines, depth maps. Import the module you need.

palette.py    colours that a colour-blind reader can tell apart, one per category, severity and family
markers.py    a scene graph and its hazards as plain marker values; `nodes/` only copies their fields
canvas.py     text chips, dashed lines and arrows on an RGB array
overlay.py    a camera image with boxes, labels, relations and a hazard banner
topdown.py    the floor, in metres, seen from above
timeline.py   relations and hazards over time, truth against prediction
depth.py      a depth map in colour, with its legend
rerun_export.py  the same for the Rerun viewer (extra `rerun`)
"""
