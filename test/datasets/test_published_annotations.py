"""The real annotation files: published counts, exact round trips, and the metric on real graphs. Skips without them."""

import json

import numpy as np
import pytest
from sklearn.metrics import classification_report

from or_spatial.datasets import four_d_or, mm_or, mvor
from or_spatial.datasets.annotation_files import in_world_words
from or_spatial.evaluation.metrics import RelationAccumulator, match_by_id
from or_spatial.geometry.transforms import apply, invert
from or_spatial.scene import SceneGraph, load_vocabulary
from or_spatial.scene.values import same

FOUR_D_OR_VALIDATION = {
    "CloseTo": 17118,
    "LyingOn": 1161,
    "Holding": 901,
    "Touching": 577,
    "Preparing": 379,
    "Assisting": 212,
    "Operating": 104,
    "Cleaning": 99,
    "Hammering": 54,
    "Cutting": 46,
    "Sawing": 40,
    "Drilling": 25,
    "Cementing": 20,
    "Suturing": 20,
}
MM_OR_VALIDATION = {
    "closeTo": 9482,
    "lyingOn": 5316,
    "holding": 2861,
    "manipulating": 1543,
    "preparing": 1429,
    "touching": 1302,
    "assisting": 486,
    "calibrating": 215,
    "sawing": 205,
    "drilling": 151,
    "cutting": 28,
    "hammering": 28,
    "suturing": 18,
    "cleaning": 15,
    "scanning": 7,
    "cementing": 5,
}


@pytest.fixture(scope="module")
def scans(data_dir):
    return four_d_or.read_relationships(data_dir / "4d-or" / "relationships_validation.json")


@pytest.fixture(scope="module")
def timepoints(data_dir):
    return mm_or.read_relationships(data_dir / "mm-or" / "relationships_validation.json")


@pytest.fixture(scope="module")
def real_mvor(data_dir):
    return mvor.read_annotations(data_dir / "mvor" / "camma_mvor_2018.json")


def test_4d_or_validation_holds_the_published_labels(scans):
    assert four_d_or.count_predicates(scans) == FOUR_D_OR_VALIDATION
    assert len(scans) == 1332 and {s.take for s in scans} == {4, 8}


def test_4d_or_has_the_published_number_of_distinct_triplets(scans):
    distinct = {(s.objects[a], p, s.objects[b]) for s in scans for a, b, _, p in s.relationships}
    assert len(distinct) == 78


def test_mm_or_validation_holds_the_published_timepoints(timepoints):
    own = [t for t in timepoints if t.origin == "MMOR"]
    assert (len(timepoints), len(own)) == (3902, 2570)
    assert {t.take_name for t in own} == {"002_PKA_MMOR", "007_TKA_MMOR", "009_TKA_MMOR"}
    averages = [sum(len(t.relationships) for t in timepoints if t.origin == o) for o in mm_or.ORIGINS]
    assert [round(averages[0] / 1332, 1), round(averages[1] / 2570, 1)] == [7.8, 9.0]


def test_mm_or_validation_holds_its_labels(timepoints):
    assert mm_or.count_predicates(t for t in timepoints if t.origin == "MMOR") == MM_OR_VALIDATION


def test_4d_or_takes_inside_mm_or_have_the_same_actions(scans, timepoints):
    """All but closeTo, which MM-OR annotates in one direction only."""
    included = mm_or.count_predicates(t for t in timepoints if t.origin == "4DOR")
    canonical = load_vocabulary("4d-or").canonical
    original = {canonical[p]: n for p, n in four_d_or.count_predicates(scans).items() if p != "CloseTo"}
    assert {p: n for p, n in included.items() if p != "closeTo"} == original


def test_label_lists_are_those_of_the_vocabulary(data_dir):
    words = load_vocabulary("4d-or")
    assert tuple((data_dir / "4d-or" / "classes.txt").read_text().split()) == words.objects
    assert tuple((data_dir / "4d-or" / "relationships.txt").read_text().split()) == words.actions


def test_relationship_files_are_written_again_byte_for_byte(data_dir, scans, timepoints):
    assert four_d_or.relationships_to_json(scans) == (data_dir / "4d-or/relationships_validation.json").read_text()
    assert mm_or.relationships_to_json(timepoints) == (data_dir / "mm-or/relationships_validation.json").read_text()


def test_mvor_files_are_written_again_byte_for_byte(data_dir, real_mvor):
    boxes = data_dir / "mvor" / "faster_rcnn_bbox.json"
    assert real_mvor.to_json() == (data_dir / "mvor" / "camma_mvor_2018.json").read_text()
    assert mvor.detections_to_json(mvor.read_detections(boxes)) == boxes.read_text()


def test_scans_become_graphs_that_survive_json(scans):
    for scan in scans[::97]:
        graph = scan.scene().graph
        assert same(SceneGraph.from_json(graph.to_json()), graph)
        assert len(graph.relations) == len(scan.relationships)


