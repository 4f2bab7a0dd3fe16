"""The examples of the page on many machines: bash reads them, and the settings that they name there are."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from apps.lab import load_config
from apps.lab.grid_settings import Grid

pytestmark = pytest.mark.once
ROOT = Path(__file__).parent.parent
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FOUND = BLOCKS.findall((ROOT / "docs" / "grids.md").read_text("utf-8"))


def blocks(kind):
    return [text for name, text in FOUND if name == kind]


@pytest.mark.parametrize("text", blocks("bash") + blocks("sh"))
def test_bash_reads_it(text):
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_grid_of_the_page_is_the_one_of_the_file(tmp_path):
    shown, *_ = blocks("yaml")
    (tmp_path / "grid.yaml").write_text(shown)
    page, file = (
        load_config(Grid, path) for path in (tmp_path / "grid.yaml", ROOT / "configs/lab/grid.yaml")
    )
    assert (page.networks, page.measurements) == (file.networks, file.measurements)
    assert (page.seeds, page.data) == (file.seeds, file.data)


def test_the_job_runs_a_grid_whose_settings_there_are(tmp_path):
    _, text = blocks("yaml")
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    words = job["spec"]["entrypoint"].split()
    assert words[:4] == ["python", "-m", "apps.lab", "grid"]
    config = load_config(Grid, ROOT / words[4], words[5:])
    assert (config.executor, config.address, config.gpus) == ("ray", "auto", 1)
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
