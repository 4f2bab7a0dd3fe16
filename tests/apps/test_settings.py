"""Settings of all apps: wrong ones are one line, and the files of the papers hold the published protocols."""

from __future__ import annotations

import pytest

from apps.lab import RunError, load_config
from apps.lab.augmentations import PLAIN_ROWS, ROWS
from apps.lab.settings import Augmentations
from tests.apps.running import CONFIGS, experiments

pytestmark = pytest.mark.once

SOME = "must hold some of"
ONE = "must hold at least one number"
WRONG = {
    "apr/table": {
        "rows=[apr]": f"`rows` {SOME} standard, standard_twice, apr_p",
        "networks=[]": f"`networks` {SOME} small_resnet",
        "severities=[6]": f"`severities` {ONE}, each in [1, 5]",
        "training.epoch=3": "Did you mean `training.epochs`?",
        "training.peak=1": "`training.peak` must be above 0 and below 1",
        "training.milestones=[60, 30]": "`training.milestones` must rise",
        "training.augmentations.pair=2": "`augmentations.pair` must lie in [0, 1]",
    },
    "lab/grid": {
        "networks=[]": "`networks` must have names, each once",
        "networks=[{name: a}, {name: a}]": "`networks` must have names, each once",
        "networks=[{name: a/b}]": "the names of `networks` must be of letters",
        "networks=[{name: a b}]": "Received: name=a b",
        "measurements=[{name: training, function: accuracy}]": "and be other than training",
        "measurements=[{name: ../a, function: accuracy}]": "the names of `measurements` must be of letters",
        "measurements=[{name: a b, function: accuracy}, {name: a-b, function: ece}]": "must have names",
        "measurements=[{name: a, function: accuracy, options: ['n=[4']}]": "must be YAML (while parsing",
        "networks=[{name: a, changes: [widht=3]}]": "Did you mean `width`?",
        "networks=[{name: a, changes: [width]}]": "written key=value",
        "networks=[{changes: [width=3]}]": "must set `name`",
        "measurements=[{name: a, function: accuracy, options: [n]}]": "written key=value",
        "address=auto": "add executor=ray",
        "executor=slurm": "`executor` must be one of local, ray",
        "tries=0": "`tries` must be at least 1",
    },
    "apr/swap": {
        "examples=13": "`examples` must lie in [1, 12]",
        "training.network=vgg": f"`training.network` {SOME} small_resnet",
    },
    "apr/two_heads": {
        "mixed=-1": "`mixed` must lie in [0, 1000]",
        "pairs=1": "`pairs` must be at least 2",
        "severities=[]": f"`severities` {ONE}, each in [1, 5]",
        "training.validation=.1": "`training.validation` must be 0 for a network with two heads",
        "training.iterations=5": "`training.iterations` must be null for a network with two heads",
        "training.adversary.steps=1": "is trained without an adversary",
    },
    "apr/detection": {
        "outside=[]": "`outside` must name at least one set",
        "scores=[entropy]": f"`scores` {SOME} max_logit",
    },
    "apr/heat_maps": {"epsilon=0": "`epsilon` must be above 0"},
    "apr/adversarial": {
        "rows=[cutout]": f"`rows` {SOME} standard, apr_p, apr_s, apr_sp",
        "epochs={apr_p: 0}": "`epochs.apr_p` must be at least 1",
        "rates={fgsm: 1}": f"`rates` {SOME} standard",
    },
    "apr/corrupt": {
        "corruptions=[]": "`corruptions` must hold names",
        "data.fallback=cifar10_mini": "`data.fallback` must be null here: copies are",
    },
    "apr/imagenet": {
        "training.crop.size=16": "`training.crop.size` must be at least 32. Received: training.crop.size=16",
        "training.crop.size=200": "`training.crop.size` must be 224, the size of the images of "
        "imagenet2012_corrupted. Received: ",
        "rows=[cutout]": f"`rows` {SOME} standard, apr_p, apr_s, apr_sp, each once",
        "training.crop.area=[0,1]": "`crop.area` must be two numbers above 0 and up to 1",
        "training.crop.aspect=[2,1]": "`crop.aspect` must be two numbers above 0, the lower first",
        "data.fallback=cifar10_mini": "`data.fallback` must be null here",
        "training.crop.center=0": "`crop.center`",
        "severities=[6]": f"`severities` {ONE}, each in [1, 5]",
    },
    "hfc/learning": {
        "radius=4": "there is no setting `radius`. Did you mean `radii`?",
        "radii=[]": f"`radii` {ONE}, each at least 0",
        "radii=[4,4]": "`radii` must hold each number once",
        "every=0": "`every` must lie in [1, 100]. Received: every=0",
        "thresholds=[2]": f"`thresholds` {ONE}, each in [0, 1]",
    },
    "hfc/heuristics": {
        "dropout=1": "`dropout` must be above 0 and below 1. Received: dropout=1.0",
        "rescale=min": "rescale",
        "every=0": "`every` must lie in [1, 100]. Received: every=0",
        "batch_norm_rate=0": "`batch_norm_rate` must be above 0",
    },
    "hfc/kernels": {
        "rhos=[-0.1]": f"`rhos` {ONE}, each at least 0. Received: rhos=[-0.1]",
        "adversary.steps=0": "`adversary.steps` must be at least 1",
    },
    "hfc/gallery": {
        "radius=5": "`radius` must be one of `radii`, [4.0, 8.0, 12.0, 16.0]. Received: radius=5.0",
        "examples=11": "`examples` must lie in [1, 10]",
    },
    "hfc/components": {"data.train_images=0": "`data.train_images` must be at least 1"},
    "hfc/bn_study": {
        "seeds=0": "`seeds` must be at least 1. Received: seeds=0",
        "training.learning_rate=0": "`training.learning_rate` must be above 0",
        "low_radii=[]": f"`low_radii` {ONE}, each at least 1",
        "radii=[0.5]": f"`radii` {ONE}, each at least 1",
    },
    "freq_bias/consistency": {
        "radius=-1": "`radius` must be at least 0. Received: radius=-1",
        "radii=[]": f"`radii` {ONE}",
        "transforms=[fft]": f"`transforms` {SOME} dft, dct, each once. Received: transforms=['fft']",
        "keep=[high,high]": f"`keep` {SOME} high, low, each once",
        "eval_cast=[wrap]": f"`eval_cast` {SOME} none, clip, minmax, uint8_wrap",
        "seeds=0": "`seeds` must be at least 1",
        "training.momentum=1": "`training.momentum` must be above",
        "rescale=max": "there is no setting `rescale`",
    },
    "freq_bias/discrimination": {
        "radii=[]": f"`radii` {ONE}",
        "sets=[hars]": f"`sets` {SOME} original, scr, wcr, each once",
        "eval_cast=[wrap]": f"`eval_cast` {SOME} none, clip, minmax, uint8_wrap",
        "measured_images=0": "`measured_images` must be at least 1",
        "every=0": "`every` must lie in [1, 200]",
        "kernels.epoch=20": "`kernels.epoch` must lie in [0, 19]",
        "kernels.rho=-1": "`kernels.rho` must be at least 0",
        "kernels.images_per_class=0": "`kernels.images_per_class` must be at least 1",
        "kernels.masks=other": "masks",
        "training.crop.padding=-1": "`crop.padding` must be at least 0",
    },
    "freq_bias/generate": {
        "sets=[hars]": f"`sets` {SOME} scr, wcr, each once. Received: sets=['hars']",
        "sets=[]": f"`sets` {SOME} scr, wcr",
        "examples=0": "`examples` must lie in [1, 5]",
        "kernels.epochs=0": "`kernels.epochs` must be at least 1",
        "directory=x": "there is no setting `directory`",
    },
    "freq_bias/priority": {
        "every=0": "`every` must be at least 1. Received: every=0",
        "measured_images=0": "`measured_images` must be at least 1",
        "center=corner": "center",
        "bin=all": "there is no setting `bin`. Did you mean `bins`?",
    },
    "freq_bias/densities": {
        "sets=[scr,scr]": f"`sets` {SOME} original, scr, wcr, hars, each once",
        "sets=[cdes]": f"`sets` {SOME} original, scr, wcr, hars, each once",
        "images_per_class=0": "`images_per_class` must be at least 1",
    },
    "references/beyond": {
        "images=0": "`images` must be at least 1",
        "severity=6": "`severity` must lie in [1, 5]",
        "contrast=2": "`contrast` must lie in [0.01, 1]",
        "criterion=0": "`criterion` must lie in [0.01, 0.99]",
    },
    "references/look": {
        "value_range=[1, 0]": "`value_range` must be",
        "name=' '": "`name` must be the name of the network",
        "attacked=0": "`attacked` must be at least 1",
    },
    "freq_shortcuts/frontier": {
        "networks=[]": "`networks` must name at least one",
        "fractions=[0.1, 0.2]": "`fractions` must fall",
        "specificities=[-1]": f"`specificities` {ONE}, each at least 0",
        "steps=0": "`steps` must be at least 1",
        "smoothing=-1": "`smoothing` must lie in [0, 100]",
    },
    "freq_shortcuts/adcs": {
        "channel=red": "`channel` must be one of mean, luma, sign_then_mean",
        "seed=-1": "`seed` must be at least 0",
        "data.image_size=4": "`data.image_size` must be at least 8",
    },
    "freq_shortcuts/synthetic": {
        "bands=[5]": f"`bands` {ONE}, each in [1, 4]",
        "every=501": "`every` must lie in [1, 500]",
        "overlap=2": "`overlap` must lie in [0, 1]. Received: overlap=2",
    },
    "freq_shortcuts/learning": {
        "training.iterations=null": "`training.iterations` must be the number of steps",
        "kinds=[all]": f"`kinds` {SOME} original, low, high",
        "radius=-1": "`radius` must be at least 0",
    },
    "freq_shortcuts/hfss": {
        "methods=[best]": f"`methods` {SOME} hfss, exact, hybrid, gradient",
        "stages.share=1.5": "`stages.share` must be above 0 and below 1",
        "stages.budgets=[]": "`stages.budgets` must hold a number of masks for each stage",
        "stages.patches=[0]": "`stages.patches` must be at least 1",
        "thresholds=[]": f"`thresholds` {ONE}",
        "severity=6": "`severity` must lie in [1, 5]",
        "search.images_per_class=0": "`search.images_per_class` must be at least 1",
    },
    "freq_shortcuts/study": {
        "networks=[lenet]": f"`networks` {SOME} small_resnet",
        "widths=[1]": "`widths` must hold one number for each of the 5 networks",
        "augmentations=[]": f"`augmentations` {SOME} standard",
        "search.fraction=2": "`search.fraction` must be above 0 and below 1",
        "training.validation=0": "`training.schedule` plateau needs validation images",
        "data.classes=[cat]": "`data.classes` must name at least two classes",
    },
    "freq_shortcuts/transfer": {"severity=0": "`severity` must lie in [1, 5]"},
    "quickstart/cifar10_mini": {
        "training.epochs=0": "`training.epochs` must be at least 1. Received: training.epochs=0",
        "training.learning_rate=-1": "`training.learning_rate` must be above 0",
        "training.apr_pair=2": "`training.apr_pair` must lie in [0, 1]. Received: training.apr_pair=2.0",
        "measure.radii=[]": f"`measure.radii` {ONE}",
        "measure.epsilon=0": "`measure.epsilon` must be above 0",
        "measure.share=2": "`measure.share` must be above 0",
        "measure.severity=6": "`measure.severity` must lie in [1, 5]",
        "measure.examples=20": "`measure.examples` must lie in [1, 12]",
        "data.train_images=0": "`data.train_images` must be at least 1",
        "seed=-1": "`seed` must be at least 0. Received: seed=-1",
    },
    "freq_shortcuts/exchange": {
        "methods=[disk]": f"`methods` {SOME} gradient, exact, learned-1",
        "share=0.3": "`share` must be one of the fractions. Received: share=0.3",
        "networks=[cifar10/standard]": "`networks` must name at least two",
    },
    "benchmarks/speed": {
        "search_patch=17": "`search_patch` must lie in [1, 16]. Received: search_patch=17",
        "groups=[]": f"`groups` {SOME} limits, layers",
        "device=tpu": "`device` must be one of any, gpu",
    },
    "benchmarks/scaling": {
        "workers=[0]": "`workers` must hold at least one number, each at least 1",
        "simulated=[2, 4]": "`simulated` must begin with 1. Received: simulated=[2, 4]",
        "units=0": "`units` must be at least 1",
    },
    "benchmarks/growth": {
        "axes=[pixels]": f"`axes` {SOME} images, frequencies, classes",
        "sweeps=[heat]": f"`sweeps` {SOME} accuracy, class_scores, band_accuracy",
        "factor=1": "`factor` must lie in [2, 1024]. Received: factor=1",
    },
}


