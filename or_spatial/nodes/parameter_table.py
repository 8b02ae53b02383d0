"""Every parameter of every node, declared once: nodes, `or_spatial run`, YAML checks and docs/nodes.md read this."""

from or_spatial.nodes.parameters import ParameterSpec as P
from or_spatial.nodes.qos import PROFILES
from or_spatial.perception.camera_health import HealthConfig
from or_spatial.world.realism import VERSIONS
from or_spatial.world.splits import SPLITS, in_version

_QOS = tuple(PROFILES)
_HEALTH = HealthConfig()

_EXTRINSICS = P(
    name="extrinsics",
    default="auto",
    choices=("auto", "tf", "topic", "file"),
    description="where camera poses come from; `auto` asks TF (where installed), then `<camera>/pose`, then the file",
)
_CAMERAS_FILE = P(
    name="cameras_file", default="", description="YAML with camera poses; empty means config/cameras.yaml"
)
_WORLD_FRAME = P(name="world_frame", default="map", description="frame of the room: z up, floor at z = 0, metres")
_AUTO_ACTIVATE = P(
    name="auto_activate",
    default=True,
    description="configure and activate at start; false leaves both to a lifecycle manager",
)

PERCEPTION = (
    P(
        name="cameras",
        default=["camera_1"],
        names=True,
        description="names of the cameras; topics lie under `<camera>/`",
    ),
    P(
        name="transport",
        default="raw",
        choices=("raw", "compressed"),
        description="`<camera>/image_raw`, or `<camera>/image_raw/compressed` (JPEG or PNG)",
    ),
    P(
        name="perceiver",
        default="model",
        choices=("model", "boxes", "rules"),
        description="`model` looks at the images; `boxes` places people from 2D boxes of any detector, without images; "
        "`rules` is the labelled baseline fed by `/truth/scene_graph`",
    ),
    P(
        name="boxes_topics",
        default=[""],
        description="perceiver `boxes` only: topics of `ObservedBox2DArray`, one per camera in the order of `cameras`, "
        "or one for all; empty means `<camera>/boxes`",
    ),
    P(
        name="boxes_labels",
        default=["person"],
        description="perceiver `boxes` only: labels of boxes that show a person; a box without a label does, too",
    ),
    P(
        name="boxes_shape",
        default="",
        description="perceiver `boxes` only: YAML with a person's shape and a detector's reliability; empty means "
        "config/person_boxes.yaml",
    ),
    P(name="model_bundle", default="", description="folder of the model bundle; empty means the shipped one"),
    P(
        name="threads",
        default=0,
        minimum=0,
        maximum=64,
        description="threads of the inference runtime; 0 leaves one core for ROS",
    ),
    P(
        name="processing",
        default="newest",
        choices=("newest", "every_frame"),
        description="`newest` drops frames that arrive while one is worked on; `every_frame` queues them (evaluation)",
    ),
    P(
        name="synchroniser",
        default="own",
        choices=("own", "message_filters"),
        description="how images of cameras are paired; only `own` goes on when a camera vanishes",
    ),
    P(
        name="sync_slop_s",
        default=0.05,
        minimum=0.0,
        maximum=1.0,
        description="images of several cameras whose stamps differ by no more than this belong together",
    ),
    P(
        name="sync_wait_s",
        default=0.1,
        minimum=0.0,
        maximum=5.0,
        description="how long an image waits for those of the other cameras before it is used alone",
    ),
    _EXTRINSICS,
    _CAMERAS_FILE,
    _WORLD_FRAME,
    P(
        name="lost_after_s",
        default=_HEALTH.lost_after_s,
        minimum=0.1,
        maximum=60.0,
        description="a camera silent for this long (or three of its usual intervals, if longer) is reported as lost",
    ),
    P(
        name="frozen_after_s",
        default=_HEALTH.frozen_after_s,
        minimum=0.1,
        maximum=60.0,
        description="a camera that repeats the same picture for this long is reported as frozen and not looked at",
    ),
    P(
        name="dark_level",
        default=_HEALTH.dark_level,
        minimum=0.1,
        maximum=255.0,
        description="mean grey level below which a picture is reported as dark and not looked at",
    ),
    P(
        name="covered_edges",
        default=_HEALTH.covered_edges,
        minimum=0.0001,
        maximum=1.0,
        description="a picture with fewer edges (as a fraction of its blocks) is reported as covered and not looked at",
    ),
    P(
        name="future_tolerance_s",
        default=0.5,
        minimum=0.0,
        maximum=3600.0,
        description="images stamped further ahead of this node's clock are refused",
        read_only=False,
    ),
    P(
        name="jump_back_s",
        default=5.0,
        minimum=0.5,
        maximum=3600.0,
        description="two images in a row this much older than the newest mean a new recording: tracking starts afresh",
    ),
    P(
        name="max_relations",
        default=120,
        minimum=1,
        maximum=2000,
        description="most relations in one published graph",
    ),
    P(
        name="point_stride_px",
        default=4,
        minimum=1,
        maximum=32,
        description="every n-th pixel of the depth image in each direction becomes a point of the cloud",
        read_only=False,
    ),
    P(
        name="truth_wait_s",
        default=0.2,
        minimum=0.0,
        maximum=10.0,
        description="perceiver `rules` only: how long an image waits for the truth of its stamp",
    ),
    P(name="image_qos", default="SENSOR_DATA", choices=_QOS, description="quality of service of image subscriptions"),
    P(
        name="image_qos_depth",
        default=1,
        minimum=1,
        maximum=100,
        description="queue length of image subscriptions; `every_frame` uses at least 30",
    ),
    _AUTO_ACTIVATE,
)

