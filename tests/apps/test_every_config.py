"""Every configuration: its keys, its header, and that a variant states only what differs from its base."""

from __future__ import annotations

import dataclasses
import re

import pytest

from apps.lab import Experiment, load_config
from apps.lab.config import as_dict, read_chain
from apps.lab.networks import NETWORKS, STATISTICS
from apps.lab.recipe import recipe
from apps.lab.settings import Augmentations, Training
from tests.apps.running import CONFIGS, ROOT, experiments

FILES = sorted(path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml"))
# Where a run writes and keeps its networks is no part of a protocol.
PLACES = {"output", "store"}

pytestmark = pytest.mark.once


def experiment_of(path) -> tuple[str, Experiment]:
    """The experiment that the command in the header names, and by what words."""
    app = path.parts[0]
    found = re.search(rf"python -m apps\.{app}( \w+)? configs/{path}", header(path))
    assert found, f"{path} must say how it is run: python -m apps.{app} ... configs/{path}"
    name = (found[1] or app).strip()
    return name, experiments(app)[name]


def header(path) -> str:
    lines = (CONFIGS / path).read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    return "\n".join(line.removeprefix("#").strip() for line in lines[:end])


def resolved(path):
    _, experiment = experiment_of(path)
    return load_config(experiment.config, CONFIGS / path)


def recipes(config) -> list[tuple[str, Training]]:
    """The recipes among the settings."""
    found = ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config))
    return [(name, value) for name, value in found if isinstance(value, Training)]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_it_resolves(path):
    config = resolved(path)
    assert as_dict(config)
    assert (config.seed, config.output) == (0, None)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_header_has_its_parts(path):
    text = header(path)
    assert "inutes" in text or "Seconds" in text, "how long it takes"
    assert "[mem]" not in text, "numbers from memory"
    if path.parts[0] not in ("quickstart", "benchmarks", "lab"):
        name, _ = experiment_of(path)
        assert "Paper:" in text
        assert re.search(r"(CVPR|ICCV|IJCAI|ICLR|NeurIPS) 20\d\d", text)
        assert re.search(r"[Pp]ublished", text), "what was published, or that nothing can be compared"
        assert f"apps.{path.parts[0]} {name} " in text
        assert "--resume" in text
        if read_chain(CONFIGS / path)[1:]:
            assert "Not the paper's:" in text, "what differs from the paper"


# What a header says, and the settings that must say so too.
SAID = {
    r"(\d+) epochs": lambda config: {training.epochs for _, training in recipes(config)},
    r"batches of (\d+)": lambda config: {training.batch_size for _, training in recipes(config)},
    r"seeds ((?:\d+, )*\d+)\b": lambda config: {
        ", ".join(str(config.seed + k) for k in range(count)) for count in range(1, config.seeds + 1)
    },
}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_numbers_of_the_header_are_those_of_the_settings(path):
    config = resolved(path)
    if not recipes(config):
        pytest.skip("no recipe of a network")
    for pattern, settings in SAID.items():
        said = re.findall(pattern, header(path))
        allowed = {str(value) for value in settings(config)} | set(map(str, numbers_of(as_dict(config))))
        for word in said:
            # A range, as "9 to 24 epochs", is that of all configurations of the app.
            if not re.search(rf"\d+ to {word} ", header(path)):
                assert word in allowed, f"{path} says {pattern}: {word}; the settings say {sorted(allowed)}"


# What a header states, and the settings that it may be.
STATED = {
    r"pad(?:ding| of)? (\d+)": lambda config, training: {
        training.crop.padding,
        getattr(getattr(config, "adversary", None), "padding", None),
    },
    r"[sS]td (\.\d{4})": lambda config, training: {f"{STATISTICS[training.statistics][1][0]:.4f}"[1:]},
    r"levels of APR-S (?:are )?(wrap|rounded and clip)": lambda config, training: {
        {"wrap": "wrap", "clip": "rounded and clip"}[training.augmentations.overflow]
    },
    r"patience (\d+)": lambda config, training: {training.patience},
    r"(small_resnet|ResNet-\d+)(?: of \w+ layers)? (?:as in the code|in place)": lambda config, training: {
        word
        for name in getattr(config, "networks", (training.network,))
        for word in (name, NETWORKS[name].label)
    },
    r"resnet_cifar\((\d+)\)": lambda config, training: {training.network.removeprefix("resnet")},
}


