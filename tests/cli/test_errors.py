"""Errors of a first hour: one line, what to do, exit code 2."""

import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_freq._cli import main
from keras_freq._cli._command import explain


def check_line(done, told):
    assert done.code == 2
    assert not done.out
    line, *others = [line for line in done.err.splitlines() if not line.startswith("warning")]
    assert not others
    assert line.startswith("error: ")
    assert told in line, line


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("bands", "Missing argument 'MODEL'"),
        ("bans", "keras-freq --help"),
        ("bands a b --bacth-size 3", "--batch-size"),
        ("bands a.keras cifar10_mini --n 0", "--n"),
        ("bands a.keras cifar10_mini --n x", "--n"),
        ("bands a.keras cifar10_mini --radii 4;8", "Received: --radii 4;8"),
        ("bands a.keras cifar10_mini --backend theano", "tensorflow, jax, torch. Received: --backend theano"),
        ("bands a.keras cifar10_mini --baseline none.json", "Received: --baseline none.json"),
        ("bands a.keras cifar10_mini --fail-if low_8=1", "Received: --fail-if 'low_8=1'"),
        ("heat-map a.keras cifar10_mini --resume", "--resume needs the --out"),
        ("shortcuts a.keras cifar10_mini --method fast", "Received: --method fast"),
        ("shortcuts a.keras cifar10_mini --fraction 0", "Received: --fraction 0"),
        ("bands a.keras cifar10_mini --radii=4,-1", "Received: --radii 4,-1"),
        ("corrupt cifar10_mini", "--out"),
        ("report a.keras cifar10_mini --only heatmap", "some of bands, heat-map, gradients"),
        ("filter none.png --out parts", "Received: none.png"),
    ],
)
def test_wrong_words(words, told, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_line(cli(words), told)


@pytest.mark.once
def test_without_a_command_the_help_is_shown(cli):
    done = cli("")
    assert done.code == 2
    assert "Commands:" in done.out + done.err


def test_wrong_data(cli, tiny, arrays, folder, tmp_path, rng):
    np.savez(tmp_path / "levels.npz", x=rng.random((8, 32, 32, 3)) * 255, y=np.arange(8) % 4)
    check_line(cli("bands", tiny, tmp_path / "levels.npz"), "Float images must lie in [0, 1]")
    check_line(cli("bands", tiny, folder / "Hünd"), "without folders of classes")
    check_line(cli("bands --n 25", tiny, arrays), "here 24. Received: --n 25")
    check_line(cli("bands --split train", tiny, arrays), "Received: --split train")
    for path in (folder / "Kätzchen").iterdir():
        path.unlink()
    (folder / "Kätzchen").rmdir()
    check_line(cli("bands", tiny, folder), "DATA is the folder above those of the classes. Received: schöne")


def test_images_of_several_sizes_name_the_option(cli, folder):
    from PIL import Image

    Image.new("RGB", (9, 9)).save(folder / "Hünd" / "Bild 9.png")
    check_line(cli("spectrum", folder), "pass --image-size, a side or (height, width)")
    assert cli("spectrum --image-size 16", folder).code == 0


@pytest.mark.filterwarnings("default")
def test_fewer_classes_than_outputs_are_told(cli, tiny, folder):
    done = cli("bands --radii 4", tiny, folder)
    assert done.code == 0, done.err
    assert "warning: the data have 2 classes and the model 4 outputs: class 0 is taken for Hünd" in done.err


def test_an_output_that_is_not_there_is_told(cli, arrays, tmp_path):
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    keras.Sequential(layers, name="line").save(tmp_path / "line.keras")
    check_line(cli("bands --output 3", tmp_path / "line.keras", arrays), "or an index. Received: output=3")


def test_a_softmax_is_taken_off(cli, classifier, arrays, tmp_path):
    keras.Sequential([classifier, keras.layers.Softmax()]).save(tmp_path / "soft.keras")
    done = cli("attack --epsilons 1/255 --steps 1 --n 4 --engine own", tmp_path / "soft.keras", arrays)
    assert done.code == 0, done.err
    assert "logits before the softmax, channels_last" in done.out


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_runs(cli, tiny, arrays, tmp_path):
    (tmp_path / "file").write_text("")
    check_line(cli("bands --out", tmp_path / "file" / "out", tiny, arrays), "folder that can be written to")


@pytest.mark.once
def test_errors_speak_of_options():
    error = ValueError("say it: keras_freq.Classifier(model, output=...).\n Received: `image_size`")
    assert explain(error) == "say it: --output NAME. Received: `--image-size`"
    assert explain(ValueError()) == "ValueError"


@pytest.mark.once
def test_a_fault_of_the_package_keeps_its_traceback_and_is_no_finding(capsys, monkeypatch):
    from keras_freq._cli import _data

    def fail(*_, **__):
        raise AssertionError("at fault")

    monkeypatch.setattr(_data, "_open_arrays", fail)
    assert main(["spectrum", "cifar10_mini"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("error: at fault\n")


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_ctrl_c_of_a_process(tiny, rng, tmp_path):
    # So many that no backend is done with all frequencies before it is stopped.
    images, labels = rng.integers(0, 256, (600, 32, 32, 3), "uint8"), np.arange(600) % 4
    np.savez(tmp_path / "many.npz", x=images, y=labels)
    # Where the suite runs in the background of a shell, processes would ignore the signal.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.argv[0] = 'keras-freq'; from keras_freq._cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["-c", program, "heat-map", str(tiny), str(tmp_path / "many.npz"), "--n", "600"]
    words += ["--out", str(tmp_path / "heat")]
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)
    kept = tmp_path / "heat" / "heat-map.checkpoint"
    for _ in range(1200):
        if process.poll() is not None or (kept.exists() and kept.stat().st_size):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == f"interrupted: what is measured is kept in {kept}; the same command with --resume goes on\n"
