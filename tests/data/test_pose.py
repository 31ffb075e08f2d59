"""Key points: found by the real model, read from OpenPose's files, varied, drawn, and kept in records."""

from __future__ import annotations

import importlib.util
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from evenhand.config import Data, Keypoints
from evenhand.data import openpose, pose, records
from evenhand.data.batches import batches
from evenhand.data.fingerprint import fingerprint
from evenhand.data.image_tables import images_without_hand, load_table
from evenhand.data.load import open_images
from evenhand.data.pose_maps import num_channels, pose_maps
from evenhand.data.pose_variation import NOISE_SIZE, Jitter, distances, interpolate, jitter, normalized, side
from evenhand.data.prepare import prepare
from evenhand.data.sidecar import DataSummary
from evenhand.errors import UserError

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def model(hand_model: Path) -> str:
    if importlib.util.find_spec("mediapipe") is None:
        pytest.skip("mediapipe is not installed (extra `pose`)")
    return str(hand_model)


@pytest.fixture(scope="module")
def find_hand(model: str) -> Iterator[pose.FindHand]:
    with pose.open_finder(Keypoints(model=model)) as opened:
        yield opened


def hands(number: int, seed: int = 0) -> NDArray[np.float32]:
    """Any key points, all of them found."""
    keypoints = np.random.default_rng(seed).uniform(0.1, 0.9, (number, 21, 3)).astype(np.float32)
    return np.maximum(keypoints, [0, 0, 0.5]).astype(np.float32)


def noise(number: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(number, NOISE_SIZE)).astype(np.float32)


def person(side: str, confidence: float, x: float = 10.0, y: float = 20.0) -> dict[str, Any]:
    return {f"hand_{side}_keypoints_2d": [x, y, confidence] * 21}


# ------------------------------------------------------------------------------------------------ the real model


def test_the_real_model_finds_plausible_hands(find_hand: pose.FindHand, datasets: Path) -> None:
    folder = datasets / "sign_language_digits"
    pictures = [sorted((folder / str(digit)).iterdir())[70] for digit in range(10)]
    pixels = [np.asarray(Image.open(path).convert("RGB")) for path in pictures]
    found = np.stack([find_hand(path.name, image) for path, image in zip(pictures, pixels, strict=True)])
    assert found.dtype == np.float32 and found.shape == (10, 21, 3)
    assert pose.has_hand(found).sum() >= 9
    found, digits = found[pose.has_hand(found)], np.flatnonzero(pose.has_hand(found))
    places = found[:, :, :2]
    # The hands fill most of the picture: the wrist below the knuckles, the palm a quarter to half of the height.
    assert ((places > -0.2) & (places < 1.2)).all()
    palm = places[:, pose.WRIST] - places[:, pose.MIDDLE_KNUCKLE]
    assert (palm[:, 1] > 0).all()
    assert ((np.linalg.norm(palm, axis=1) > 0.2) & (np.linalg.norm(palm, axis=1) < 0.6)).all()
    # Five shows its fingers, zero does not: tips of the four fingers above and below their middle joints.
    raised = {
        digit: int((hand[[8, 12, 16, 20], 1] < hand[[6, 10, 14, 18], 1]).sum())
        for digit, hand in zip(digits, places, strict=True)
    }
    assert raised[5] == 4 and raised[0] <= 1
    np.testing.assert_array_equal(find_hand("again", pixels[digits[0]]), found[0])


def test_the_real_model_finds_the_same_whatever_the_size_and_no_hand_in_noise(
    find_hand: pose.FindHand, datasets: Path
) -> None:
    image = Image.open(sorted((datasets / "sign_language_digits" / "5").iterdir())[70]).convert("RGB")
    whole = find_hand("100", np.asarray(image))
    for size in ((50, 50), (150, 100), (1500, 1500)):
        resized = find_hand("other", np.asarray(image.resize(size, Image.Resampling.BICUBIC)))
        assert np.abs(resized[:, :2] - whole[:, :2]).max() < 0.06
    grey = find_hand("grey", np.asarray(image.convert("L"))[:, :, None])
    assert pose.has_hand(grey)
    assert not find_hand("flat", np.full((40, 40, 3), 128, np.uint8)).any()


