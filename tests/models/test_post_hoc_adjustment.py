"""Post-hoc logit adjustment: what it does to the last layer, which prior it goes by, and where it is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import evenhand.models.train_classifier as train_classifier_module
from evenhand import progress, registry
from evenhand.config import Classifier, EarlyStopping, Mixing, RunConfig, Training
from evenhand.data.blend import Blend
from evenhand.data.image_table import ImageTable
from evenhand.errors import UserError
from evenhand.models import serving
from evenhand.models.arms import plan_arms
from evenhand.models.matched import matched_phases
from evenhand.models.phase import Loss, Phase
from evenhand.models.strategies._options import AdjustmentOptions
from evenhand.models.train_classifier import ClassifierTraining, train_classifier
from evenhand.models.training.head import adjust_head, check_head, head_of

COUNTS = np.array([30, 20, 10])
PRIOR = COUNTS / 60
ADJUSTED = "post_hoc_adjustment"


def striped(counts, seed=0):
    """Noisy 8x8 images of class c with a bright row, in part too faint to be sure of."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    images = rng.integers(0, 150, (len(labels), 8, 8, 1))
    images[np.arange(len(labels)), 2 * labels] += rng.integers(0, 100, (len(labels), 1, 1))
    return ImageTable(images.astype(np.uint8), labels, np.arange(len(labels)).astype(str), tuple("abc"))


REAL, UNSEEN = striped(COUNTS), striped([20, 20, 20], seed=9)


def train(phase, steps=20, images=REAL, training=None, **more):
    settings = ClassifierTraining(
        classifier=Classifier(name="cnn"), training=Training(**{"batch_size": 16, **(training or {})})
    )
    return train_classifier(images, phase, settings, steps=steps, **more)


def divided(probabilities, weights):
    """float64[n, c]: each probability over its class's weight, made to sum to 1 again."""
    quotients = probabilities.astype(np.float64) / weights
    return quotients / quotients.sum(axis=1, keepdims=True)


def shift(plain, adjusted):
    """float32[c], how far the bias of the last layer moved; nothing else may have."""
    for before, after in zip(plain.weights[:-1], adjusted.weights[:-1], strict=True):
        np.testing.assert_array_equal(before, after)
    return adjusted.weights[-1] - plain.weights[-1]


@pytest.fixture(scope="module")
def plain():
    return train(Phase(on="real"))


def one_layer(bias=True):
    inputs = keras.Input((2,))
    return keras.Model(inputs, keras.layers.Dense(3, use_bias=bias, name="logits")(inputs))


def test_a_bias_moves_by_minus_tau_log_prior():
    network = one_layer()
    kernel, bias = head_of(network).weights
    bias.assign([1.0, 2.0, 3.0])
    before = np.asarray(kernel)
    adjust_head(network, np.array([6.0, 3.0, 1.0]), 0.5)
    # By hand: ln 0.6 = -0.510826, ln 0.3 = -1.203973, ln 0.1 = -2.302585.
    np.testing.assert_allclose(np.asarray(bias), [1.255413, 2.601986, 4.151293], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(kernel), before)


def test_a_class_without_images_is_not_put_within_reach():
    network = one_layer()
    bias = head_of(network).weights[1]
    bias.assign([1.0, 2.0, -9.0])
    adjust_head(network, np.array([3.0, 1.0, 0.0]), 1.0)
    np.testing.assert_allclose(np.asarray(bias), [1.287682, 3.386294, -9.0], atol=1e-6)


def test_a_last_layer_without_bias_is_refused():
    phase = Phase(on="real", post_hoc_adjustment=1.0)
    check_head(one_layer(), phase)
    check_head(one_layer(bias=False), Phase(on="real"))
    with pytest.raises(UserError, match=r"^classifier\.name: its last layer has no bias"):
        check_head(one_layer(bias=False), phase)


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_predictions_are_those_of_the_plain_network_over_the_prior(plain, tau):
    adjusted = train(Phase(on="real", post_hoc_adjustment=tau))
    np.testing.assert_allclose(shift(plain, adjusted), -tau * np.log(PRIOR), atol=1e-6)
    before, after = plain.predict(UNSEEN), adjusted.predict(UNSEEN)
    np.testing.assert_allclose(after, divided(before, PRIOR**tau), atol=1e-5)
    # It is no small matter here: rare classes are predicted more often.
    assert (after.argmax(axis=1) == 2).sum() > (before.argmax(axis=1) == 2).sum()
    if tau == 1.0:
        # As the study of the strategies has it, which divides by counts.
        np.testing.assert_array_equal(after.argmax(axis=1), (before / COUNTS).argmax(axis=1))
    assert adjusted.history == plain.history


