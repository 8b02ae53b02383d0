"""The only room with rclpy: thin nodes over the science."""

import os

# Before numpy is loaded: the matrices of a node are small, and on a busy machine BLAS threads that wait for each other
# turn 14 ms into seconds (measured). ONNX Runtime has its own threads, set by the parameter `threads`.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
