"""The torch networks in Hugging Face form: configuration, blocks, depth, fusion, graph head, the whole.

image, K, mount ─► Stem ─► DepthHead ─► SpatialFusion (SEFF) ─► Tower ─► GraphHead ─► objects, relations
"""

from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.modeling import SpatialORModel

__all__ = ["SpatialORConfig", "SpatialORModel"]