# ------------------------------------------------------------------------------------------------ what is missing


def test_what_is_missing_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "hand.task"
    with zipfile.ZipFile(bundle, "w") as file:
        file.writestr("hand_landmarks_detector.tflite", b"")
    other = tmp_path / "other.task"
    other.write_bytes(b"no zip")
    for keypoints, sentence in (
        (Keypoints(model=str(tmp_path / "none.task")), r"data\.keypoints\.model: there is no file"),
        (Keypoints(model=str(other)), r"data\.keypoints\.model: .* is no hand landmarker"),
        (Keypoints(openpose=str(tmp_path / "none")), r"data\.keypoints\.openpose: there is no folder"),
    ):
        config = Data(keypoints=keypoints)
        for act in (fingerprint, open_images):
            with pytest.raises(UserError, match=sentence):
                act(config)
    pose.check(Keypoints(model=str(bundle)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="mediapipe, which is not installed") as caught:
        open_images(Data(keypoints=Keypoints(model=str(bundle))))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("values", [{}, {"model": "a", "openpose": "b"}])
def test_exactly_one_place_is_given(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either model or openpose"):
        Keypoints(**values)


def test_the_fingerprint_notices_changed_key_points(tmp_path: Path) -> None:
    (tmp_path / "0_keypoints.json").write_text(json.dumps({"people": []}))
    config = Data(keypoints=Keypoints(openpose=str(tmp_path)))
    first = fingerprint(config)
    assert first != fingerprint(Data()) and len(first) == len(fingerprint(Data()))
    (tmp_path / "0_keypoints.json").write_text(json.dumps({"people": [person("left", 0.5)]}))
    assert fingerprint(config) != first


# ------------------------------------------------------------------------------------------------ OpenPose


def test_openpose_gives_shares_and_the_surest_hand() -> None:
    right = [value for joint in range(21) for value in (joint, 2 * joint, 0.9 if joint else 0.0)]
    text = json.dumps({"people": [person("left", 0.6), {**person("left", 0.3), "hand_right_keypoints_2d": right}]})
    keypoints = openpose.parse(text, width=40, height=80)
    assert keypoints.dtype == np.float32
    np.testing.assert_allclose(keypoints[8], [8 / 40, 16 / 80, 0.9])
    np.testing.assert_array_equal(keypoints[0], [0, 0, 0])
    # 20/21 of 0.9 is more than 0.6; without the right hand the left one is taken, where it is.
    left = openpose.parse(json.dumps({"people": [person("left", 0.6)]}), width=40, height=80)
    np.testing.assert_allclose(left, np.tile([0.25, 0.25, 0.6], (21, 1)), rtol=1e-6)


@pytest.mark.parametrize("people", [[], [{}], [{"hand_left_keypoints_2d": []}], [person("right", 0.05)]])
def test_openpose_without_a_hand(people: list[Any]) -> None:
    assert not openpose.parse(json.dumps({"people": people}), width=4, height=4).any()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"people": 3}', '{"people": [3]}', '{"people": [{"hand_left_keypoints_2d": [1, 2]}]}',
     '{"people": [{"hand_left_keypoints_2d": {"a": 1}}]}', json.dumps({"people": [person("left", float("nan"))]})],
)  # fmt: skip
def test_openpose_damaged(text: str) -> None:
    with pytest.raises(ValueError):
        openpose.parse(text, width=4, height=4)


def test_openpose_files_are_found_by_the_end_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name, x in (("a/1", 1.0), ("1", 2.0), ("2", 3.0)):
        (tmp_path / f"{name}_keypoints.json").write_text(json.dumps({"people": [person("left", 0.5, x=x)]}))
    (tmp_path / "3_keypoints.json").write_text("broken")
    pixels = np.zeros((10, 10, 1), np.uint8)
    with pose.open_finder(Keypoints(openpose=str(tmp_path))) as find:
        lost = [find(name, pixels) for name in ("folder/a/3.png", "folder/a/4.png")]
        first = {name: find(name, pixels)[0, 0] for name in ("folder/a/1.png", "folder/b/1.png", "csv/x/2.jpg")}
    assert first == {
        "folder/a/1.png": pytest.approx(0.1),
        "folder/b/1.png": pytest.approx(0.2),
        "csv/x/2.jpg": pytest.approx(0.3),
    }
    assert not np.any(lost)


