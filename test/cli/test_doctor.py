import shutil

import pytest

from or_spatial.commands import doctor
from or_spatial.commands.doctor import Finding, Status, judge


def found(name):
    return next(f for f in doctor.examine() if f.name == name)


@pytest.mark.parametrize(
    ("version", "oldest", "optional", "status"),
    [
        ("1.17.0", "1.17", False, Status.OK),
        ("1.16.9", "1.17", False, Status.OLD),
        ("1.9.2", "1.17", False, Status.OLD),  # by number, not by letter
        ("2.13.0+cpu", "2.6", False, Status.OK),
        (None, "1.17", False, Status.MISSING),
        (None, "1.17", True, Status.ABSENT),
    ],
)
def test_how_a_version_is_judged(version, oldest, optional, status):
    assert judge("X", version, oldest, "cost", "cure", optional).status is status


def test_what_is_not_in_order_says_what_it_costs():
    for finding in doctor.examine():
        if finding.status in (Status.OLD, Status.MISSING):
            assert finding.cost or "check itself" in finding.found, finding


def test_the_doctor_works_when_everything_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: (_ for _ in ()).throw(doctor.metadata.PackageNotFoundError(name))
    )
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("OR_SPATIAL_SHARE", str(tmp_path))
    states = {f.name: f.status for f in doctor.examine()}
    assert states["ROS 2"] is Status.MISSING and states["ONNX Runtime"] is Status.MISSING
    assert states["PyTorch"] is Status.ABSENT and states["Python"] is Status.OK


def test_a_check_that_breaks_is_a_finding_and_no_crash(monkeypatch):
    def broken():
        raise RuntimeError("odd machine")
        yield

    (finding,) = doctor._safely(broken)
    assert finding.status is Status.MISSING and "odd machine" in finding.found


@pytest.mark.parametrize("script", ["sleep 60", "exit 9", "true"])
def test_a_driver_that_does_not_answer_is_an_absent_gpu_and_no_fault(monkeypatch, tmp_path, script):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nexec {script}\n" if script != "exit 9" else f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(tool))
    monkeypatch.setattr(doctor, "_DRIVER_WITHIN_S", 0.2)
    assert found("CUDA").status is Status.ABSENT


def test_a_damaged_bundle_is_named(monkeypatch, tmp_path):
    (tmp_path / "resource" / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "resource" / "models" / "tiny" / "manifest.json").write_text("{")
    monkeypatch.setenv("OR_SPATIAL_SHARE", str(tmp_path))
    finding = found("model bundle")
    assert finding.status is Status.MISSING and "manifest.json" in finding.found


def test_a_profile_that_does_not_exist_is_told(monkeypatch):
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/nowhere/profile.xml")
    assert found("FastDDS profile").status is Status.MISSING


def test_markdown_cells_never_break_the_table():
    text = doctor.render_markdown([Finding("a|b", Status.OK, "c|d")])
    assert r"| a\|b | ok | c\|d |  |  |" in text
