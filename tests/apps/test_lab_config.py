from __future__ import annotations

import dataclasses
import re
import typing

import pytest

from apps.lab import RunError, load_config
from apps.lab.config import as_dict, as_yaml, differences, field_types

pytestmark = pytest.mark.once


@dataclasses.dataclass(frozen=True)
class Training:
    epochs: int = 3
    learning_rate: float = 1e-3


@dataclasses.dataclass(frozen=True)
class Settings:
    seed: int = 0
    output: str | None = None
    flip: bool = True
    kind: typing.Literal["ideal", "gaussian"] = "ideal"
    radii: tuple[float, ...] = (4, 8)
    names: tuple[str, ...] | None = None
    training: Training = dataclasses.field(default_factory=Training)

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received: seed={self.seed}")


@dataclasses.dataclass(frozen=True)
class Needs:
    name: str
    seed: int = 0


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("seed: 1\nradii: [1, 2]\ntraining:\n  epochs: 5\n")
    return path


def test_file_values_reach_the_typed_dataclass(config_file):
    config = load_config(Settings, config_file)
    assert config == Settings(seed=1, radii=(1.0, 2.0), training=Training(epochs=5))
    assert isinstance(config.radii[0], float)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["seed=7"], {"seed": 7}),
        (["--seed=7"], {"seed": 7}),
        (["training.epochs=9", "training.learning_rate=1e-2"], {"training": Training(9, 0.01)}),
        (["radii=[3, 4.5]"], {"radii": (3.0, 4.5)}),
        (["flip=false"], {"flip": False}),
        (["output=a b=c"], {"output": "a b=c"}),
        (["output=null"], {"output": None}),
        (["output=2026_12_01"], {"output": "2026_12_01"}),
        (["output=1.10"], {"output": "1.10"}),
        (["output='010'"], {"output": "010"}),
        (["names=[a, 1]"], {"names": ("a", "1")}),
        (["kind=gaussian"], {"kind": "gaussian"}),
    ],
)
def test_overrides(config_file, words, expected):
    expected = {"seed": 1, "radii": (1.0, 2.0), "training": Training(epochs=5)} | expected
    assert load_config(Settings, config_file, words) == Settings(**expected)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("sed=1", ["`sed`", "Did you mean `seed`?", "training.epochs"]),
        ("training.epoch=1", ["`training.epoch`", "Did you mean `training.epochs`?"]),
        ("training=3", ["no setting `training`", "training.epochs"]),
        ("seed=x", ["`seed` must be a whole number", "Received: seed='x'"]),
        ("seed=1.5", ["`seed` must be a whole number", "Received: seed=1.5"]),
        ("seed=true", ["`seed` must be a whole number", "Received: seed=True"]),
        ("seed=null", ["`seed` must be a whole number", "Received: seed=null"]),
        ("flip=3", ["`flip` must be true or false", "Received: flip=3"]),
        ("radii=3,4", ["`radii` must be a list, each a number", "Received: radii='3,4'"]),
        ("radii=3", ["`radii` must be a list", "Received: radii=3"]),
        ("radii={1: 2}", ["`radii` must be a list", "Received: radii={1: 2}"]),
        ("radii={a: 2}", ["`radii` must be a list", "Received: radii={'a': 2}"]),
        ("names=abc", ["`names` must be a list, each text or null", "Received: names='abc'"]),
        ("names={a: 1}", ["`names` must be a list", "Received: names={'a': 1}"]),
        ("names=[[a]]", ["`names.0` must be text", "['a']"]),
        ("radii=[3, x]", ["`radii.1` must be a number", "'x'"]),
        ("radii=[3, null]", ["`radii.1` must be a number", "null"]),
        ("kind=square", ["kind", "ideal", "gaussian", "square"]),
        ("seed=-1", ["`seed` must be at least 0", "Received: seed=-1"]),
        ("seed=[1", ["`seed` must be YAML", "'seed=[1'"]),
        ("seed", ["key=value", "'seed'"]),
    ],
)
def test_wrong_override_is_one_line_that_names_the_field(config_file, word, parts):
    with pytest.raises(RunError) as caught:
        load_config(Settings, config_file, [word])
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.code == 2
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sed: 1", ["`sed`", "Did you mean `seed`?", "settings.yaml"]),
        ("training: {epoch: 2}", ["`training.epoch`", "Did you mean `training.epochs`?"]),
        ("training: 3", ["`training` must be a group of epochs, learning_rate", "training=3"]),
        ("training:", ["`training` must be a group", "training=null"]),
        ("seed: null", ["`seed` must be a whole number", "seed=null"]),
        ("seed: one", ["`seed` must be a whole number", "'one'"]),
        ("training: {learning_rate: fast}", ["`training.learning_rate` must be a number", "'fast'"]),
        ("seed: [1", ["must be YAML", "settings.yaml"]),
        ("output: 010", ["`output` must be text or null", "output=8"]),
        ("output: [a]", ["`output` must be text or null", "output=['a']"]),
        ("- 1", ["must hold settings", "Received: a list"]),
        ("", ["must hold settings", "Received: an empty file"]),
        ("seed: -3", ["`seed` must be at least 0", "seed=-3"]),
    ],
)
def test_wrong_file_is_one_line(config_file, text, parts):
    config_file.write_text(text)
    with pytest.raises(RunError) as caught:
        load_config(Settings, config_file)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_missing_file_and_missing_setting(tmp_path):
    with pytest.raises(RunError, match=r"must be a file that can be read.*none\.yaml"):
        load_config(Settings, tmp_path / "none.yaml")
    with pytest.raises(RunError, match="must be a file that can be read"):
        load_config(Settings, tmp_path)
    (tmp_path / "a.yaml").write_text("seed: 2")
    with pytest.raises(RunError, match="must set `name`"):
        load_config(Needs, tmp_path / "a.yaml")