@pytest.mark.parametrize(
    ("settings", "prior"),
    [
        ({"on": "real", "sampling": "sqrt"}, np.sqrt(COUNTS)),
        # A quarter of each batch is drawn alike for every class.
        ({"on": "both", "blend": Blend(share=0.25)}, 0.75 * PRIOR + 0.25 / 3),
        # And its twin's.
        ({"on": "real", "blend": Blend(share=0.25)}, 0.75 * PRIOR + 0.25 / 3),
        # Lambda 1/2: real images have two thirds of the loss, synthetic ones one third.
        ({"on": "both", "blend": Blend(share=0.5, weight=0.5)}, 2 / 3 * PRIOR + 1 / 9),
        # Each of the 4 synthetic images is mixed with 3 real ones, so that it has half of each mixture's weight.
        (
            {"on": "both", "blend": Blend(share=0.25), "mixing": Mixing(pairs="across", probability=1.0)},
            0.5 * PRIOR + 0.5 / 3,
        ),
        # Filled up with at most as many as there are: 0, 10 and 10.
        ({"on": "both", "blend": Blend(share="balance", most=1.0)}, np.array([30, 30, 20])),
    ],
)
def test_the_prior_is_that_of_the_images_as_they_are_drawn(settings, prior):
    more = {"steps": 2, "synthetic": striped([25, 25, 25], seed=5) if settings["on"] == "both" else None}
    moved = shift(train(Phase(**settings), **more), train(Phase(**settings, post_hoc_adjustment=1.0), **more))
    np.testing.assert_allclose(moved, -np.log(prior / prior.sum()), atol=1e-6)


def test_an_interrupted_training_is_adjusted_once(tmp_path, monkeypatch, plain):
    monkeypatch.setattr(train_classifier_module, "_CHECKPOINT_EVERY_STEPS", 5)
    phase = Phase(on="real", post_hoc_adjustment=1.0)

    def interrupt(report):
        if report.done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress.listen(interrupt):
        train(phase, state_dir=tmp_path)
    assert list(tmp_path.glob("step-*.npz"))
    np.testing.assert_allclose(shift(plain, train(phase, state_dir=tmp_path)), -np.log(PRIOR), atol=1e-6)
    # As where it ended after its last checkpoint and before it was exported.
    np.testing.assert_allclose(shift(plain, train(phase, state_dir=tmp_path)), -np.log(PRIOR), atol=1e-6)
    # Nor does what is trained next in this process start from it.
    assert not shift(plain, train(Phase(on="real"))).any()


def test_the_best_weights_are_adjusted_and_chosen_as_without_it():
    validation = striped([10, 10, 10], seed=3)
    stopping = {"early_stopping": EarlyStopping(patience=50, every=5)}
    runs = [
        train(phase, 30, training=stopping, validation=validation, watched=validation)
        for phase in (Phase(on="real"), Phase(on="real", post_hoc_adjustment=1.0))
    ]
    assert runs[0].history == runs[1].history
    assert "validation_balanced_accuracy" in runs[0].history[-1]
    np.testing.assert_allclose(shift(*runs), -np.log(PRIOR), atol=1e-6)


def test_the_exported_model_has_it(tmp_path, plain):
    adjusted = train(Phase(on="real", post_hoc_adjustment=1.0))
    serving.export_classifier(adjusted, tmp_path / "model")
    expected = divided(plain.predict(UNSEEN), PRIOR)
    loaded = serving.load_classifier(tmp_path / "model")
    np.testing.assert_allclose(loaded.predict_table(UNSEEN), expected, atol=1e-5)
    network = keras.models.load_model(tmp_path / "model" / "model.keras")
    logits = network.predict(UNSEEN.images.astype("float32"), verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(logits), expected, atol=1e-5)


def planned(name, options):
    """The arms by name of a run of the strategy beside the baseline."""
    others = [] if name == "baseline" else [{"name": "baseline"}]
    strategies = [*others, {"name": name, "options": options}]
    return {arm.name: arm for arm in plan_arms(RunConfig.model_validate({"strategies": strategies}))}