def load(path: str, *words: str):
    """The settings of ``configs/PATH.yaml``."""
    app, _, name = path.partition("/")
    found = experiments(app)
    experiment = found.get(app) or found[name.removesuffix(".cpu")]
    return load_config(experiment.config, CONFIGS / f"{path}.yaml", words)


@pytest.mark.parametrize(
    ("path", "word", "message"), [(p, word, text) for p, of in WRONG.items() for word, text in of.items()]
)
def test_wrong_settings_are_one_line(path, word, message):
    with pytest.raises(RunError) as caught:
        load(path, word)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


PAPERS = ("apr", "hfc", "freq_bias", "freq_shortcuts")
# What stands for the protocol of a paper on two CPU cores.
SMALL = [
    f"{app}/{path.name.removesuffix('.yaml')}"
    for app in PAPERS
    for path in sorted((CONFIGS / app).glob("*.cpu.yaml"))
    if path.name.split(".")[0] not in ("corrupt", "imagenet", "synthetic")
]


def part(config, words: str) -> tuple:
    return tuple(getattr(config, word) for word in words.split())


@pytest.mark.parametrize("path", SMALL)
def test_small_configurations_are_small(path):
    app, _, name = path.removesuffix(".cpu").partition("/")
    experiment = experiments(app)["table" if name in ("baselines", "beyond") else name]
    found = load_config(experiment.config, CONFIGS / f"{path}.yaml")
    assert found.data.fallback == "cifar10_mini"
    if app == "freq_shortcuts" or not hasattr(found, "training"):
        return
    assert found.seeds == 3
    if app == "apr":
        assert found.training.epochs == 10
    else:
        assert found.training.network == "small_resnet"


