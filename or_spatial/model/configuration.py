"""Configuration of Spatial-ORMLLM, small or with pretrained parts, in Hugging Face's `PretrainedConfig` form."""

import inspect

from transformers import AutoConfig, PretrainedConfig
from transformers.configuration_utils import SubConfigSpec

from or_spatial.errors import ConfigError

_WORDS = ("vocabulary", "labels", "actions", "geometric")


class SpatialORConfig(PretrainedConfig):
    """Sizes and names that a checkpoint is made of.

    Args:
        image_height, image_width: px of the input picture; multiples of the patch (16 px).
        labels, actions, geometric: names in the index order of vocabulary `vocabulary`.
        stem_channels: channels at strides 4, 8 and 16 of the convolutional stem (a ViT from scratch starves on a
            synthetic set of this size, so the picture meets convolutions first).
        hidden_size, tower_layers, heads: the visual tower over 1/16 patches.
        fourier_bands: octaves of the point features in the fusion block, from 1/8 m^-1 upwards.
        queries: objects per picture at most; `query_layers` decoder layers refine them.
        pair_hidden: width of the relation head.
        canonical_focal: px; depth is predicted for a camera of this focal length and scaled by f / f_c
            (Metric3D, arXiv 2307.10984), so that one network serves several lenses.
        use_depth: False freezes the fusion gate at zero: the exact RGB-only twin, same parameters and FLOPs.
        depth_at_objects: False hides the predicted depth from objects and pairs too, which then begin with 3 m for all:
            with `use_depth` False, a model that is blind to its own depth map.
        depth_config: a Depth Anything's configuration: that network is the depth head. None: the small one.
        vision_config: a SigLIP, SigLIP 2 or DINOv3 ViT's configuration: its patch embedding and layers are the tower,
            the stem keeps strides 4 and 8. None: the small tower of `tower_layers` layers.
    """

    model_type = "spatial_or"
    sub_configs_defaults = {
        "depth_config": SubConfigSpec(AutoConfig, model_type="depth_anything", optional=True),
        "vision_config": SubConfigSpec(AutoConfig, model_type="dinov3_vit", optional=True),
    }

    def __init__(
        self,
        image_height: int = 256,
        image_width: int = 448,
        vocabulary: str = "or_world",
        labels: list[str] | None = None,
        actions: list[str] | None = None,
        geometric: list[str] | None = None,
        stem_channels: tuple[int, int, int] = (32, 64, 160),
        stem_blocks: tuple[int, int, int] = (1, 2, 3),
        hidden_size: int = 192,
        tower_layers: int = 3,
        heads: int = 4,
        fourier_bands: int = 6,
        queries: int = 40,
        query_layers: int = 2,
        pair_hidden: int = 160,
        canonical_focal: float = 300.0,
        use_depth: bool = True,
        depth_at_objects: bool = True,
        depth_config: PretrainedConfig | dict | None = None,
        vision_config: PretrainedConfig | dict | None = None,
        **kwargs,
    ) -> None:
        self.image_height = image_height
        self.image_width = image_width
        self.vocabulary = vocabulary
        self.labels = list(labels or [])
        self.actions = list(actions or [])
        self.geometric = list(geometric or [])
        self.stem_channels = tuple(stem_channels)
        self.stem_blocks = tuple(stem_blocks)
        self.hidden_size = hidden_size
        self.tower_layers = tower_layers
        self.heads = heads
        self.fourier_bands = fourier_bands
        self.queries = queries
        self.query_layers = query_layers
        self.pair_hidden = pair_hidden
        self.canonical_focal = canonical_focal
        self.use_depth = use_depth
        self.depth_at_objects = depth_at_objects
        self.depth_config = depth_config
        self.vision_config = vision_config
        super().__init__(**kwargs)  # makes configurations of the two parts where they came as dicts
        for name, size in (("image_height", image_height), ("image_width", image_width)):
            if size % 16:
                raise ConfigError(f"{name} = {size} px is not a multiple of the 16 px patch")
        if hidden_size % heads:
            raise ConfigError(f"hidden_size = {hidden_size} is not a multiple of heads = {heads}")
        if self.tower_width % heads:
            raise ConfigError(f"the vision tower's width {self.tower_width} is not a multiple of heads = {heads}")

    @property
    def tower_width(self) -> int:
        """Channels of the tokens in the tower, where 3D meets 2D."""
        return self.vision_config.hidden_size if self.vision_config else self.hidden_size

    def sizes(self) -> dict:
        """The arguments that fix the shapes of the weights, names of classes left out."""
        names = inspect.signature(SpatialORConfig.__init__).parameters
        return {n: getattr(self, n) for n in names if n not in ("self", "kwargs", *_WORDS)}

    @classmethod
    def for_vocabulary(cls, name: str = "or_world", **kwargs) -> "SpatialORConfig":
        """A configuration that speaks a shipped vocabulary."""
        from or_spatial.scene.vocabulary import load_vocabulary

        words = load_vocabulary(name)
        return cls(
            vocabulary=words.name,
            labels=list(words.objects),
            actions=list(words.actions),
            geometric=list(words.geometric),
            **kwargs,
        )