def stated(path) -> list[tuple[str, str]]:
    text = " ".join(header(path).split())
    return [(pattern, word) for pattern in STATED for word in re.findall(pattern, text)]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_what_the_header_states_is_so(path):
    config = resolved(path)
    for _, training in recipes(config):
        for pattern, word in stated(path):
            allowed = set(map(str, STATED[pattern](config, training)))
            assert word in allowed, f"{path} says {pattern}: {word}; the settings say {sorted(allowed)}"


def test_every_statement_is_made_somewhere():
    found = [stated(path) for path in FILES if recipes(resolved(path))]
    assert {pattern for one in found for pattern, _ in one} == set(STATED)


PAPERS = ("apr", "hfc", "freq_bias", "freq_shortcuts")
VARIANTS = [p for p in FILES if p.name.endswith((".cpu.yaml", ".reference.yaml"))]
OF_PAPERS = [p for p in FILES if p.parts[0] in PAPERS and p not in VARIANTS]


@pytest.mark.parametrize("path", OF_PAPERS, ids=str)
def test_the_file_of_a_paper_says_what_it_takes_from_the_code(path):
    config, text = resolved(path), " ".join(header(path).split())
    for _, training in recipes(config):
        assert "Differs:" in text
        for holds, words in (
            (training.statistics == "cifar10_pytorch", r"std \.2023 \.1994 \.2010"),
            (training.statistics == "none", "without mean and deviation"),
            (training.augmentations.overflow == "wrap", r"wrap around"),
            (training.schedule == "plateau", rf"patience {training.patience}\b|as in study\.yaml"),
            (training.crop.padding is not None, rf"pad.* {training.crop.padding}\b|as in study\.yaml"),
        ):
            assert not holds or re.search(words, text), f"{path} must say {words}"


def numbers_of(value) -> list[int]:
    """All whole numbers among the settings."""
    if isinstance(value, dict):
        return [number for one in value.values() for number in numbers_of(one)]
    if isinstance(value, list):
        return [number for one in value for number in numbers_of(one)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


@pytest.mark.parametrize("path", VARIANTS, ids=str)
def test_a_variant_states_only_what_differs(path):
    chain = read_chain(CONFIGS / path)
    if len(chain) == 1:
        assert not (CONFIGS / str(path).replace(".cpu", "")).exists(), "it must have a `base`"
        return
    (_, own), (base, _) = chain[:2]
    below = as_dict(load_config(experiment_of(path)[1].config, base))
    assert not sorted(repeated(below, own)), "these settings are those of the base"


def repeated(below: dict, own: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            found += repeated(below[key], value, f"{prefix}{key}.")
        elif key in below and below[key] == value:
            found.append(prefix + key)
    return found


@pytest.mark.parametrize("path", [p for p in FILES if p not in VARIANTS and p.parts[0] != "lab"], ids=str)
def test_the_file_of_a_paper_is_whole(path):
    """Every setting stands in it that its other settings do not make idle; strengths where they differ."""
    chain = read_chain(CONFIGS / path)
    config = resolved(path)
    if not recipes(config) or chain[1:]:
        pytest.skip("no recipe of a network, or a variant")
    written = chain[0][1]
    expected = {k: v for k, v in as_dict(config).items() if k not in PLACES}
    for name, training in recipes(config):
        expected[name] = recipe(training)
        strengths = expected[name].pop("augmentations", {})
        for key, value in (written[name].get("augmentations") or {}).items():
            assert value != getattr(Augmentations(), key), f"{name}.augmentations.{key} is the default"
        assert all(
            value == getattr(Augmentations(), key) or key in written[name]["augmentations"]
            for key, value in strengths.items()
        )
    if hasattr(config, "networks"):  # several, in place of the recipe's one
        del expected["training"]["network"]
    assert sorted(missing(expected, written)) == []


def missing(expected: dict, written: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in expected.items():
        if key not in written:
            found.append(prefix + key)
        elif isinstance(value, dict) and isinstance(written[key], dict):
            found += missing(value, written[key], f"{prefix}{key}.")
    return found


def test_no_configuration_lists_all_rows():
    from apps.lab.augmentations import PLAIN_ROWS

    for path in FILES:
        rows = read_chain(CONFIGS / path)[0][1].get("rows")
        assert rows is None or set(rows) != set(PLAIN_ROWS), f"{path} must leave `rows` out for all of them"


def test_every_experiment_has_its_file():
    for main in sorted((ROOT / "apps").glob("*/__main__.py")):
        app = main.parent.name
        if app in ("lab", "quickstart", "benchmarks"):
            continue
        named = {experiment_of(path)[0] for path in FILES if path.parts[0] == app}
        assert named == set(experiments(app))
