"""perception_node with the shipped model: it starts, says which weights it runs, and gives depth to who asks."""

import numpy as np
import pytest
from sensor_msgs.msg import Image
from talking import wait_until

from or_spatial.errors import BundleError
from or_spatial.inference.bundle import Bundle
from or_spatial.nodes.images import depth_from_image
from or_spatial.nodes.replayer import ReplayOptions
from or_spatial.nodes.runner import Suite
from or_spatial.nodes.session import replay
from or_spatial.scene import Scale

pytestmark = pytest.mark.dds


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    try:
        return Bundle.load()
    except BundleError as error:
        pytest.skip(f"no model is shipped: {error}")


def test_the_shipped_model_runs_and_names_itself(transport, listener, bag, tmp_path, bundle):
    listener.forget()
    depths: list[Image] = []
    subscription = listener.node.create_subscription(Image, "camera_1/depth/image", depths.append, 2)
    parameters = {"perception": {"cameras": ["camera_1"], "transport": "compressed", "threads": 1}}
    with Suite(("perception",), transport=transport, parameters=parameters, log_folder=tmp_path):
        replay(bag, transport=transport, options=ReplayOptions(rate=1.0))
        wait_until(lambda: depths and listener.graphs, what="a graph and a depth image")
        values = wait_until(lambda: listener.values("perception_node"), what="diagnostics")
    listener.node.destroy_subscription(subscription)
    graph = listener.graphs[-1]
    assert (graph.model_id, graph.scale) == (bundle.model_id, Scale.METRIC)
    assert values["model_id"] == bundle.model_id
    assert float(values["perceive_network_p50_ms"]) > 0
    depth = depth_from_image(depths[-1])
    assert np.isfinite(depth).mean() > 0.9
    assert 0.2 < np.nanmedian(depth) < 20.0