def test_a_file_of_openpose_serves_one_image_only(tmp_path: Path, make_folder: Any) -> None:
    root, poses = make_folder({"a": 2, "b": 2}), tmp_path / "poses"
    config = Data(source="folder", path=str(root), image_size=8, keypoints=Keypoints(openpose=str(poses)))
    for name in ("a/000", "b/000", "001"):
        (poses / name).parent.mkdir(parents=True, exist_ok=True)
        (poses / f"{name}_keypoints.json").write_text(json.dumps({"people": [person("left", 0.5)]}))
    with pytest.raises(UserError, match=r"001_keypoints\.json: .*folder/a/001\.png and folder/b/001\.png would"):
        prepare(config, 0)
    (poses / "b" / "001_keypoints.json").write_text(json.dumps({"people": []}))
    assert len(prepare(config, 0).image_set) == 4


# ------------------------------------------------------------------------------------------------ new poses


def test_jitter_without_noise_or_strength_changes_nothing() -> None:
    keypoints = hands(4)
    still = Jitter(rotation=0, scale=0, shift=0, joint=0)
    np.testing.assert_allclose(jitter(keypoints, tf.zeros((4, NOISE_SIZE)), Jitter()), keypoints, atol=1e-6)
    np.testing.assert_allclose(jitter(keypoints, noise(4), still), keypoints, atol=1e-6)


def test_jitter_by_hand() -> None:
    keypoints = np.zeros((1, 21, 3), np.float32)
    keypoints[0, :2] = [[0.4, 0.5, 1.0], [0.6, 0.5, 1.0]]
    numbers = np.zeros((1, NOISE_SIZE), np.float32)
    numbers[0, :4] = [1.0, 2.0, 1.0, -1.0]
    strength = Jitter(rotation=90.0, scale=np.log(2.0) / 2, shift=0.1, joint=0.0)
    moved = np.asarray(jitter(keypoints, numbers, strength))
    # Turned by 90 degrees from right to down, twice as large, shifted right and up; what was not found stays 0.
    np.testing.assert_allclose(moved[0, :2], [[0.6, 0.2, 1.0], [0.6, 0.6, 1.0]], atol=1e-6)
    assert not moved[0, 2:].any()


def test_jitter_turns_and_scales_a_hand_as_a_whole() -> None:
    keypoints = hands(50)
    moved = np.asarray(jitter(keypoints, noise(50), Jitter(joint=0.0)))[..., :2]
    before, after = (np.linalg.norm(k[:, :, None] - k[:, None], axis=-1) for k in (keypoints[..., :2], moved))
    ratio = after[:, 0, 1:] / before[:, 0, 1:]
    np.testing.assert_allclose(ratio, np.repeat(ratio[:, :1], 20, 1), rtol=1e-3)
    assert 0.02 < np.log(ratio[:, 0]).std() < 0.08
    # One hand's noise moves no other hand.
    alone = jitter(keypoints[7:8], noise(50)[7:8], Jitter(joint=0.0))[..., :2]
    np.testing.assert_allclose(alone[0], moved[7], atol=1e-6)


def test_what_lies_between_two_poses() -> None:
    first, second = hands(3), hands(3, seed=1)
    ends = tf.constant([1.0, 0.0, 0.25])
    between = np.asarray(interpolate(first, second, ends))
    np.testing.assert_allclose(between[0, :, :2], first[0, :, :2], atol=1e-6)
    np.testing.assert_allclose(between[1, :, :2], second[1, :, :2], atol=1e-6)
    np.testing.assert_allclose(between[2, :, :2], 0.25 * first[2, :, :2] + 0.75 * second[2, :, :2], atol=1e-6)
    np.testing.assert_array_equal(between[..., 2], np.minimum(first[..., 2], second[..., 2]))
    first[:, 4] = 0
    assert not np.asarray(interpolate(first, second, ends))[:, 4].any()


