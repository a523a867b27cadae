"""Files that others have pickled: what is read of them, and that nothing of the process is changed by reading."""

from __future__ import annotations

import os
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from model_def.errors import WeightsError
from model_def.weights.stock import read_stock
from model_def.weights.unpickle import Inert, check_plain, inert, load_harmless


def content() -> dict[str, Any]:
    """As mmengine's Runner saves it, in small."""
    return {
        "meta": {"epoch": 1, "iter": 6, "seed": np.int64(3), "cfg": "import os"},
        "state_dict": {"module.w": torch.ones(2)},
        "message_hub": {
            "log_scalars": {"train/loss": HistoryBuffer([1.0, 2.0], [1, 1], 10)},
            "runtime_info": {"iter": 6, "loop_stage": "train"},
            "resumed_keys": {"train/loss": True, "iter": True, "gone": True},
        },
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": np.float64(0.1)}]},
        "param_schedulers": [{"last_step": 6, "_last_value": [np.float64(0.1)]}],
    }


def saved(value: Any, tmp_path: pathlib.Path, *, zipped: bool = True) -> pathlib.Path:
    torch.save(value, tmp_path / "epoch_1.pth", _use_new_zipfile_serialization=zipped)
    return tmp_path / "epoch_1.pth"


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_all_that_a_resume_needs(zipped: bool, mmap: bool, tmp_path: pathlib.Path) -> None:
    path = saved(content(), tmp_path, zipped=zipped)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    found = read_stock(path, mmap=mmap)
    assert (found.epoch, found.iterations, found.seed) == (1, 6, 3)
    assert torch.equal(found.content["state_dict"]["w"], torch.ones(2))
    hub = found.content["message_hub"]
    history = hub["log_scalars"]["train/loss"]
    assert [part.tolist() for part in history.data] == [[1.0, 2.0], [1, 1]]
    assert (history.max_length, history.mean()) == (10, 1.5)
    assert hub["resumed_keys"] == {"train/loss": True, "iter": True}
    assert found.content["optimizer"]["param_groups"] == [{"lr": 0.1}]
    assert found.content["param_schedulers"] == [{"last_step": 6, "_last_value": [0.1]}]


def test_a_history_brings_no_methods(tmp_path: pathlib.Path) -> None:
    """mmengine's own would put them into a table of the class."""
    before = dict(HistoryBuffer._statistics_methods)
    value = content()
    buffer = value["message_hub"]["log_scalars"]["train/loss"]
    path = saved(value, tmp_path)
    buffer._statistics_methods = {"mean": len}
    saved(value, tmp_path)
    assert read_stock(path).content["message_hub"]["log_scalars"]["train/loss"].statistics("mean") == 1.5
    assert HistoryBuffer._statistics_methods == before


def test_nothing_of_the_process_is_changed(tmp_path: pathlib.Path) -> None:
    """A pickle can set attributes of what it looks up, of `torch._utils._rebuild_tensor` here."""
    stream = b"\x80\x02ctorch._utils\n_rebuild_tensor\nN}X\x04\x00\x00\x00evilK\x01s\x86b."
    archive = saved({"a": 1}, tmp_path)
    replace_pickle(archive, stream)
    with pytest.raises(WeightsError, match="attributes of a class or a function"):
        load_harmless(archive)
    assert not hasattr(torch._utils._rebuild_tensor, "evil")
    pickle.loads(stream)
    assert vars(torch._utils._rebuild_tensor).pop("evil") == 1, "pickle itself does it"


def replace_pickle(path: pathlib.Path, stream: bytes) -> None:
    """Put another pickle into the archive that torch has written."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, stream if name.endswith("data.pkl") else part)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.pop("optimizer"), "it has no optimizer"),
        (lambda value: value.update(optimizer=os.getcwd), "it has no optimizer"),
        (lambda value: value["meta"].pop("iter"), "doesn't say how far"),
        (lambda value: value["param_schedulers"][0].update(func=os.getcwd), r"such as param_schedulers\.0\.func"),
    ],
)
def test_what_a_run_can_not_go_on_from(change: Any, words: str, tmp_path: pathlib.Path) -> None:
    value = content()
    change(value)
    with pytest.raises(WeightsError, match=words) as caught:
        read_stock(saved(value, tmp_path))
    assert "use_pretrained=" in caught.value.problems[0].next


def test_a_hub_of_old_and_objects_in_a_hub(tmp_path: pathlib.Path) -> None:
    value = content()
    value["message_hub"]["runtime_info"]["odd"] = [os.getcwd]
    assert read_stock(saved(value, tmp_path)).content["message_hub"]["runtime_info"] == {
        "iter": 6, "loop_stage": "train",
    }  # fmt: skip
    value["message_hub"] = os.getcwd  # an object, before mmengine 0.2
    assert read_stock(saved(value, tmp_path)).content["message_hub"]["log_scalars"] == {}


def test_where_placeholders_are() -> None:
    assert list(inert({"a": [1, {"b": Inert()}], "c": Inert()}, "x")) == ["x.a.1.b", "x.c"]


def test_determineds_own_pickle_may_hold_numbers_alone(tmp_path: pathlib.Path) -> None:
    """It is loaded by pickle itself when a run goes on."""
    path = tmp_path / "trial_state.pkl"
    path.write_bytes(pickle.dumps({"trial_id": 1, "batches_trained": 6}))
    check_plain(path)
    path.write_bytes(pickle.dumps({"trial_id": os.getcwd}))
    with pytest.raises(WeightsError, match=r"it asks for posix\.getcwd"):
        check_plain(path)
