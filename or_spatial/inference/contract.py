"""What `perceive.onnx` takes and gives, whoever runs it. B pictures, K queries; sizes come from the manifest.

Inputs
    image               (B, H, W, 3) uint8    RGB
    intrinsics          (B, 4)       float32  fx, fy, cx, cy in px of this picture; (0, 0) is a pixel's centre
    viewer_from_camera  (B, 3, 3)    float32  optical frame to levelled viewer (x right, y forward, z up)
    height              (B, 1)       float32  m, camera above the floor; 0 = mount unknown

Outputs
    depth               (B, H/4, W/4) m along optical z      depth_confidence  (B, H/4, W/4) in (0, 1)
    center              (B, K, 3) m, optical frame           sigma             (B, K, 2) m, along the ray and across it
    size                (B, K, 3) m, along own axes          yaw               (B, K) rad, levelled viewer
    box                 (B, K, 4) px x y x y                 label             (B, K, labels) probabilities
    existence           (B, K) in [0, 1]                     sterile           (B, K) in [0, 1]
    action              (B, K, K, actions + 1), sums to 1, `none` last, subject first
    geometric           (B, K, K, predicates) independent probabilities
    tokens              (B, N, C) the tower's tokens, for the language decoder
"""

INPUTS = ("image", "intrinsics", "viewer_from_camera", "height")
OUTPUTS = (
    "depth",
    "depth_confidence",
    "center",
    "sigma",
    "size",
    "yaw",
    "box",
    "label",
    "existence",
    "sterile",
    "action",
    "geometric",
    "tokens",
)
PERCEIVE = "perceive.onnx"