HAZARD = (
    P(name="rules_file", default="", description="YAML with the hazard rules; empty means config/hazards.yaml"),
    P(
        name="state_file",
        default="",
        description="keeps active hazards over a restart; empty means a file in the user's cache folder, `none` none",
    ),
    P(
        name="repeat_hz",
        default=1.0,
        minimum=0.1,
        maximum=10.0,
        description="how often `active_hazards` is repeated, so that silence is noticed",
    ),
    P(
        name="live_within_s",
        default=10.0,
        minimum=0.1,
        maximum=3600.0,
        description="graphs stamped within this of the node's clock are live; older ones are a replay and tell time",
    ),
    P(name="graph_qos", default="LATCHED", choices=_QOS, description="quality of service of the graph subscription"),
)

CLINICAL = (
    P(
        name="model_file",
        default="",
        description="fitted model of `or_spatial clinical fit`; empty means config/clinical/or_world.json, at the pace "
        "of the synthetic world",
    ),
    P(
        name="min_confidence",
        default=0.5,
        minimum=0.0,
        maximum=1.0,
        description="what is less sure than this is left empty; its confidence is published all the same",
        read_only=False,
    ),
    P(
        name="stale_after_s",
        default=5.0,
        minimum=0.1,
        maximum=3600.0,
        description="once the newest graph is older than this, an abstention takes the place of the latched reading",
        read_only=False,
    ),
    P(
        name="live_within_s",
        default=10.0,
        minimum=0.1,
        maximum=3600.0,
        description="graphs stamped within this of the node's clock are live; older ones are a replay and tell time",
    ),
    P(name="graph_qos", default="LATCHED", choices=_QOS, description="quality of service of the graph subscription"),
)

QUERY = (
    P(
        name="history_graphs",
        default=600,
        minimum=1,
        maximum=100000,
        description="how many of the last graphs are kept for trajectories and questions about the past",
    ),
    P(
        name="day_graphs",
        default=360,
        minimum=0,
        maximum=100000,
        description="how many older graphs are kept, 10 s apart at first and thinned out evenly as the day goes on",
    ),
    P(
        name="stale_after_s",
        default=2.0,
        minimum=0.05,
        maximum=3600.0,
        description="watched questions are answered with an abstention once the newest graph is older than this",
        read_only=False,
    ),
    P(
        name="live_within_s",
        default=10.0,
        minimum=0.1,
        maximum=3600.0,
        description="graphs stamped within this of the node's clock are live; older ones are a replay and tell time",
    ),
    P(
        name="min_confidence",
        default=0.5,
        minimum=0.0,
        maximum=1.0,
        description="QueryRelation without a predicate leaves out what is less sure than this",
        read_only=False,
    ),
    P(
        name="max_watched",
        default=32,
        minimum=1,
        maximum=1000,
        description="most questions watched at the same time",
        read_only=False,
    ),
    P(
        name="ask_timeout_s",
        default=10.0,
        minimum=0.1,
        maximum=600.0,
        description="how long AskScene waits for a graph when the goal names no timeout",
        read_only=False,
    ),
    _EXTRINSICS,
    _CAMERAS_FILE,
    _WORLD_FRAME,
    P(name="graph_qos", default="LATCHED", choices=_QOS, description="quality of service of the graph subscription"),
    _AUTO_ACTIVATE,
)

MARKER = (
    P(
        name="max_rate_hz",
        default=10.0,
        minimum=0.1,
        maximum=60.0,
        description="markers are drawn at most this often",
        read_only=False,
    ),
    P(
        name="lifetime_s",
        default=2.0,
        minimum=0.1,
        maximum=600.0,
        description="markers vanish when they are not drawn again for this long; two to three periods of the graph",
    ),
    P(name="graph_qos", default="LATCHED", choices=_QOS, description="quality of service of the graph subscription"),
)

WORLD = (
    P(
        name="split",
        default="test",
        choices=tuple(in_version(split, version) for version in VERSIONS for split in SPLITS),
        description="which part of the world the seed belongs to",
    ),
    P(name="seed", default=0, minimum=0, maximum=2**31 - 1, description="seed of the room and its procedure"),
    P(name="camera_count", default=2, minimum=1, maximum=4, description="how many cameras look into the room"),
    P(name="width_px", default=320, minimum=64, maximum=3840, description="width of the images"),
    P(name="height_px", default=180, minimum=36, maximum=2160, description="height of the images"),
    P(
        name="rate_hz",
        default=2.0,
        minimum=0.1,
        maximum=60.0,
        description="images per second and camera, if the machine keeps up",
    ),
    P(
        name="transport",
        default="both",
        choices=("raw", "compressed", "both"),
        description="which image topics are published",
    ),
    P(
        name="duration_s",
        default=60.0,
        minimum=2.0,
        maximum=3600.0,
        description="length of the procedure",
    ),
    P(name="loop", default=True, description="start the procedure again when it has ended"),
    P(name="publish_truth", default=True, description="publish /truth/scene_graph, /truth/clinical and /truth/hazards"),
    _WORLD_FRAME,
)

PARAMETERS: dict[str, tuple[P, ...]] = {
    "perception_node": PERCEPTION,
    "hazard_node": HAZARD,
    "clinical_node": CLINICAL,
    "query_node": QUERY,
    "marker_node": MARKER,
    "world_node": WORLD,
}
