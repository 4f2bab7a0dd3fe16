"""Every sub-command: what it prints and writes is what the function of the package gives."""

import json

import numpy as np
import pytest
from PIL import Image

import keras_freq as kf
from keras_freq._cli._data import open_data
from keras_freq._cli._numbers import flat_numbers, read_numbers


def written(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bands_are_those_of_the_function(cli, tiny, arrays, tmp_path, classifier):
    done = cli("bands --radii 4,8 --json --value-range 0,1", tiny, arrays)
    assert done.code == 0, done.err
    result = kf.evaluate.Result.from_json(done.out)
    direct = kf.evaluate.band_accuracy(
        kf.Classifier(classifier, value_range=(0, 1)), open_data(str(arrays)).pair, radii=(4, 8)
    )
    assert (result.low, result.high, result.clean) == (direct.low, direct.high, direct.clean)
    said = done.err.splitlines()
    assert [line.split()[0] for line in said] == ["model", "data", "assumed", "clean"]
    assert said[3] == f"clean    accuracy {direct.clean:.4f} of 24 images"

    out = tmp_path / "out"
    done = cli("bands --radii 4,8 --value-range 0,1 --fail-if", "low_4 <= 1", tiny, arrays, "--out", out)
    assert done.code == 1
    assert done.err.startswith("finding: low_4 <= 1: low_4 is ")
    assert written(out) == ["bands.csv", "bands.json", "bands.numbers.json", "bands.png"]
    assert kf.evaluate.Result.from_json(out / "bands.json") == result
    assert Image.open(out / "bands.png").size[0] > 500
    numbers = flat_numbers(result)
    assert sorted(numbers) == ["clean", "high_4", "high_8", "low_4", "low_8"]
    # All that a baseline can be gives the same numbers.
    assert read_numbers(out / "bands.json") == read_numbers(out / "bands.numbers.json") == numbers
    done = cli("bands --radii 4,8 --value-range 0,1 --baseline", out / "bands.json", tiny, arrays)
    assert done.code == 0


def test_one_file_is_written_alone(cli, tiny, arrays, tmp_path):
    out = tmp_path / "only" / "bands.csv"
    assert cli("bands --radii 4 --out", out, tiny, arrays).code == 0
    assert written(out.parent) == ["bands.csv"]
    assert out.read_text().startswith("model,band,radius")


def test_a_heat_map_goes_on_after_an_interruption(cli, tiny, arrays, tmp_path, monkeypatch):
    from keras_freq._core.journal import SweepJournal

    out, add, calls = tmp_path / "heat", SweepJournal.add, []

    def stop_at_the_second(self, rows):
        calls.append(len(rows))
        if len(calls) == 2:
            raise KeyboardInterrupt
        add(self, rows)

    words = ("heat-map --window 6 --n 8 --out", out, tiny, arrays)
    monkeypatch.setattr(SweepJournal, "add", stop_at_the_second)
    done = cli(*words)
    assert done.code == 130
    kept = out / "heat-map.checkpoint"
    assert done.err.splitlines()[-1] == (
        f"interrupted: what is measured is kept in {kept}; the same command with --resume goes on"
    )
    assert cli(*words).err == (
        "error: An unfinished run is kept beside the results: go on with --resume, or remove the file. "
        f"Received: {kept}\n"
    )
    before = calls[0]
    calls[:] = [0] * 2
    done = cli(*words, "--resume")
    assert done.code == 0, done.err
    assert written(out) == ["heat-map.csv", "heat-map.json", "heat-map.numbers.json", "heat-map.png"]
    assert sum(calls) == 1 + 85 - before  # the clean images, and one of each pair in the window
    assert "error_low" in read_numbers(out / "heat-map.numbers.json")
    assert cli("heat-map --window 6 --n 8 --json", tiny, arrays).out == (out / "heat-map.json").read_text()


def test_shortcuts_are_tested_on_other_images_than_they_were_found_on(cli, tiny, arrays, tmp_path):
    out = tmp_path / "out"
    done = cli("shortcuts --patch 16 --fail-if", "tpr_0 > 2", tiny, arrays, "--out", out)
    assert done.code == 0, done.err
    assert "search   on 12 images, test on 12 others; blocks of 16 x 16 bins, exact" in done.out
    report = kf.evaluate.Result.from_json(out / "shortcuts.json")
    assert report.n == 12
    assert {"importance.json", "importance.csv", "shortcuts.png"} <= set(written(out))
    assert set(flat_numbers(report)) == {"clean", "shortcuts"} | {
        f"{x}pr_{k}" for x in "tf" for k in range(4)
    }


def test_attack_names_its_sizes_in_levels(cli, tiny, arrays, tmp_path):
    out = tmp_path / "out"
    words = "attack --epsilons 1/255,8/255 --steps 2 --engine own --n 8"
    assert cli(words, tiny, arrays, "--out", out).code == 0
    assert sorted(read_numbers(out / "attack.json")) == ["clean", "robust_1", "robust_8"]
    assert (out / "attack.png").stat().st_size > 1000
    done = cli("attack --attack linf", tiny, arrays)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: `--attack` must be one of 'linf_pgd', 'l2_pgd', 'fgsm'. Received: attack='linf'\n"
    )


