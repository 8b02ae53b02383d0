"""What the network is taught, term by term. Each is a mean over what it speaks of, so weights keep their meaning.

What nobody labelled is not taught: a term without a single label is 0, and one with some is a mean over those alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from or_spatial.datasets.packed import UNKNOWN
from or_spatial.model.graph_head import STRIDE, Objects, peaks, sample_at
from or_spatial.model.modeling import Seen, SpatialORModel
from or_spatial.model.readings import Reading
from or_spatial.training.config import LossWeights
from or_spatial.training.data import Batch

NEGATIVES = 8  # proposals that are no object, shown to the queries so that they learn to say so
_JITTER_PX = 4.0


def compute(
    model: SpatialORModel,
    batch: Batch,
    weights: LossWeights,
    action_weight: Tensor,
    symmetric: Tensor,
    generator: torch.Generator | None = None,
    reading: Reading | None = None,
) -> dict[str, Tensor]:
    """All terms and their weighted `total`. `action_weight` (actions + 1,), `symmetric` (labels,) bool: 180° alike."""
    seen = model.see(batch.image, batch.intrinsics, batch.viewer_from_camera, batch.height, reading)
    pixels, exists, certain = query_pixels(batch, seen, generator)
    objects, action, geometric = model.relate(seen, pixels, batch.intrinsics, batch.viewer_from_camera)
    real = batch.label.shape[1]
    terms = {
        "depth": depth_loss(seen, batch.depth),
        "heat": heat_loss(seen.heat, batch),
        "semantic": semantic_loss(seen.semantic, batch.semantic),
        "existence": F.binary_cross_entropy_with_logits(objects.existence_logit[certain], exists[certain].float()),
        **object_losses(objects, batch, symmetric),
        **pair_losses(action[:, :real, :real], geometric[:, :real, :real], batch, action_weight),
    }
    terms["total"] = sum(getattr(weights, name) * value for name, value in terms.items())
    return terms


def query_pixels(batch: Batch, seen: Seen, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
    """True peaks, a little off, then the strongest false proposals: (B, N + NEGATIVES, 2), who is real, who is sure.

    Padding rows are moved to random places and count as no object too: teaching pairs on true peaks from the first
    step is what lets a short training reach relations at all (the idea of DN-DETR, arXiv 2203.01305).
    An object that is somewhere in the picture is sought where its label speaks loudest; a place where a label speaks
    loudest that nobody judged is not called empty.
    """
    labels = seen.heat.shape[1]
    peak = torch.where(batch.placed[..., None], batch.peak, loudest(seen.heat.detach(), batch.label)[0])
    noise = (torch.rand(peak.shape, generator=generator, device=peak.device) - 0.5) * 2 * _JITTER_PX
    size = torch.tensor([seen.heat.shape[3], seen.heat.shape[2]], device=peak.device) * STRIDE
    elsewhere = torch.rand(peak.shape, generator=generator, device=peak.device) * size
    true = torch.where(batch.exists[..., None], peak + noise, elsewhere)
    proposed, score = peaks(seen.heat.detach().sigmoid(), 40)
    apart = torch.cdist(proposed, peak) + (~batch.exists[:, None]).float() * 1e4
    score = torch.where(apart.amin(-1) < 3 * STRIDE, -1.0, score)
    false = proposed.gather(1, score.topk(NEGATIVES, dim=1).indices[..., None].expand(-1, -1, 2))
    near = torch.cdist(false, peak) + (~batch.exists[:, None]).float() * 1e4
    # With few proposals a true one may slip in: it is real then.
    hit = near.amin(-1) < 3 * STRIDE
    pixels, exists = torch.cat([true, false], dim=1), torch.cat([batch.exists, hit], dim=1)
    loud = sample_at(seen.heat.detach(), pixels, int(size[1]), int(size[0])).argmax(-1)
    return pixels, exists, exists | batch.judged(labels).gather(1, loud)


def loudest(heat: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Where in the heat map (B, L, h, w) each label (B, N) speaks loudest: pixels (B, N, 2) and its logit (B, N)."""
    columns = heat.shape[3]
    best, index = heat.flatten(2).max(-1)
    row = torch.div(index, columns, rounding_mode="floor")
    pixel = STRIDE * (torch.stack([index - row * columns, row], dim=-1) + 0.5) - 0.5
    known = label.clamp(min=0)
    return pixel.gather(1, known[..., None].expand(-1, -1, 2)), best.gather(1, known)


