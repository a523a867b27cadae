"""`use_pretrained`: found, fetched, checked, read without running anything, and reported."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import hashlib
import http.server
import os
import pathlib
import pickle
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as checkpoint_module
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from torch import nn

from model_def.compose import compose
from model_def.errors import UserError, WeightsError
from model_def.experiment import experiment_from
from model_def.experiment_types import Experiment, FileClientArgs
from model_def.storage.address import Address
from model_def.storage.choose import client_for
from model_def.storage.options import Options
from model_def.weights import (
    Place,
    check_loadable,
    clean_file,
    download,
    download_errors,
    load_report,
    place,
    pretrained,
    read_state_dict,
    source,
    with_pretrained,
)
from model_def.weights.download import cache_dir, fetch
from model_def.weights.loaders import make_harmless
from model_def.weights.zoo import ZOO_URL, published_weights

RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"


def experiment(use_pretrained: Any, config_file: str = RETINANET) -> Experiment:
    hyper = {"config_file": config_file, "global_batch_size": 4, "use_pretrained": use_pretrained}
    return experiment_from({"searcher": {"name": "single", "metric": "bbox_mAP"}}, hyper)


@pytest.fixture(autouse=True)
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_dir()


class Model(nn.Module):
    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.backbone = nn.Linear(8, 8)
        self.head = nn.Linear(8, classes)


@pytest.fixture
def checkpoint(tmp_path: pathlib.Path) -> pathlib.Path:
    """A checkpoint as mmengine's Runner saves it: torch's default rules refuse to load it."""
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    hub = {"log_scalars": {"train/loss": buffer}, "seed": np.float64(3)}
    content = {"meta": {"epoch": 1, "classes": ("a", "b")}, "state_dict": Model().state_dict(), "message_hub": hub}
    path = tmp_path / "epoch_1.pth"
    torch.save(content, path)
    return path


# --- reading


def test_a_real_checkpoint_becomes_a_file_that_torchs_rules_accept(checkpoint: pathlib.Path) -> None:
    with pytest.raises(pickle.UnpicklingError):
        torch.load(checkpoint, weights_only=True)
    clean = torch.load(clean_file(checkpoint), weights_only=True)
    original = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert set(clean) == {"meta", "state_dict"}
    assert clean["state_dict"].keys() == original.keys()
    assert all(torch.equal(clean["state_dict"][name], original[name]) for name in original)
    model = Model()
    load_checkpoint(model, str(clean_file(checkpoint)), strict=True)  # stock mmengine's own loader
    assert torch.equal(model.head.weight, original["head.weight"])


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_of_the_file_runs(zipped: bool, tmp_path: pathlib.Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.makedirs, (str(tmp_path / "attacked"), 0o777, True)

    path = tmp_path / "bad.pth"
    content = {"state_dict": {"w": torch.ones(2)}, "meta": [Attack()], "optimizer": {Attack(): Attack()}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_state_dict(path)["w"], torch.ones(2))
    assert not (tmp_path / "attacked").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "attacked").exists(), "the attack is real"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s},
        lambda s: {"model": s},
        lambda s: s,
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
    ],
    ids=["mmengine", "model", "plain", "data parallel"],
)
def test_layouts(wrap: Any, tmp_path: pathlib.Path) -> None:
    state = Model().state_dict()
    torch.save(wrap(state), tmp_path / "w.pth")
    assert read_state_dict(tmp_path / "w.pth").keys() == state.keys()


def test_parameters_half_precision_and_numpy_arrays(tmp_path: pathlib.Path) -> None:
    values = collections.OrderedDict(
        a=nn.Parameter(torch.ones(2)),
        b=torch.ones(2).half(),
        c=np.ones(2, dtype="float32"),
        d=torch.ones(4)[::2],
        e="text",
    )
    torch.save(values, tmp_path / "w.pth")
    found = read_state_dict(tmp_path / "w.pth")
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "a": torch.float32,
        "b": torch.float16,
        "c": torch.float32,
        "d": torch.float32,
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a PyTorch checkpoint"),
        (b"<html>not found</html>", "not a PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a PyTorch checkpoint"),
        (pickle.dumps({"a": 1}), "not a PyTorch checkpoint"),
        ({"a": 1}, "no tensors"),
        ([1, 2], "no tensors"),
        ("cut", "not a PyTorch checkpoint"),
        ("script", "TorchScript"),
    ],
)
def test_broken_files(content: Any, words: str, tmp_path: pathlib.Path, checkpoint: pathlib.Path) -> None:
    path = tmp_path / "broken.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "script":
        torch.jit.save(torch.jit.script(Model()), path)
    elif content == "cut":
        path.write_bytes(checkpoint.read_bytes()[:2000])
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=words) as caught:
        clean_file(path)
    assert str(path) in caught.value.problems[0].where
    assert not list(cache_dir().glob("*"))


# --- fit


def test_what_loads_and_what_does_not_by_name() -> None:
    state = {**Model(classes=5).state_dict(), "extra": torch.ones(1)}
    del state["backbone.bias"]
    report = load_report(Model(), state)
    assert report.loaded == ("backbone.weight",)
    assert (report.missing, report.unexpected) == (("backbone.bias",), ("extra",))
    assert report.mismatched == (("head.weight", (5, 8), (2, 8)), ("head.bias", (5,), (2,)))
    assert (report.tensors, report.parameters) == (0.25, 64 / 90)
    assert str(report).splitlines() == [
        "71.1% of the parameters load, 1 of 4 tensors",
        "2 of another shape, so left as initialised: "
        "head.weight (5, 8) in the weights, (2, 8) in the model, head.bias (5,) in the weights, (2,) in the model",
        "1 not in the weights, so left as initialised: backbone.bias",
        "1 not in the model: extra",
    ]


def test_a_long_report_is_cut_and_a_whole_one_is_not() -> None:
    report = load_report(Model(), {f"other.{index}": torch.ones(1) for index in range(9)})
    assert report.lines(2)[-1] == "9 not in the model: other.0, other.1, and 7 more"
    assert report.lines()[-1].endswith("other.7, other.8")


def test_weights_that_fit_say_no_more_than_that() -> None:
    assert str(load_report(Model(), Model().state_dict())) == "100.0% of the parameters load, 4 of 4 tensors"


def test_another_models_weights_are_refused() -> None:
    report = load_report(Model(), {"stem.weight": torch.ones(3)})
    with pytest.raises(WeightsError, match="another model's") as caught:
        check_loadable(report, source="w.pth", place=Place(where="e.yaml:3:3"))
    (problem,) = caught.value.problems
    assert (problem.value, problem.where[:10]) == ("w.pth", "e.yaml:3:3")
    assert "4 not in the weights, so left as initialised: backbone.weight, " in problem.where
    assert "50%" in problem.allowed


@pytest.mark.parametrize(("min_loaded", "passes"), [(0.0, True), (0.8, True), (0.81, False), (1, False)])
def test_the_yaml_sets_how_much_must_load(min_loaded: float, passes: bool) -> None:
    wanted = place(experiment({"checkpoint": "w.pth", "min_loaded": min_loaded}))
    report = load_report(Model(), Model(classes=5).state_dict())  # 72 of 90 numbers: a changed class count
    with contextlib.nullcontext() if passes else pytest.raises(WeightsError, match=r"80\.0%"):
        check_loadable(report, source="w.pth", place=wanted)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"min_loaded": 0.1}, "`hyperparameters.use_pretrained.checkpoint` is missing"),
        ({"checkpoint": True, "min_load": 0.1}, "did you mean `min_loaded`"),
        ({"checkpoint": True, "min_loaded": 90}, "write `min_loaded: 0.9`"),
        ({"checkpoint": True, "min_loaded": -1}, "0 to 1"),
        ({"checkpoint": 3}, "can't be a number"),
        (3, r"checkpoint: one of these, min_loaded: 0 to 1"),
    ],
)
def test_a_mapping_that_is_wrong(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        experiment(value)


# --- where they are


def test_sources(tmp_path: pathlib.Path, checkpoint: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert source(experiment(False)) is None
    assert pretrained(experiment(False)) is None
    assert source(experiment("epoch_1.pth")) == str(checkpoint)
    assert source(experiment({"checkpoint": "epoch_1.pth"})) == str(checkpoint)
    assert source(experiment({"checkpoint": False})) is None
    assert source(experiment("s3://bucket/w.pth")) == "s3://bucket/w.pth"
    assert source(experiment(True)) == published_weights("retinanet")[RETINANET]
    assert str(source(experiment(True))).startswith(ZOO_URL)
    monkeypatch.setenv("MMDETECTION_ZOO_URL", "http://mirror/zoo/")
    assert str(source(experiment(True))).startswith("http://mirror/zoo/v2.0/retinanet/")


@pytest.mark.parametrize(
    ("wanted", "config_file", "what", "next_step"),
    [
        ("no_such.pth", RETINANET, "no such weights file", "ls"),
        (".", RETINANET, "a directory", "ls"),
        (True, "retinanet/retinanet_r50_fpn_90k_coco.py", "no weights for this config", "retinanet_r50_fpn_1x_coco"),
        (True, "mine.py", "isn't the zoo's", "path/to/weights.pth"),
    ],
)
def test_sources_that_are_not_there(
    wanted: Any, config_file: str, what: str, next_step: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("a = 1\n")
    with pytest.raises(WeightsError, match=what) as caught:
        source(experiment(wanted, config_file))
    (problem,) = caught.value.problems
    assert next_step in problem.next
    assert "use_pretrained" in problem.where
    assert problem.allowed


# --- fetching, from a real server


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with ranges; cuts the connection of the first `cuts` requests in the middle."""

    cuts = 0
    ranges: list[str | None] = []  # noqa: RUF012

    def do_GET(self) -> None:
        type(self).ranges.append(self.headers.get("Range"))
        path = pathlib.Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, start = path.read_bytes(), int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = type(self).cuts > 0
        type(self).cuts -= 1
        self.wfile.write(content[start : len(content) // 2 if cut else None])

    def do_HEAD(self) -> None:
        path = pathlib.Path(self.translate_path(self.path))
        self.send_response(200 if path.is_file() else 404)
        self.send_header("Content-Length", str(path.stat().st_size if path.is_file() else 0))
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[tuple[str, type[Handler]]]:
    handler = type("ThisHandler", (Handler,), {"cuts": 0, "ranges": []})
    (tmp_path / "www").mkdir()
    bound = functools.partial(handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", handler
        running.shutdown()


def test_zoo_weights_from_a_local_server(
    server: tuple[str, type[Handler]], checkpoint: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, handler = server
    path = published_weights("retinanet")[RETINANET].removeprefix(ZOO_URL)
    target = tmp_path / "www" / path.lstrip("/")
    target.parent.mkdir(parents=True)
    target.write_bytes(checkpoint.read_bytes())
    monkeypatch.setenv("MMDETECTION_ZOO_URL", url)
    with pytest.raises(WeightsError, match="not what their name says"):  # the real file's hash is in its name
        pretrained(experiment(True))
    assert not [path for path in cache_dir().rglob("*.pth*") if path.is_file()]
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    own = tmp_path / "www" / f"own-{digest[:8]}.pth"
    own.write_bytes(checkpoint.read_bytes())
    before = len(handler.ranges)
    clean = pretrained(experiment(f"{url}/{own.name}"))
    assert clean == pretrained(experiment(f"{url}/{own.name}"))
    assert len(handler.ranges) == before + 1, "the second time it comes from the cache"


def test_an_interrupted_download_continues(
    server: tuple[str, type[Handler]], checkpoint: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PAUSE", 0)
    url, handler = server
    (tmp_path / "www" / "w.pth").write_bytes(checkpoint.read_bytes())
    handler.cuts = 1
    assert fetch(f"{url}/w.pth", where="e.yaml").read_bytes() == checkpoint.read_bytes()
    half = checkpoint.stat().st_size // 2
    assert handler.ranges == [None, f"bytes={half}-"]


@pytest.mark.parametrize(("name", "reason"), [("missing.pth", "HTTP 404"), ("nobody", "refused")])
def test_what_can_not_be_fetched(
    name: str, reason: str, server: tuple[str, type[Handler]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PAUSE", 0)
    url = "http://127.0.0.1:9/w.pth" if name == "nobody" else f"{server[0]}/{name}"
    with pytest.raises(WeightsError, match=reason) as caught:
        fetch(url, where="e.yaml:8:3 (hyperparameters.use_pretrained)")
    (problem,) = caught.value.problems
    assert (problem.value, problem.where) == (url, "e.yaml:8:3 (hyperparameters.use_pretrained)")
    assert "use_pretrained: false" in problem.next
    assert not [path for path in cache_dir().rglob("*.pth") if path.is_file()]


@pytest.mark.parametrize("store", ["s3", "gcs"])
def test_from_a_store(store: str, request: pytest.FixtureRequest, checkpoint: pathlib.Path) -> None:
    bucket = request.getfixturevalue(f"{store}_bucket")
    client_for(bucket.scheme, Options()).put_file(bucket / "deep/w.pth", checkpoint)
    assert fetch(f"{bucket}deep/w.pth", where="e.yaml").read_bytes() == checkpoint.read_bytes()
    with pytest.raises(WeightsError, match="no such object") as caught:
        fetch(f"{bucket}deep/missing.pth", where="e.yaml")
    assert f"{bucket}deep/w.pth" in caught.value.problems[0].allowed
    with pytest.raises(WeightsError, match="no such bucket"):
        fetch(f"{bucket.scheme}://no-such-bucket/w.pth", where="e.yaml")


def test_from_the_store_that_the_experiment_names(
    s3_bucket: Address, checkpoint: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = os.environ["AWS_ENDPOINT_URL"]
    client_for("s3", Options()).put_file(s3_bucket / "w.pth", checkpoint)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    one = experiment(f"{s3_bucket}w.pth")
    args = FileClientArgs(backend="s3", backend_args={"backend": "s3", "endpoint_url": url})
    named = dataclasses.replace(one.hyperparameters, file_client_args=args)
    assert pretrained(dataclasses.replace(one, hyperparameters=named))


@pytest.mark.parametrize("store", ["s3", "gcs"])
def test_what_a_config_itself_loads_may_lie_in_a_store(
    store: str, request: pytest.FixtureRequest, checkpoint: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load_from` and `init_cfg.checkpoint`: mmengine's own loader is Petrel's for s3://, and has none for gs://."""
    monkeypatch.setattr(checkpoint_module, "load_url", checkpoint_module.load_url)
    monkeypatch.setattr(CheckpointLoader, "_schemes", dict(CheckpointLoader._schemes))
    bucket = request.getfixturevalue(f"{store}_bucket")
    client_for(bucket.scheme, Options()).put_file(bucket / "w.pth", checkpoint)
    make_harmless()
    content = CheckpointLoader.load_checkpoint(f"{bucket}w.pth", "cpu")
    theirs = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert all(torch.equal(content["state_dict"][name], value) for name, value in theirs.items())


def test_a_cache_that_can_not_be_written(checkpoint: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="can't be kept in the cache") as caught:
        clean_file(checkpoint)
    assert "XDG_CACHE_HOME" in caught.value.problems[0].next
    with pytest.raises(WeightsError, match="can't be written"):
        fetch("http://127.0.0.1:9/w.pth", where="e.yaml")


# --- in the config


def test_with_pretrained_loads_from_the_clean_file_and_downloads_no_backbone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"backbone.conv1.weight": torch.ones(1)}}, tmp_path / "w.pth")
    one = experiment("w.pth")
    before = compose(one, slots=1)
    after = with_pretrained(before, one)
    assert after.config.load_from == str(pretrained(one))
    assert before.config.model.backbone.init_cfg.type == "Pretrained"
    assert after.config.model.backbone.init_cfg is None
    assert any("model.backbone.init_cfg = None" in note for note in after.notes)
    assert with_pretrained(before, experiment(False)) is before


def test_a_backbone_that_can_not_be_downloaded_says_what_to_write(
    server: tuple[str, type[Handler]], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = f"{server[0]}/missing.pth"
    config = {"model": {"backbone": {"init_cfg": {"type": "Pretrained", "checkpoint": url}}}}
    with pytest.raises(UserError, match="initial weights") as caught, download_errors(config):
        load_checkpoint(Model(), url)
    (problem,) = caught.value.problems
    assert problem.where == "model.backbone.init_cfg.checkpoint"
    assert problem.next.startswith("model.backbone.init_cfg=None")
    with pytest.raises(FileNotFoundError), download_errors(config):  # other errors pass
        (tmp_path / "nothing").read_text()


def test_what_mmengine_loads_runs_no_code_either(
    server: tuple[str, type[Handler]], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """mmengine lets torch trust what it downloads, and refuses a file of its own on the disk."""

    class Attack:
        def __reduce__(self) -> Any:
            return os.makedirs, (str(tmp_path / "attacked"), 0o777, True)

    monkeypatch.setattr(checkpoint_module, "load_url", checkpoint_module.load_url)
    monkeypatch.setattr(CheckpointLoader, "_schemes", dict(CheckpointLoader._schemes))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    path = tmp_path / "www" / "backbone.pth"
    torch.save({"state_dict": Model().state_dict(), "meta": Attack()}, path)
    make_harmless()
    for name in (f"{server[0]}/{path.name}", str(path)):
        model = Model()
        load_checkpoint(model, name)
        assert torch.equal(model.head.weight, torch.load(path, weights_only=False)["state_dict"]["head.weight"])
        shutil.rmtree(tmp_path / "attacked")  # by torch.load in this test
        load_checkpoint(model, name)
        assert not (tmp_path / "attacked").exists()
