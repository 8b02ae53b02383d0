import base64
import re

import cv2
import numpy as np
import pytest

from or_spatial.evaluation.report import Picture, Report, Section, Table, data_url, number, provenance


@pytest.fixture
def picture():
    pixels = np.zeros((9, 16, 3), np.uint8)
    pixels[2, 5] = (200, 30, 10)  # red in RGB
    return pixels


def decoded(url):
    raw = np.frombuffer(base64.b64decode(url.split(",", 1)[1]), np.uint8)
    return cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1]


def test_a_drawing_survives_without_loss_and_red_stays_red(picture):
    np.testing.assert_array_equal(decoded(data_url(picture)), picture)


def test_a_photo_is_stored_as_jpeg(picture):
    assert data_url(picture, photo=True).startswith("data:image/jpeg;base64,/9j/")


def test_the_page_needs_nothing_from_outside(picture, tmp_path):
    page = Report("T", "s", provenance("cmd"), headline=(("F1", "0.5", "note"),), warning="careful")
    page.add(Section("S", ("words",), (Picture(picture, "cap"), Table(("a", "#b"), (("x", "1"),)))))
    text = page.write(tmp_path / "deep" / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', text) and "http" not in text
    assert text.count("<img") == 1 and '<td class="number">1</td>' in text
    assert not list((tmp_path / "deep").glob("*.partial"))


def test_text_is_escaped():
    html = Report("<b>", sections=[Section("S", ("<script>x</script>",))]).html()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_a_report_says_what_made_it():
    made = provenance("or_spatial demo", model_id="tiny@1234", data="")
    assert made["command"] == "or_spatial demo" and made["model id"] == "tiny@1234" and "data" not in made
    assert {"or_spatial", "made at", "machine"} <= set(made)


def test_an_unknown_number_is_a_dash():
    assert [number(v) for v in (0.456, None, float("nan"))] == ["0.46", "–", "–"]
    assert number(0.4567, 3) == "0.457"