def test_every_label_has_a_word_in_our_world_except_the_drape(scans, timepoints):
    ours = load_vocabulary()
    for scene in [*(s.scene() for s in scans[::50]), *(t.scene() for t in timepoints[::50])]:
        graph = in_world_words(scene.graph)
        assert {o.label for o in graph.objects} <= {*ours.objects, "drape"}
        assert {r.predicate for r in graph.relations} <= set(ours.actions)


def test_phases_cover_a_take_without_gaps(data_dir, scans):
    for take in (4, 8):
        phases = four_d_or.read_phases(data_dir / "4d-or" / "phases" / f"phase_to_frames_{take}.json")
        stretches = sorted(phases.values())
        assert all(last + 1 == first for (_, last), (first, _) in zip(stretches, stretches[1:], strict=False))
        of_take = [s for s in scans if s.take == take]
        assert stretches[0][0] == 0 and stretches[-1][1] == max(int(s.scan) for s in of_take)
    assert of_take[200].scene(phases).phase == "patient_prep"


def test_roles_name_the_surgeon_who_drills(scans):
    drilling = next(s for s in scans if any(p == "Drilling" for *_, p in s.relationships))
    who = next(drilling.objects[a] for a, _, _, p in drilling.relationships if p == "Drilling")
    assert drilling.scene().roles[who] == "head-surgeon"


def test_the_published_4d_or_figure_on_real_graphs_is_scikit_learns(scans):
    """Yesterday's graph as today's prediction: every scan predicted by the scan three before it."""
    words = load_vocabulary("4d-or")
    accumulator = RelationAccumulator(words.actions)
    true, said = [], []
    for earlier, scan in list(zip(scans, scans[3:], strict=False))[::11]:
        truth, predicted = scan.scene().graph, earlier.scene().graph
        accumulator.add(truth, predicted, match_by_id(truth, predicted))
        labels, guesses = ({r.triplet[::2]: r.predicate for r in g.relations} for g in (truth, predicted))
        pairs = [(a.id, b.id) for a in truth.objects for b in truth.objects if a.id != b.id]
        true += [labels.get(pair, "none") for pair in pairs]
        said += [guesses.get(pair, "none") for pair in pairs]
    report = classification_report(true, said, labels=[*words.actions, "none"], output_dict=True, zero_division=0)
    assert accumulator.result().action_all_classes_macro_f1 == pytest.approx(report["macro avg"]["f1-score"])


def test_mvor_has_its_published_content(real_mvor, data_dir):
    assert (len(real_mvor.moments), len(real_mvor.people_2d), len(real_mvor.people_3d)) == (387, 2557, 573)
    assert len(mvor.read_detections(data_dir / "mvor" / "faster_rcnn_bbox.json")) == 7113


@pytest.mark.parametrize("number", [1, 2, 3])
def test_convention_mvor_keypoints_reproject_into_every_camera(real_mvor, number):
    """Frames, units, joint order and direction of the extrinsics: any of them wrong is off by tens of px."""
    own = real_mvor.camera(number)
    images = {i["id"]: i for m in real_mvor.moments for i in real_mvor.images(m) if i["cam_id"] == number}
    flat = {(p.image_id, p.person_id): p for p in real_mvor.people_2d}
    errors = []
    for person in real_mvor.people_3d:
        for image in map(int, person.moment.split("_")):
            seen = flat.get((image, person.person_id))
            if seen is not None and image in images:
                pixels = own.camera.project(apply(invert(own.first_from_camera), person.keypoints_m[:10]))
                errors.append(
                    np.where(
                        seen.visible & person.seen[:10], np.linalg.norm(pixels - seen.keypoints_px, axis=1), np.nan
                    )
                )
    assert np.nanmedian(errors, axis=0).max() < 14.0 and np.nanmedian(errors) < 8.0


def test_mvor_rooms_have_z_up(real_mvor):
    up = np.array([0.0, 0.0, 1.0])
    heads, hips = [], []
    for moment in real_mvor.moments[:60]:
        for person in (p for p in real_mvor.people_3d if p.moment == moment):
            joints = apply(real_mvor.camera(1).room_from_camera, person.keypoints_m) @ up
            heads.append(joints[0])
            hips.append(np.nanmean(joints[4:6]))
    assert 0.4 < np.nanmedian(np.subtract(heads, hips)) < 0.9  # a head is that far above the hips of staff who stand


def test_mvor_people_become_a_graph(real_mvor):
    moment = next(p.moment for p in real_mvor.people_3d)
    graph = real_mvor.graph(moment)
    assert graph.objects and all(o.label in ("person", "patient") for o in graph.objects)
    assert all(0.2 < o.size_m[2] < 2.2 for o in graph.objects)


def test_real_files_are_not_taken_for_each_other(data_dir):
    from or_spatial.errors import DatasetError

    theirs = data_dir / "mm-or" / "relationships_validation.json"
    with pytest.raises(DatasetError, match="MM-OR's file"):
        four_d_or.read_relationships(theirs)
    with pytest.raises(DatasetError, match="list of annotations"):
        mm_or.read_relationships(data_dir / "4d-or" / "relationships_validation.json")
    with pytest.raises(DatasetError, match="not MVOR"):
        mvor.read_annotations(theirs)
    assert json.loads(theirs.read_text())