CROSS_ENTROPY = {"loss": "cross_entropy"}
TAKES_IT = {
    "baseline": {},
    "focal": {},
    "randaugment": {},
    "cutmix": {},
    "combined": {},
    "logit_adjustment": {"tau": 0},
    "oversample": {"sampling": "sqrt"},
    "deferred": {"sampling": "instance"},
    "pretrain_finetune": CROSS_ENTROPY,
    "regularizer": CROSS_ENTROPY,
    "mixup": CROSS_ENTROPY,
    "weight_balance": CROSS_ENTROPY,
}
TWICE_BY_LOSS = {
    "balanced_softmax": "balanced_softmax",
    "logit_adjustment": "logit_adjustment",
    "class_weight": "class_weight",
    "weight_balance": "class_weight",
    "pretrain_finetune": "balanced_softmax",
    "regularizer": "balanced_softmax",
    "mixup": "balanced_softmax",
}
ALIKE = ("oversample", "undersample", "deferred", "retrain_head", "synthetic_only")


@pytest.mark.parametrize("name", TAKES_IT)
def test_it_changes_the_last_phase_and_that_of_the_twin_alone(name):
    without = planned(name, TAKES_IT[name])
    arms = planned(name, {**TAKES_IT[name], ADJUSTED: 0.7})
    assert set(arms) == set(without)
    assert (f"{name}_matched" in arms) == arms[name].uses_synthetic
    for arm in {name, f"{name}_matched"} & set(arms):
        *first, last = arms[arm].phases
        assert [phase.post_hoc_adjustment for phase in first] == [None] * len(first)
        assert last.post_hoc_adjustment == 0.7
        assert (*first, last.model_copy(update={ADJUSTED: None})) == without[arm].phases
        # What a Trainer is given is read again.
        assert Phase.model_validate_json(last.model_dump_json()) == last
    assert planned(name, {**TAKES_IT[name], ADJUSTED: 0}) == without


def test_a_twin_is_adjusted_by_the_same_prior_and_a_control_too():
    phase = Phase(on="both", blend=Blend(share="balance"), post_hoc_adjustment=1.0)
    assert matched_phases((phase,)) == (phase.model_copy(update={"on": "real"}),)
    options = {"of": "combined", "options": {ADJUSTED: 1.0}}
    assert planned("shuffled_synthetic", options)["shuffled_synthetic"].phases[-1].post_hoc_adjustment == 1.0


def test_every_strategy_takes_it_or_says_why_not():
    names = set(registry.names("models.strategies"))
    assert names == {*TAKES_IT, *TWICE_BY_LOSS, *ALIKE, "shuffled_synthetic", "resnet_rf", "smote_svm"}


@pytest.mark.parametrize("name", TWICE_BY_LOSS)
def test_it_is_refused_beside_a_loss_that_goes_by_class_counts(name):
    with pytest.raises(UserError) as raised:
        planned(name, {ADJUSTED: 1.0})
    assert str(raised.value) == (
        f"strategies.{name}.options: the loss {TWICE_BY_LOSS[name]} corrects for the class counts already, so that "
        "post_hoc_adjustment would do it twice; change one of these options."
    )


@pytest.mark.parametrize("name", ALIKE)
def test_it_is_refused_where_no_prior_is_learned(name):
    with pytest.raises(UserError, match=rf"^strategies\.{name}\.options: post_hoc_adjustment changes nothing where "):
        planned(name, {ADJUSTED: 1.0})


def test_it_is_refused_beside_even_norms_and_for_what_scikit_learn_fits():
    with pytest.raises(UserError, match="evening out the norms .* would do it twice"):
        planned("retrain_head", {"by": "normalise", ADJUSTED: 1.0})
    with pytest.raises(
        UserError, match=r"^strategies\.resnet_rf\.options\.post_hoc_adjustment: changes the last layer"
    ):
        planned("resnet_rf", {ADJUSTED: 1.0})
    with pytest.raises(UserError, match="is an option of others, not of this one"):
        planned("smote_svm", {ADJUSTED: 1.0})


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan")])
def test_an_impossible_strength_is_refused(value):
    with pytest.raises(UserError, match=r"^strategies\.focal\.options\.post_hoc_adjustment: "):
        planned("focal", {ADJUSTED: value})


def test_losses_say_whether_they_go_by_counts():
    plain = ("cross_entropy", "focal", {"name": "logit_adjustment", "options": {"tau": 0}})
    assert not any(Loss.model_validate(loss).goes_by_counts for loss in plain)
    effective = {"name": "class_weight", "options": {"by": "effective_number"}}
    for loss in ("balanced_softmax", "logit_adjustment", "class_weight", effective):
        assert Loss.model_validate(loss).goes_by_counts


def test_a_strategy_without_phases_has_none_to_adjust():
    assert AdjustmentOptions(post_hoc_adjustment=1.0).apply_to() == ()
