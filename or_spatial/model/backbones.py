"""Pretrained vision transformers as the visual tower, opened between patch embedding and layers: SEFF goes in there.

Convention
    grid        our patch is 16 px; the picture is scaled so that one patch of the network covers exactly one of ours,
                whatever its own patch size (a 14 px network sees the picture at 14/16 of its size)
    positions   learnt ones (SigLIP, SigLIP 2) are resampled from their own square grid, as the networks do themselves
    tokens      2D patch tokens alone meet the 3D ones; class and register tokens (DINOv3) join after the fusion
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, PretrainedConfig

from or_spatial.errors import BundleError

OUR_PATCH = 16
NORM_NAMES = ("image_mean", "image_std")
"""Where a part's configuration keeps what its checkpoint says of its pictures; else its architecture's own recipe."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_NORMS = {"siglip_vision_model": _HALF, "siglip2_vision_model": _HALF}


def normalised(image: Tensor, config: PretrainedConfig, size: tuple[int, int]) -> Tensor:
    """`image` (B, 3, H, W) in [0, 1] as a pretrained network saw pictures: its size, its mean, its scale."""
    if image.shape[2:] != size:
        image = F.interpolate(image, size, mode="bilinear", align_corners=False)
    usual = _NORMS.get(config.model_type, _IMAGENET)
    mean, std = (
        torch.tensor(getattr(config, name, value), dtype=image.dtype, device=image.device)[:, None, None]
        for name, value in zip(NORM_NAMES, usual, strict=True)
    )
    return (image - mean) / std


class VisionTower(nn.Module):
    """What all have in common; subclasses say how to embed and how to encode."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.network = AutoModel.from_config(config)

    def train(self, mode: bool = True) -> "VisionTower":
        """As any module, but dropout and jittered positions stay off: they belonged to the network's pretraining."""
        super().train(mode)
        self.network.eval()
        return self

    def embed(self, image: Tensor) -> Tensor:
        """2D patch tokens (B, N, C) with their positions, of `image` (B, 3, H, W) in [0, 1]."""
        patch = self.network.config.patch_size
        rows, columns = (n // OUR_PATCH for n in image.shape[2:])
        return self._embed(normalised(image, self.network.config, (rows * patch, columns * patch)), (rows, columns))

    def _embed(self, picture: Tensor, grid: tuple[int, int]) -> Tensor:
        raise NotImplementedError

    def encode(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """The network's layers and last norm over tokens (B, N, C) of a (rows, columns) grid: the same shape."""
        encoded = self.network.encoder(inputs_embeds=tokens).last_hidden_state
        return self.network.post_layernorm(encoded)

    def _positions(self, side: int, grid: tuple[int, int], **resampling: object) -> Tensor:
        """Learnt positions (1, N, C) of a `side` x `side` grid on another one."""
        table = self.network.embeddings.position_embedding.weight
        square = table.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        if (side, side) != grid:
            square = F.interpolate(square.float(), grid, align_corners=False, **resampling).to(table.dtype)
        return square.flatten(2).transpose(1, 2)


class SiglipTower(VisionTower):
    """SigLIP, and SigLIP 2 of fixed resolution, which the hub stores as the same class."""

    def _embed(self, picture: Tensor, grid: tuple[int, int]) -> Tensor:
        patches = self.network.embeddings.patch_embedding(picture).flatten(2).transpose(1, 2)
        config = self.network.config
        return patches + self._positions(config.image_size // config.patch_size, grid, mode="bicubic")


class NaflexTower(VisionTower):
    """SigLIP 2 NaFlex (arXiv 2502.14786): a linear layer over the pixels of each patch, row by row, colour last."""

    def _embed(self, picture: Tensor, grid: tuple[int, int]) -> Tensor:
        patch = self.network.config.patch_size
        cut = picture.unflatten(2, (grid[0], patch)).unflatten(4, (grid[1], patch))  # (B, 3, rows, p, columns, p)
        pixels = cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        side = int(self.network.config.num_patches**0.5)
        positions = self._positions(side, grid, mode="bilinear", antialias=True)
        return self.network.embeddings.patch_embedding(pixels) + positions


class DinoTower(VisionTower):
    """DINOv3 ViT (arXiv 2508.10104): rotary positions, a class token and registers beside the patches."""

    def _embed(self, picture: Tensor, grid: tuple[int, int]) -> Tensor:
        return self.network.embeddings.patch_embeddings(picture).flatten(2).transpose(1, 2)

    def encode(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """See `VisionTower.encode`; class token and registers come and go inside."""
        held = self.network.embeddings
        others = torch.cat([held.cls_token, held.register_tokens], dim=1).to(tokens.dtype)
        patch = self.network.config.patch_size
        stand_in = tokens.new_zeros((1, 3, grid[0] * patch, grid[1] * patch))  # only its shape is read
        joined = torch.cat([others.expand(len(tokens), -1, -1), tokens], dim=1)
        encoded = self.network.model(joined, position_embeddings=self.network.rope_embeddings(stand_in))
        return self.network.norm(encoded.last_hidden_state)[:, others.shape[1] :]


TOWERS: dict[str, type[VisionTower]] = {
    "siglip_vision_model": SiglipTower,
    "siglip2_vision_model": NaflexTower,
    "dinov3_vit": DinoTower,
}


def vision_tower(config: PretrainedConfig) -> VisionTower:
    """The tower of a vision configuration.

    Raises:
        BundleError: an architecture that has no place to put 3D tokens in.
    """
    if config.model_type not in TOWERS:
        raise BundleError(f"a {config.model_type!r} cannot be the visual tower; these can: {', '.join(TOWERS)}")
    return TOWERS[config.model_type](config)