def test_apr_is_trained_as_published():
    table = load("apr/table")
    assert part(table.training, "learning_rate momentum nesterov") == (0.1, 0.9, True)
    assert part(table.training, "weight_decay batch_size epochs") == (5e-4, 128, 200)
    assert part(table.training, "milestones factor") == ((60, 120, 160, 190), 0.2)
    assert table.training.augmentations == Augmentations(overflow="wrap")
    assert table.all_rows == PLAIN_ROWS
    attacked = load("apr/adversarial")
    attack = attacked.training.adversary
    assert attack.epsilon == attacked.epsilon == pytest.approx(8 / 255)
    assert (attack.steps, attack.step_size) == (1, pytest.approx(10 / 255))
    assert attacked.training.augmentations.pair == 0.16
    assert attacked.training.precision == "mixed_float16"


def test_apr_on_imagenet_is_trained_as_published():
    paper, small = load("apr/imagenet"), load("apr/imagenet.cpu")
    training = paper.training
    assert (training.network, *part(paper, "size image_size")) == ("resnet50_imagenet", 224, 256)
    assert (training.crop.center, training.statistics) == (224 / 256, "imagenet")
    assert part(training, "epochs batch_size learning_rate") == (100, 256, 0.1)
    assert part(training, "momentum nesterov weight_decay") == (0.9, False, 1e-4)
    assert part(training, "schedule milestones factor") == ("steps", (30, 60, 90), 0.1)
    assert paper == type(paper)(data_parallel=True, corrupted="imagenet2012_corrupted")
    assert not small.data_parallel
    assert small.training.network == "small_resnet"