def test_a_group_that_is_stated_in_part_keeps_the_default_of_its_field(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Own:
        seed: int = 0
        training: Training = dataclasses.field(default_factory=lambda: Training(epochs=7, learning_rate=0.5))

    path = tmp_path / "own.yaml"
    path.write_text("training: {epochs: 9}\n")
    assert load_config(Own, path).training == Training(epochs=9, learning_rate=0.5)
    path.write_text("seed: 1\n")
    assert load_config(Own, path, ["training.epochs=2"]).training == Training(epochs=2, learning_rate=0.5)


def test_a_file_states_what_differs_from_its_base(config_file, tmp_path):
    (tmp_path / "below").mkdir()
    small = tmp_path / "below" / "small.yaml"
    small.write_text("base: ../settings.yaml\nradii: [3]\ntraining: {learning_rate: 0.1}\n")
    expected = Settings(seed=1, radii=(3.0,), training=Training(epochs=5, learning_rate=0.1))
    assert load_config(Settings, small) == expected
    smaller = tmp_path / "smaller.yaml"
    smaller.write_text("base: below/small.yaml\nseed: 4\n")
    assert load_config(Settings, smaller) == dataclasses.replace(expected, seed=4)
    assert load_config(Settings, smaller, ["radii=[9]"]).radii == (9.0,)
    assert "base" not in as_yaml(load_config(Settings, smaller))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: settings.yaml", "`base` must not lead back to the file itself"),
        ("base: other.yaml", "`base` must not lead back to the file itself"),
        ("base: none.yaml", "must be a file that can be read"),
        ("base: 3", "`base` must be the path of a configuration. Received: base=3 (from "),
    ],
)
def test_a_base_that_is_none_is_one_line(config_file, tmp_path, text, message):
    (tmp_path / "other.yaml").write_text("base: settings.yaml\n")
    config_file.write_text(text)
    with pytest.raises(RunError) as caught:
        load_config(Settings, config_file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_group_may_be_that_of_another_file(config_file, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("base: settings.yaml\ntraining: {epochs: 7}\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "base.yaml").write_text("seed: 2\ntraining: {epochs: 1, learning_rate: 3.0}\n")
    path = tmp_path / "below" / "small.yaml"
    path.write_text("base: base.yaml\ntraining: {base: ../other.yaml}\n")
    expected = load_config(Settings, other).training
    assert load_config(Settings, path).training == expected  # nothing is left of that of base.yaml
    assert load_config(Settings, path).seed == 2
    path.write_text("training: {base: ../other.yaml, learning_rate: 0.2}\n")
    assert load_config(Settings, path).training == dataclasses.replace(expected, learning_rate=0.2)
    for text, message in (
        ("{base: none.yaml}", "must be a file that can be read"),
        ("{base: 3}", "`base` must be the path of a configuration. Received: base=3"),
        (
            "{base: empty.yaml}",
            "`training.base` must be a file with `training`. Received: training.base=empty.yaml",
        ),
        ("{base: ../other.yaml, epoch: 2}", "no setting `training.epoch`"),
    ):
        (tmp_path / "below" / "empty.yaml").write_text("seed: 0\n")
        path.write_text(f"training: {text}\n")
        with pytest.raises(RunError, match=re.escape(message)):
            load_config(Settings, path)
    path.write_text("training: {base: small.yaml}\n")
    with pytest.raises(RunError, match="must not lead back"):
        load_config(Settings, path)


def test_an_error_in_a_base_names_its_file(config_file, tmp_path):
    (tmp_path / "small.yaml").write_text("base: settings.yaml\n")
    config_file.write_text("sed: 1\n")
    with pytest.raises(RunError, match=r"no setting `sed`.*settings\.yaml"):
        load_config(Settings, tmp_path / "small.yaml")


def test_yaml_round_trip(config_file, tmp_path):
    config = load_config(Settings, config_file, ["training.learning_rate=1e-5", "output=x"])
    (tmp_path / "again.yaml").write_text(as_yaml(config))
    assert load_config(Settings, tmp_path / "again.yaml") == config


def test_differences_are_dotted():
    old, new = as_dict(Settings()), as_dict(Settings(seed=2, training=Training(epochs=4)))
    assert differences(old, new) == [("seed", 0, 2), ("training.epochs", 3, 4)]
    assert differences(old, old) == []


def test_field_types_are_dotted():
    assert list(field_types(Settings))[-2:] == ["training.epochs", "training.learning_rate"]


@pytest.mark.parametrize(
    "value", ["!include other.yaml", "!!python/name:os.system", "!!python/object/apply:os.getcwd []"]
)
def test_yaml_makes_no_objects_and_reads_no_other_files(tmp_path, value):
    (tmp_path / "other.yaml").write_text("3\n")
    (tmp_path / "c.yaml").write_text(f"seed: {value}\n")
    for arguments in ((tmp_path / "c.yaml",), (tmp_path / "plain.yaml", [f"seed={value}"])):
        (tmp_path / "plain.yaml").write_text("seed: 1\n")
        with pytest.raises(RunError, match="YAML") as caught:
            load_config(Settings, *arguments)
        assert "\n" not in str(caught.value)
