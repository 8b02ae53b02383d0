"""or_spatial: ordinary RGB cameras of an operating room in, a live metric 3D scene graph out.

This file runs in every program that only wants our messages, so it imports nothing heavy.
"""

from pkgutil import extend_path

# The generated `or_spatial.msg`, `.srv` and `.action` live in the installed copy, our modules perhaps in a checkout.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