@pytest.mark.parametrize("name", experiments("hfc"))
def test_high_frequency_components_are_trained_as_published(name):
    training = load(f"hfc/{name}").training
    assert part(training, "network width optimizer") == ("resnet32", None, "adam")
    assert part(training, "epochs batch_size learning_rate") == (100, 100, 1e-4)
    assert part(training, "schedule weight_decay") == ("constant", 0)
    assert training.crop.padding is None
    assert load(f"hfc/{name}").data.train_images is None


@pytest.mark.parametrize("name", ["priority", "densities", "consistency", "discrimination"])
def test_frequency_bias_is_trained_as_published(name):
    paper = load(f"freq_bias/{name}")
    training = paper.training
    assert part(training, "network epochs batch_size") == ("resnet18", 200, 128)
    assert part(training.crop, "padding mode") == (4, "reflect")
    assert part(training, "schedule factor nesterov") == ("steps", 0.1, False)
    assert part(training, "learning_rate momentum weight_decay") == (0.1, 0.9, 5e-4)
    assert training.milestones == (50, 100, 150)
    assert paper.data.train_images is paper.data.test_images is None
    if name == "consistency":
        assert paper.radius == load(f"freq_bias/{name}.cpu").radius == 12


def test_kernels_are_trained_as_published():
    paper, small = load("freq_bias/generate"), load("freq_bias/generate.cpu")
    assert paper.kernels == type(paper.kernels)() == load("freq_bias/discrimination").kernels
    assert part(paper.kernels, "epochs batch_size learning_rate images_per_class") == (20, 100, 0.01, None)
    assert (paper.data.train_images, small.data.train_images) == (None, 3000)


