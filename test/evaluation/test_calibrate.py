"""What is fitted on validation moves decisions the right way and stays put where there is nothing to learn."""

import numpy as np

from or_spatial.evaluation.calibrate import Voices, best_action_bias, best_geometric, macro_f1
from or_spatial.perception.model import decided, shifted


def voices(action: np.ndarray, true_action: np.ndarray) -> Voices:
    pairs = len(true_action)
    nothing = np.zeros((pairs, 1))
    return Voices(action.astype(np.float32), true_action, nothing, nothing, np.zeros((pairs, 1), bool))


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
    weight, _ = best_geometric(Voices(np.zeros((5000, 1)), np.zeros(5000, int), network, geometry, true))
    assert weight >= 0.7


def test_one_action_of_a_pair_at_most_beats_the_rest():
    p = np.array([[0.30, 0.28, 0.42], [0.50, 0.20, 0.30]], np.float32)
    said = decided(p, np.zeros(3, np.float32))
    assert (said > 0.5).tolist() == [[False, False], [True, False]]
    assert decided(p, np.array([1.0, 0.0, 0.0], np.float32))[0, 0] > 0.5


def test_a_bias_shifts_log_odds():
    assert np.isclose(shifted(np.array([0.5]), np.array([np.log(3.0)])), 0.75).all()
