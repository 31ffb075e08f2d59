"""The classical strategies against imbalanced-learn and scikit-learn, called directly."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from evenhand.config import Classifier, Strategy, Training, parse_options
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models import serving
from evenhand.models.classical import fit_classical
from evenhand.models.phase import Phase
from evenhand.models.strategies import smote_svm
from evenhand.models.train_classifier import ClassifierTraining, train_classifier


def digits(counts, skip: int = 0) -> ImageTable:
    """So many of scikit-learn's 8x8 digits of each class, after the first `skip`."""
    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == c)[skip : skip + n] for c, n in enumerate(counts)])
    images = (data.images[rows][..., None] * 15).astype(np.uint8)
    return ImageTable(images, data.target[rows].astype(np.int32), rows.astype(str), tuple("0123456789"[: len(counts)]))


TRAIN, TEST = digits([60, 30, 15, 8]), digits([40] * 4, skip=100)


def flat(table: ImageTable) -> np.ndarray:
    return table.images.reshape(len(table), -1) / np.float32(255)


def test_smote_svm_is_imbalanced_learn_and_scikit_learn():
    found = fit_classical(Strategy(name="smote_svm"), TRAIN, seed=3)(TEST)
    x, y = SMOTE(k_neighbors=5, random_state=3).fit_resample(flat(TRAIN), TRAIN.labels)
    machine = SVC(C=10.0, break_ties=True, random_state=3).fit(x, y)
    np.testing.assert_allclose(found, softmax(machine.decision_function(flat(TEST)), axis=1), rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), machine.predict(flat(TEST)))
    assert found.dtype == np.float32
    assert (found.argmax(axis=1) == TEST.labels).mean() > 0.9


def test_two_classes_are_a_machine_with_one_decision():
    train, test = digits([20, 9]), digits([30, 30], skip=50)
    found = fit_classical(Strategy(name="smote_svm"), train, seed=0)(test)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    x, y = SMOTE(random_state=0).fit_resample(flat(train), train.labels)
    np.testing.assert_array_equal(found.argmax(axis=1), SVC(C=10.0).fit(x, y).predict(flat(test)))


def test_every_class_gets_as_many_images_and_rare_ones_repeat_first():
    options = smote_svm.Options(most=40)
    train = digits([60, 30, 3, 1])
    x, y = smote_svm.balanced(options, flat(train), train.labels, seed=0)
    assert np.bincount(y).tolist() == [40] * 4
    # What SMOTE makes of one image is that image.
    assert len(np.unique(x[y == 3], axis=0)) == 1
    assert len(np.unique(x[y == 2], axis=0)) > 3
    # Real images stay among them.
    own = {tuple(row) for row in flat(train)[train.labels == 1]}
    assert own <= {tuple(row) for row in x[y == 1]}


def test_larger_images_are_reduced():
    big = ImageTable(TRAIN.images.repeat(4, axis=1).repeat(4, axis=2), TRAIN.labels, TRAIN.ids, TRAIN.class_names)
    small = fit_classical(Strategy(name="smote_svm"), TRAIN, seed=0)(TRAIN)
    again = fit_classical(Strategy(name="smote_svm", options={"size": 8}), big, seed=0)(big)
    assert (small.argmax(axis=1) == again.argmax(axis=1)).mean() > 0.97


OWN = """
from sklearn.neighbors import KNeighborsClassifier
from evenhand.config import Section

class Options(Section):
    neighbours: int = 1

def phases(options):
    return ()

def fit(options, features, labels, *, seed):
    near = KNeighborsClassifier(options.neighbours).fit(features, labels)
    return near.classes_, near.predict_proba
"""


def test_a_strategy_of_ones_own_takes_images_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "own_strategies").mkdir()
    (tmp_path / "own_strategies" / "nearest.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = fit_classical(Strategy(name="own_strategies.nearest"), TRAIN, seed=0)(TEST)
    expected = KNeighborsClassifier(1).fit(flat(TRAIN), TRAIN.labels).predict_proba(flat(TEST))
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_resnet_rf_is_a_forest_on_the_classifiers_features(tmp_path):
    settings = ClassifierTraining(classifier=Classifier(name="cnn"), training=Training(batch_size=16))
    run = train_classifier(TRAIN, Phase(on="real"), settings, steps=30)
    serving.save_phase(run, tmp_path)
    found = fit_classical(Strategy(name="resnet_rf", options={"trees": 50}), TRAIN, seed=1, network=tmp_path)
    network = run.model

    def features(table):
        x = table.images.astype(np.float32)
        for layer in network.layers[1:-1]:
            x = layer(x, training=False)
        return np.asarray(x)

    forest = RandomForestClassifier(50, class_weight="balanced", random_state=1).fit(features(TRAIN), TRAIN.labels)
    np.testing.assert_allclose(found(TEST), forest.predict_proba(features(TEST)), atol=0.1)
    assert (found(TEST).argmax(axis=1) == forest.predict(features(TEST))).mean() > 0.97


def test_a_class_without_images_gets_nothing():
    train = digits([20, 0, 9])
    found = fit_classical(Strategy(name="smote_svm"), train, seed=0)(TEST)
    assert found.shape == (len(TEST), 3)
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_wrong_input_is_told_in_words():
    with pytest.raises(UserError, match="two classes"):
        fit_classical(Strategy(name="smote_svm"), digits([20, 0]), seed=0)
    with pytest.raises(UserError, match=r"strategies\.smote_svm\.options\.neighbors: there is no such option"):
        fit_classical(Strategy(name="smote_svm", options={"neighbors": 3}), TRAIN, seed=0)


def test_smote_svm_needs_more_images_than_neighbours():
    with pytest.raises(UserError, match="most must be above neighbours"):
        parse_options(smote_svm.Options, {"most": 5}, "strategies.smote_svm.options")