def test_the_shape_of_a_hand_knows_neither_place_nor_size_nor_side() -> None:
    keypoints = hands(2)
    other = keypoints.copy()
    other[..., :2] = 0.3 + 0.5 * keypoints[..., :2]
    mirrored = keypoints.copy()
    mirrored[..., 0] = 1.0 - keypoints[..., 0]
    shape = np.asarray(normalized(keypoints))
    np.testing.assert_allclose(normalized(other), shape, atol=1e-4)
    np.testing.assert_allclose(normalized(mirrored), shape, atol=1e-4)
    np.testing.assert_allclose((shape**2).sum(-1).mean(-1), 1.0, rtol=1e-4)


def test_the_side_of_a_hand_by_hand() -> None:
    """Wrist below, index finger's knuckle to the left of the little finger's: the back of a right hand."""
    keypoints = np.zeros((4, 21, 3), np.float32)
    keypoints[:, [pose.WRIST, 5, 17]] = [[0.5, 0.9, 1.0], [0.4, 0.5, 1.0], [0.6, 0.5, 1.0]]
    keypoints[1, :, 0] = 1.0 - keypoints[1, :, 0]
    keypoints[2, :, :2] = keypoints[2, :, 1::-1] * [1, -1]  # turned by a quarter
    keypoints[3, 17] = 0.0
    np.testing.assert_array_equal(side(keypoints), [1.0, -1.0, 1.0, 0.0])


def test_distances_by_hand() -> None:
    keypoints = np.zeros((3, 21, 3), np.float32)
    keypoints[:, 1:3, 2] = 1.0
    keypoints[0, 1:3, :2] = [[0.4, 0.5], [0.6, 0.5]]
    keypoints[1, 1:3, :2] = [[0.1, 0.1], [0.1, 0.3]]
    keypoints[2, 1:3, 2] = 0.0
    # Shapes (-1, 0), (1, 0) and (0, -1), (0, 1): each point is the root of 2 away; the third hand has no point.
    expected = [[0, 2**0.5, 0], [2**0.5, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(distances(keypoints), expected, atol=1e-5)


# ------------------------------------------------------------------------------------------------ maps


def test_maps_by_hand() -> None:
    keypoints = np.zeros((1, 21, 3), np.float32)
    keypoints[0, 0] = [0.5, 0.25, 1.0]  # (3.5, 1.5) of an 8x8 grid: between four pixels
    keypoints[0, 1] = [5.5 / 8, 6.5 / 8, 0.1]  # on pixel (5, 6)
    keypoints[0, 2] = [0.5, 0.5, 0.09]  # not sure enough
    keypoints[0, 3] = [2.0, 0.5, 1.0]  # out of the image
    maps = np.asarray(pose_maps(keypoints, 8, 8))
    assert maps.shape == (1, 8, 8, 21)
    np.testing.assert_allclose(maps[0, 1:3, 3:5, 0], np.exp(-0.25), rtol=1e-5)
    assert maps[0, 6, 5, 1] == pytest.approx(1.0)
    assert maps[0, 6, 6, 1] == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert maps[..., 3].max() < 1e-6
    assert not maps[..., 2].any() and not maps[..., 4:].any()
    disks = np.asarray(pose_maps(keypoints, 8, 8, mark="disk"))
    assert disks[0, :, :, 0].sum() == 4 and disks[0, :, :, 1].sum() == 5
    # At 64 rows the radius is 2: 13 pixels around a pixel's centre.
    large = pose_maps(np.asarray([[[32.5 / 64, 32.5 / 64, 1.0]] * 21], np.float32), 64, 64, mark="disk")
    assert np.asarray(large)[0, :, :, 0].sum() == 13


def test_bones_connect_neighbours() -> None:
    assert len(pose.BONES) == 20 and num_channels(bones=True) == 41
    assert [end for _, end in pose.BONES] == list(range(1, 21))
    assert pose.BONES[:6] == ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6))
    keypoints = np.zeros((1, 21, 3), np.float32)
    keypoints[0, 0] = [0.5 / 8, 2.5 / 8, 1.0]
    keypoints[0, 5] = [6.5 / 8, 2.5 / 8, 1.0]
    maps = np.asarray(pose_maps(keypoints, 8, 8, mark="disk", bones=True))
    # The one bone with both ends: pixels (0, 2) to (6, 2), a row to each side, and (7, 2) beyond its end.
    expected = np.zeros((8, 8))
    expected[1:4, :7] = expected[2, 7] = 1
    np.testing.assert_array_equal(maps[0, :, :, 21 + 4], expected)
    assert maps[..., 21:].sum() == expected.sum()


