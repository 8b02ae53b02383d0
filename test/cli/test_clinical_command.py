"""`or_spatial clinical`: a model is fitted, written, scored; mistakes are named."""

import json

import pytest
from test_command import run

from or_spatial.clinical import Repertoire
from or_spatial.commands.clinical import Played, score_clinical
from or_spatial.errors import ConfigError


def test_a_model_is_fitted_on_the_world_and_scored_on_another_split(tmp_path):
    file, figures = tmp_path / "team.json", tmp_path / "figures.json"
    fitted = run("clinical", "fit", "--seeds", "1", "--out", str(file))
    assert fitted.exit_code == 0, fitted.output
    assert "clinical.model_file=" in fitted.output
    assert [m.procedure for m in Repertoire.load(file).models] == ["total_knee", "robotic_knee", "vertebroplasty"]
    scored = run("clinical", "score", str(file), "--split", "val", "--seeds", "1", "--json", str(figures))
    assert scored.exit_code == 0, scored.output
    found = json.loads(figures.read_text())
    assert found["clinical"]["operations"] == {"known": 3, "unseen": 0}
    assert 0.0 <= found["clinical"]["phases"]["accuracy"] <= 1.0
    made = {"model": "or_world", "split": "val", "seeds": 1, "exact": False}
    assert found["made_with"].pop("command") and found["made_with"] == made


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "--data", "nowhere", "--out", "x.json"), "relationships_validation.json does not exist"),
        (("score", "nowhere.json"), "nowhere.json cannot be read"),
        (("score", "--split", "tset"), "no split 'tset'"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run("clinical", *arguments)
    assert ended.exit_code == 2, ended.output
    assert words in ended.output and "Traceback" not in ended.output


def test_a_model_of_real_operations_cannot_be_scored_on_the_world(tmp_path):
    from or_spatial.evaluation.clinical_world import fit_world, read_operation

    foreign = fit_world([read_operation("test", 0, "laparoscopic_gallbladder")])
    (tmp_path / "foreign.json").write_text(foreign.to_json())
    with pytest.raises(ConfigError, match="knows no procedure of the world"):
        score_clinical(tmp_path / "foreign.json", Played("val", 1), None)