@pytest.mark.parametrize("name", ["synthetic", "learning", "study", "transfer", "hfss", "adcs"])
def test_frequency_shortcuts_are_searched_as_published(name):
    paper, small = load(f"freq_shortcuts/{name}"), load(f"freq_shortcuts/{name}.cpu")
    if name in ("adcs", "study", "transfer"):
        assert (len(paper.data.classes), paper.data.image_size) == (10, 224)
        assert paper.data.classes[7] == "n02391049"  # zebra
    if name == "adcs":
        assert (paper.data.name, small.data.train_images, small.data.image_size) == (
            "imagenet2012",
            5000,
            None,
        )
        assert paper.published
        assert small.published
        return
    training = paper.training
    if name == "hfss":
        assert part(training, "network epochs") == ("resnet18", 200)
        assert part(paper.stages, "patches budgets") == ((8, 4, 2, 1), (1000, 2000, 4000, 8000))
        assert (*part(paper.stages, "share top"), paper.search.split) == (0.6, 10, "separate")
        assert paper.fgsm == pytest.approx(4 / 255)
        return
    assert part(training, "batch_size learning_rate momentum nesterov") == (64, 0.01, 0.9, True)
    if name in ("synthetic", "learning"):
        assert (training.crop.padding, training.validation) == (None, 0)
        assert training.iterations == {"synthetic": 500, "learning": 1200}[name]
        wanted = (500, 16, "constant", "cifar10")
        assert part(small.training, "iterations width schedule statistics") == wanted
        return
    assert part(training, "epochs schedule patience factor validation") == (200, "plateau", 11, 0.1, 0.1)
    assert part(paper.search, "fraction patch split") == (0.05, 2, "separate")
    assert (*part(training.crop, "padding area"), training.statistics) == (4, (0.08, 1), "imagenet10")
    assert part(small.training, "schedule statistics") == ("steps", "cifar10")
    assert part(small.training.crop, "padding area") == (4, None)


def test_published_numbers_stand_in_the_headers():
    from apps.apr import imagenet
    from apps.freq_bias import discrimination, sets
    from apps.freq_shortcuts import hfss_report, maps
    from apps.hfc import heuristics

    def header(path):
        return (CONFIGS / f"{path}.yaml").read_text().split("\nseed:")[0]

    def rates(numbers):
        return " ".join(f"{rate:.2f}".lstrip("0") if rate else "0" for rate in numbers)

    for kind in ("", ".cpu"):
        for row, rate in imagenet.PUBLISHED.items():
            assert f"{ROWS[row].label} {rate}" in header(f"apr/imagenet{kind}")
        for name, numbers in discrimination.PUBLISHED.items():
            line = " ".join([sets.LABELS[name], *map(str, numbers.values())])
            assert line in header(f"freq_bias/discrimination{kind}")
        for numbers in hfss_report.PUBLISHED.values():
            assert rates(numbers) in header(f"freq_shortcuts/hfss{kind}")
    assert rates(maps.PUBLISHED) in header("freq_shortcuts/study")
    words = {"mix_up": "mix-up", "batch_norm_batch": "batch-norm"}
    for name, numbers in heuristics.PUBLISHED.items():
        start = f"#   {words.get(name, name)} "
        line = next(line for line in header("hfc/heuristics").splitlines() if line.startswith(start))
        assert [None if cell == "n/a" else float(cell) for cell in line.split()[2:]] == list(numbers)


@pytest.mark.parametrize("path", ["quickstart/cifar10_mini", "benchmarks/speed", "benchmarks/growth"])
def test_the_configuration_holds_the_defaults(path):
    found = load(path)
    assert found == type(found)()