# ------------------------------------------------------------------------------------------------ records


@pytest.fixture
def ingested(tmp_path: Path, make_folder: Any) -> tuple[Path, dict[str, NDArray[np.float32]]]:
    """Twelve images of two classes, of which one has no file of OpenPose's; what was written of the others."""
    root, poses = make_folder({"a": 6, "b": 6}), tmp_path / "poses"
    expected = {}
    for index, path in enumerate(sorted(root.rglob("*.png"))):
        image_id = f"folder/{path.parent.name}/{path.name}"
        expected[image_id] = np.zeros((21, 3), np.float32)
        if index == 4:
            continue
        file = poses / path.parent.name / f"{path.stem}_keypoints.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"people": [person("left", 0.5, x=index, y=6.0)]}))
        expected[image_id] += np.asarray([index / 12, 0.5, 0.5], np.float32)
    config = Data(source="folder", path=str(root), image_size=8, keypoints=Keypoints(openpose=str(poses)))
    examples = tmp_path / "examples"
    preparation = prepare(config, 0)
    for shard in records.plan_shards(config, preparation, str(examples)):
        records.write_source_shard(pickle.loads(pickle.dumps(shard)))
    DataSummary.of(preparation, config, "f" * 32, images_without_hand(str(examples), SPLITS)).write(examples)
    return examples, expected


def test_key_points_arrive_in_tables(ingested: tuple[Path, dict[str, NDArray[np.float32]]], tmp_path: Path) -> None:
    examples, expected = ingested
    assert DataSummary.read(examples).without_hand == ("folder/a/004.png",)
    for cache in (None, tmp_path / "tables", tmp_path / "tables"):
        table = load_table(str(examples), SPLITS, cache=cache)
        assert table.keypoints is not None and len(table) == len(expected)
        np.testing.assert_allclose(table.keypoints, [expected[str(image_id)] for image_id in table.ids], rtol=1e-6)


def test_batches_give_key_points_when_asked(ingested: tuple[Path, dict[str, NDArray[np.float32]]]) -> None:
    table = load_table(str(ingested[0]), ["train"], cache=None)
    settings: dict[str, Any] = {"batch_size": 5, "sampling": "balanced", "seed": 0, "num_steps": 2}
    plain, with_keypoints = (list(batches(table, with_keypoints=asked, **settings)) for asked in (False, True))
    for (images, labels), (same_images, same_labels, keypoints) in zip(plain, with_keypoints, strict=True):
        np.testing.assert_array_equal(images, same_images)
        np.testing.assert_array_equal(labels, same_labels)
        rows = [int(np.flatnonzero((table.images == image).all((1, 2, 3)))[0]) for image in images.numpy()]
        assert table.keypoints is not None
        np.testing.assert_array_equal(keypoints, table.keypoints[rows])


def test_without_key_points_tables_and_records_have_none(tmp_path: Path) -> None:
    config = Data(image_size=8)
    preparation = prepare(config, 0)
    for shard in records.plan_shards(config, preparation, str(tmp_path)):
        records.write_source_shard(shard)
    DataSummary.of(preparation, config, "f" * 32).write(tmp_path)
    table = load_table(str(tmp_path), ["validation"], cache=None)
    assert table.keypoints is None and DataSummary.read(tmp_path).without_hand is None
    with pytest.raises(ValueError, match="key points"):
        batches(table, batch_size=2, sampling="balanced", seed=0, num_steps=1, with_keypoints=True)