def semantic_loss(logits: Tensor, semantic: Tensor) -> Tensor:
    """Cross entropy where somebody said what is seen."""
    if not (semantic != UNKNOWN).any():
        return silent(logits)
    return F.cross_entropy(logits, semantic, ignore_index=UNKNOWN)


def silent(values: Tensor) -> Tensor:
    """Nothing to learn here: 0, and every gradient 0."""
    return values.sum() * 0.0


def depth_loss(seen: Seen, depth: Tensor) -> Tensor:
    """Laplace likelihood of log depth, and agreement of its slopes (MiDaS's gradient term, arXiv 1907.01341)."""
    valid = depth > 0.05
    error = seen.log_depth - depth.clamp(min=0.05).log()
    likelihood = error.abs() * (-seen.log_scale).exp() + seen.log_scale
    slope_x = (error[:, :, 1:] - error[:, :, :-1]).abs() * (valid[:, :, 1:] & valid[:, :, :-1])
    slope_y = (error[:, 1:] - error[:, :-1]).abs() * (valid[:, 1:] & valid[:, :-1])
    count = valid.sum().clamp(min=1)
    plain = (error.abs() * valid).sum() / count
    return 0.2 * (likelihood * valid).sum() / count + 3.0 * plain + (slope_x.sum() + slope_y.sum()) / count


def heat_target(batch: Batch, rows: int, columns: int, labels: int) -> Tensor:
    """Gaussian bumps (B, labels, rows, columns) at the known peaks; wider for larger boxes (CenterNet)."""
    cell = (batch.peak.nan_to_num() + 0.5) / STRIDE - 0.5
    extent = (batch.box[..., 2:] - batch.box[..., :2]).nan_to_num().amin(-1).clamp(min=1.0) / STRIDE
    sigma = (extent / 8.0).clamp(0.7, 2.5)
    x = torch.arange(columns, device=cell.device) - cell[..., :1].round()
    y = torch.arange(rows, device=cell.device) - cell[..., 1:].round()
    bump_x = torch.exp(-x.square() / (2 * sigma[..., None] ** 2)) * batch.placed[..., None]
    bump_y = torch.exp(-y.square() / (2 * sigma[..., None] ** 2))
    bumps = bump_y[..., :, None] * bump_x[..., None, :]
    target = torch.zeros(len(cell), labels, rows, columns, device=cell.device)
    index = batch.label.clamp(min=0)[..., None, None].expand_as(bumps)
    return target.scatter_reduce(1, index, bumps, "amax")


def heat_loss(heat: Tensor, batch: Batch) -> Tensor:
    """Penalty-reduced focal loss of CenterNet (arXiv 1904.07850, eq. 1), per object.

    Of a label that was not judged in a picture, only the places that are known count; of an object that is somewhere,
    the loudest place of its label does (multiple-instance learning: a picture that holds it has such a place).
    """
    target = heat_target(batch, heat.shape[2], heat.shape[3], heat.shape[1])
    probability = heat.sigmoid().clamp(1e-4, 1 - 1e-4)
    hit = target > 0.999
    positive = (1 - probability).square() * probability.log() * hit
    negative = probability.square() * (1 - target).pow(4) * (1 - probability).log() * ~hit
    negative = negative * batch.judged(heat.shape[1])[..., None, None]
    somewhere = loudest(heat, batch.label)[1].sigmoid().clamp(1e-4, 1 - 1e-4)
    sought = (1 - somewhere).square() * somewhere.log() * (batch.exists & ~batch.placed)
    return -(positive.sum() + negative.sum() + sought.sum()) / batch.exists.sum().clamp(min=1)