@pytest.mark.once
def test_corrupt_writes_both_layouts_and_goes_on(cli, arrays, folder, tmp_path):
    from keras_freq.data import corrupt

    out = tmp_path / "c"
    words = ("corrupt --corruptions contrast,brightness --severities 2 --n 6", arrays, "--out", out)
    assert "written  3 of them" in cli(*words).out
    assert "has all of them already" in cli(*words).out
    assert json.loads(cli(*words, "--json").out) == {"folder": str(out), "written": []}
    opened = open_data(str(arrays), n=6)
    np.testing.assert_array_equal(np.load(out / "contrast.npy"), corrupt(opened.images, "contrast", 2))
    files = tmp_path / "files"
    words = "corrupt --corruptions contrast --severities 1 --layout imagenet-c --image-size 32"
    done = cli(words, folder, "--out", files)
    assert done.code == 0, done.err
    assert written(files / "contrast" / "1") == ["Hünd", "Kätzchen"]
    assert cli("corrupt --layout tar", arrays, "--out", out).err.endswith("Received: --layout tar\n")
    assert "Received: fogg" in cli("corrupt --corruptions fogg", arrays, "--out", out).err


@pytest.mark.once
def test_filter_writes_parts_that_add_up(cli, folder, tmp_path):
    source, out = folder / "Hünd" / "Bild 0.png", tmp_path / "parts"
    assert cli("filter --radius 4", source, "--out", out).code == 0
    low, high = (np.asarray(Image.open(out / f"Bild 0-{part}.png"), "float64") for part in ("low", "high"))
    pixels = np.asarray(Image.open(source), "float64")
    inside = (low > 0) & (low < 255) & (high > 0) & (high < 255)
    assert inside.mean() > 0.5
    assert np.abs(low + high - 127.5 - pixels)[inside].max() <= 1.01
    expected, _ = kf.spectral.split_bands(pixels[None] / 255, 4)
    assert np.abs(np.clip(expected[0], 0, 1) * 255 - low).max() <= 0.51

    (folder / "Hünd" / "broken.png").write_bytes(b"none")
    done = cli("filter --radius .1 --cycles", folder, "--out", tmp_path / "all")
    assert done.code == 2
    assert len(list((tmp_path / "all").rglob("*.png"))) == 12
    assert "broken.png" in done.err
    assert (tmp_path / "all" / "Kätzchen" / "Bild 2-high.png").is_file()
    Image.open(source).save(source.with_suffix(".jpg"))  # of the same name
    told = json.loads(cli("filter --json", source.parent, "--out", source.parent / "parts").out)
    names = {path.rpartition("/")[2] for path in told["written"]}
    assert {"Bild 0.jpg-low.png", "Bild 0.png-low.png", "Bild 1-low.png"} < names
    assert len(told["broken"]) == 1
    # What was written into the folder itself is not taken for an image of it.
    again = json.loads(cli("filter --json", source.parent, "--out", source.parent / "parts").out)
    assert again == told


def test_spectrum_needs_no_model(cli, arrays, tmp_path):
    done = cli("spectrum --json", arrays)
    assert done.code == 0, done.err
    direct = kf.data.image_spectral_density(open_data(str(arrays)).pair)
    result = kf.evaluate.Result.from_json(done.out)
    assert (result.mean, result.count_per_class) == (direct.mean, direct.count_per_class)
    out = tmp_path / "spectrum.png"
    assert cli("spectrum --out", out, arrays).code == 0
    assert Image.open(out).format == "PNG"


@pytest.mark.once
def test_networks_are_listed(cli):
    lines = cli("networks").out.splitlines()[1:]
    assert "cifar10/standard" in [line.split()[0] for line in lines]
    names = [one["fields"]["name"] for one in json.loads(cli("networks --json").out)["networks"]]
    assert names == [one.name for one in kf.models.references()]


@pytest.mark.once
def test_check_finds_broken_files(cli, folder, arrays):
    assert cli("check", folder).code == 0
    (folder / "Hünd" / "broken.png").write_bytes(b"none")
    done = cli("check", folder)
    assert done.code == 1
    assert "broken.png" in done.out
    assert done.out.splitlines()[-1] == "6 images are whole, 1 are not"
    told = json.loads(cli("check --json", folder).out)
    assert told["whole"] == 6
    assert len(told["broken"]) == 1
    assert "24 images of 4 classes, 6 (0) to 6 (0) each" in cli("check", arrays).out
