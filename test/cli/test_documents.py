import json
import re

import numpy as np
import pytest

from or_spatial.commands import docs, interfaces
from or_spatial.commands.docs import checkout, figures_table, regenerated, update_documents
from or_spatial.errors import BundleError, ConfigError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.inference.bundle import shipped_bundle


def test_the_generated_parts_of_the_documents_are_up_to_date():
    assert update_documents(write=False) == [], "run: or_spatial docs"


def test_a_part_is_replaced_between_its_markers_only():
    text = "a\n<!-- begin x (or_spatial docs) -->\nold\n<!-- end x -->\nb\n"
    made = regenerated(text, {"x": lambda: "new"})
    assert made == "a\n<!-- begin x (or_spatial docs) -->\n\nnew\n\n<!-- end x -->\nb\n"
    assert regenerated(made, {"x": lambda: "new"}) == made


def test_a_part_that_nobody_makes_is_an_error():
    with pytest.raises(ConfigError, match="no generator for part 'y'"):
        regenerated("<!-- begin y (or_spatial docs) -->\n<!-- end y -->", {"x": str})


def test_figures_come_with_the_command_and_the_model_that_made_them(tmp_path):
    file = tmp_path / "figures.json"
    file.write_text(
        json.dumps(
            {
                "relations": {"action_macro_f1": 0.51234, "strict_macro_f1": None},
                "made_with": {"command": "or_spatial demo", "model": "tiny@12"},
            }
        )
    )
    table = figures_table(file)
    assert "`relations.action_macro_f1` | 0.512" in table and "strict" not in table
    assert "Made by `or_spatial demo` (model: tiny@12)" in table


def test_figures_of_the_baseline_say_what_it_is(tmp_path):
    (tmp_path / "f.json").write_text(json.dumps({"made_with": {"perceiver": "rules"}}))
    assert "reads the truth" in figures_table(tmp_path / "f.json")


def test_a_demos_figures_and_picture_are_taken_over_together(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("<!-- begin figures (or_spatial docs) -->\n<!-- end figures -->\n")
    out = tmp_path / "demo_output"
    out.mkdir()
    (out / "metrics.json").write_text(json.dumps({"memory": {"pss_mb": 412.0}, "made_with": {"command": "c"}}))
    (out / "picture.png").write_bytes(b"png")
    assert [str(p) for p in update_documents(metrics=out / "metrics.json", root=tmp_path)] == ["README.md"]
    assert "| `memory.pss_mb` | 412 |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "docs/images/demo.png").read_bytes() == b"png"


def test_looking_whether_documents_are_up_to_date_changes_none(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(ConfigError, match="takes no --metrics"):
        update_documents(write=False, metrics=tmp_path / "metrics.json", root=tmp_path)
    assert not (tmp_path / docs.FIGURES).exists()


def test_every_node_of_the_table_is_documented():
    text = (checkout() / "README.md").read_text()
    for part in docs.generators(checkout()):
        if part.startswith("parameters-"):
            assert f"<!-- begin {part} " in text
    for name in ("scene_graph", "active_hazards", "AskSpatial", "AcknowledgeHazard", "AskScene"):
        assert f"`{name}`" in text


def test_every_definition_begins_with_a_sentence():
    for folder in ("msg", "srv", "action"):
        for file in interfaces._definitions(folder):
            assert len(interfaces.first_sentence(file)) > 15, file


def test_the_python_example_of_the_readme_runs(capsys):
    try:
        shipped_bundle()
    except BundleError as error:
        pytest.skip(str(error))
    text = (checkout() / "README.md").read_text()
    code = re.search(r"## Use it from Python\n\n```python\n(.*?)```", text, re.DOTALL)[1]
    given = {
        "stamp_ns": 1_000_000_000,
        "image_rgb": np.random.default_rng(7).integers(0, 255, (360, 640, 3), np.uint8),
        "camera": Camera.from_fov(640, 360, 1.3),
        "room_from_camera": look_at((3.0, -2.5, 2.4), (0.0, 0.0, 0.9)),
    }
    exec(compile(code, "README.md", "exec"), given)
    assert given["graph"].stamp_ns == 1_000_000_000