def object_losses(objects: Objects, batch: Batch, symmetric: Tensor) -> dict[str, Tensor]:
    """Place (Laplace likelihood with the query's own doubt), size, yaw, 2D box, label, sterility of true objects."""
    exists = batch.exists
    n = exists.shape[1]

    def mean(values: Tensor, *targets: Tensor) -> Tensor:
        told = exists
        for target in targets:
            told = told & torch.isfinite(target.flatten(2) if target.dim() > 2 else target[..., None]).all(-1)
        return (values * told).sum() / told.sum().clamp(min=1)

    predicted, true = objects.center[:, :n], batch.center.nan_to_num()
    z = true[..., 2].clamp(min=0.2)
    radial = (predicted[..., 2].clamp(min=0.05).log() - z.log()).abs()
    lateral = ((predicted[..., :2] - true[..., :2]).norm(dim=-1)) / z
    log_sigma = objects.log_sigma[:, :n]
    doubt = radial * (-log_sigma[..., 0]).exp() + log_sigma[..., 0] + lateral * (-log_sigma[..., 1]).exp()
    place = 0.1 * (doubt + log_sigma[..., 1]) + 4.0 * (radial + lateral)
    box, size = batch.box.nan_to_num(), batch.size.nan_to_num(nan=1.0)
    scale = (box[..., 2:] - box[..., :2]).clamp(min=6.0).repeat(1, 1, 2)
    yaw = yaw_error(objects.yaw[:, :n], batch.yaw.nan_to_num(), symmetric[batch.label.clamp(min=0)])
    logits = objects.class_logits[:, :n]
    return {
        "place": mean(place, batch.center),
        "size": mean((objects.log_size[:, :n] - size.log()).abs().mean(-1), batch.size),
        "yaw": mean(yaw, batch.yaw),
        "box": mean(((objects.box[:, :n] - box).abs() / scale).clamp(max=2.0).mean(-1), batch.box),
        "label": F.cross_entropy(logits[exists], batch.label[exists]) if exists.any() else silent(logits),
        "sterile": sterile_loss(objects.sterile_logit[:, :n], batch),
    }


def yaw_error(predicted: Tensor, yaw: Tensor, symmetric: Tensor) -> Tensor:
    """1 - cosine of the angle; an object that looks the same after half a turn takes the nearer of its two yaws."""
    unit = F.normalize(predicted, dim=-1, eps=1e-4)
    cosine = unit[..., 0] * yaw.sin() + unit[..., 1] * yaw.cos()
    return 1 - torch.where(symmetric, cosine.abs(), cosine)


def sterile_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Binary cross entropy where sterility is known."""
    known = (batch.sterile >= 0) & batch.exists
    if not known.any():
        return silent(logits)
    return F.binary_cross_entropy_with_logits(logits[known], batch.sterile[known].float())


def pair_losses(action: Tensor, geometric: Tensor, batch: Batch, action_weight: Tensor) -> dict[str, Tensor]:
    """Weighted cross entropy of the one action, binary cross entropy of each geometric predicate, over true pairs."""
    pairs = batch.exists[:, :, None] & batch.exists[:, None, :]
    pairs = pairs & ~torch.eye(pairs.shape[1], dtype=torch.bool, device=pairs.device)
    target, bits = batch.action[pairs], batch.geometric[pairs]
    if not pairs.any():
        return {"action": silent(action), "geometric": silent(geometric)}
    # A predicate that holds rarely still has to be learnt: errors on it weigh as its odds, to the square root.
    odds = ((1 - bits.mean(0)) / bits.mean(0).clamp(min=1e-3)).clamp(1.0, 25.0).sqrt()
    said = geometric[pairs]
    return {
        "action": F.cross_entropy(action[pairs], target, weight=action_weight),
        "geometric": F.binary_cross_entropy_with_logits(said, bits, pos_weight=odds) if bits.numel() else silent(said),
    }
