"""What is fitted on validation moves decisions the right way and stays put where there is nothing to learn."""

from types import SimpleNamespace

import numpy as np

from or_spatial.evaluation.calibrate import (
    Voices,
    best_action_bias,
    best_existence,
    best_geometric,
    fit_trust,
    macro_f1,
    persistent_error,
)
from or_spatial.perception.model import decided, shifted


def voices(action: np.ndarray, true_action: np.ndarray) -> Voices:
    pairs = len(true_action)
    nothing = np.zeros((pairs, 1))
    return Voices(
        action.astype(np.float32), true_action, nothing, nothing, np.zeros((pairs, 1), bool), np.ones(pairs, bool)
    )


def test_a_class_that_training_shouted_is_turned_down():
    rng = np.random.default_rng(4)
    true = (rng.random(4000) < 0.1).astype(np.int64)  # class 0 is common here, class 1 plays `none`
    true = 1 - true
    logits = np.where(true[:, None] == np.arange(2), 1.0, -1.0) + rng.normal(0, 1.0, (4000, 2))
    logits[:, 0] += 2.5  # class weights of training
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    bias = best_action_bias(voices(p, true))
    assert bias[0] < -1.0 and bias[1] == 0.0
    before, after = macro_f1(p.argmax(1), true, 2), macro_f1((np.log(p) + bias).argmax(1), true, 2)
    assert after > before + 0.1


def test_a_class_without_examples_keeps_its_bias():
    p = np.tile([0.2, 0.1, 0.7], (50, 1))
    assert best_action_bias(voices(p, np.full(50, 2)))[1] == 0.0


def test_the_louder_truth_gets_the_weight():
    rng = np.random.default_rng(7)
    true = rng.random((5000, 1)) < 0.3
    network = np.where(true, 1.0, -1.0) + rng.normal(0, 0.6, true.shape)
    geometry = np.where(true, 1.0, -1.0) + rng.normal(0, 4.0, true.shape)
    heard = Voices(np.zeros((5000, 1)), np.zeros(5000, int), network, geometry, true, np.ones(5000, bool))
    weight, _ = best_geometric(heard)
    assert weight >= 0.7


def test_one_action_of_a_pair_at_most_beats_the_rest():
    p = np.array([[0.30, 0.28, 0.42], [0.50, 0.20, 0.30]], np.float32)
    said = decided(p, np.zeros(3, np.float32))
    assert (said > 0.5).tolist() == [[False, False], [True, False]]
    assert decided(p, np.array([1.0, 0.0, 0.0], np.float32))[0, 0] > 0.5


def test_a_bias_shifts_log_odds():
    assert np.isclose(shifted(np.array([0.5]), np.array([np.log(3.0)])), 0.75).all()


def sightings(rng: np.random.Generator, frames: int) -> tuple[list, list]:
    """Frames with ten candidates of two labels: label 0 is sure of itself but often wrong, label 1 timid but right."""
    truth, found = [], []
    for _ in range(frames):
        label = rng.integers(0, 2, 10)
        real = rng.random(10) < np.where(label == 0, 0.1, 0.9)
        center = np.arange(10)[:, None] * np.array([[5.0, 0.0, 0.0]])
        found.append(
            {
                "existence": rng.uniform(0.6, 0.8, 10) - 0.4 * label,
                "label": np.eye(2)[label],
                "center": center,
                "size": np.ones((10, 3)),
            }
        )
        truth.append(SimpleNamespace(label=np.where(real, label, -1), center=center))
    return truth, found


def test_existence_becomes_the_share_of_true_objects_of_each_label():
    truth, found = sightings(np.random.default_rng(3), 200)
    trust = fit_trust(truth, found, np.full(2, 0.5), 2, above=0.02)
    calibrated = [trust.calibrated(one) for one in found]
    said = np.concatenate([one["existence"] for one in calibrated])
    label = np.concatenate([one["label"].argmax(-1) for one in found])
    assert np.isclose(said[label == 0].mean(), 0.1, atol=0.05)
    assert np.isclose(said[label == 1].mean(), 0.9, atol=0.05)
    # What is usually true stays in, what is usually invented goes out.
    assert 0.1 < best_existence(truth, calibrated, np.full(2, 0.5)) < 0.9


def test_what_is_reported_is_stated_as_often_as_it_is_true():
    """Faint queries that are never true pull what a fit to all of them says of the ones that are shown."""
    rng = np.random.default_rng(5)
    truth, found = sightings(rng, 200)
    for frame, one in zip(truth, found, strict=True):
        one["existence"] = np.where(rng.random(10) < 0.5, one["existence"], 0.05)
        frame.label = np.where(one["existence"] > 0.1, frame.label, -1)
    shown = fit_trust(truth, found, np.full(2, 0.5), 2, above=0.1)
    said = np.concatenate([shown.calibrated(one)["existence"][one["existence"] > 0.1] for one in found])
    label = np.concatenate([one["label"].argmax(-1)[one["existence"] > 0.1] for one in found])
    assert np.isclose(said[label == 0].mean(), 0.1, atol=0.05)
    assert np.isclose(said[label == 1].mean(), 0.9, atol=0.05)


def test_the_error_that_stays_is_measured_per_axis():
    rng = np.random.default_rng(9)
    true = rng.uniform(-3, 3, (4000, 3))
    frame = SimpleNamespace(label=np.zeros(4000), center=true)
    found = {"center": true + rng.normal(0, 0.15, true.shape)}
    found["center"][:200] += 2.0  # a few lost ones must not count
    assert np.isclose(persistent_error([frame], [found], [np.arange(4000)]), 0.155, atol=0.01)
