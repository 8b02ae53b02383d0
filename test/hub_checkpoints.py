"""Tiny random checkpoints in the hub's format: what a user brings, small enough for a test."""

from pathlib import Path

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISIONS = ("siglip", "siglip2", "dinov3")


def write_depth(folder: Path, kind: str = "metric") -> Path:
    """A Depth Anything V2 over a DINOv2 of four layers; `kind` is `metric` (20 m at most) or `relative`."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation

    backbone = {
        "model_type": "dinov2",
        **SIZES,
        "num_hidden_layers": 4,
        "image_size": 56,
        "patch_size": 14,
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
    }
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    _lively(DepthAnythingForDepthEstimation(config)).save_pretrained(folder)
    return folder


def write_vision(folder: Path, kind: str, patch: int = 16) -> Path:
    """One of VISIONS. A full SigLIP with its text half, as the hub has them; the others are vision alone."""
    import transformers

    if kind == "siglip":
        text = {**SIZES, "vocab_size": 50, "projection_size": 32, "bos_token_id": 1, "eos_token_id": 2}
        vision = {**SIZES, "image_size": 4 * patch, "patch_size": patch}
        config = transformers.SiglipConfig(vision_config=vision, text_config=text)
        _lively(transformers.SiglipModel(config)).save_pretrained(folder)
    elif kind == "siglip2":
        config = transformers.Siglip2VisionConfig(**SIZES, patch_size=patch, num_patches=16)
        _lively(transformers.Siglip2VisionModel(config)).save_pretrained(folder)
    else:
        config = transformers.DINOv3ViTConfig(**SIZES, patch_size=patch, num_register_tokens=4, image_size=64)
        _lively(transformers.DINOv3ViTModel(config)).save_pretrained(folder)
    return folder


def _lively(model):
    """Weights large enough that every picture gives another answer; the usual beginnings all but ignore it."""
    import torch

    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=weight[0].numel() ** -0.5)
    return model
