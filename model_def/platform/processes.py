"""The processes of one run: torchrun's, or this one alone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator

import torch
from determined import core

from model_def.errors import MMDetTrialError, Stopped, TrainingError, UserError


def join() -> core.DistributedContext:
    """Join the processes that a launcher such as torchrun has started (RANK, WORLD_SIZE, LOCAL_RANK, … are set).

    Returns:
        Determined's distributed context: of a single process where no launcher is at work.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return core.DummyDistributedContext()
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group(backend="nccl" if on_gpu else "gloo")
    os.environ["USE_TORCH_DISTRIBUTED"] = "True"  # Determined asks for the backend by this name
    return _distributed_context(size)


def leave() -> None:
    """End what `join` began."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def failing_together(distributed: core.DistributedContext) -> Iterator[None]:
    """When one process of several fails, all do, and the first one is the `speaker`.

    By themselves the others would tell of a lost connection.

    Raises:
        UserError, TrainingError: the first one of any process, in place of what followed from it in this one.
    """
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        if distributed.size == 1:
            raise
        first = _first_failure(error, distributed.rank)
        if first is error:
            raise
        raise first from error


def _first_failure(error: Exception, rank: int) -> Exception:
    """The failure that was first: another process's, or this one's `error`."""
    store, key = torch.distributed.distributed_c10d._get_default_store(), "model_def/failure"
    if isinstance(error, MMDetTrialError):
        own = json.dumps([rank, error.exit_code, str(error)])
        found = store.compare_set(key, "", own)
    elif store.check([key]):
        found = store.get(key)
    else:
        return error
    speaker, code, text = json.loads(found)
    first = UserError(what=text) if code == UserError.exit_code else TrainingError(text)
    first.speaker = speaker == rank
    return first


def _distributed_context(size: int) -> core.DistributedContext:
    local_size = int(os.environ["LOCAL_WORLD_SIZE"])
    # Determined's default ports are fixed: two runs on one host would talk to each other.
    ports = [_free_ports(2)]
    torch.distributed.broadcast_object_list(ports, src=0)
    return core.DistributedContext(
        rank=int(os.environ["RANK"]),
        size=size,
        local_rank=int(os.environ["LOCAL_RANK"]),
        local_size=local_size,
        cross_rank=int(os.environ["RANK"]) // local_size,
        cross_size=size // local_size,
        chief_ip=os.environ["MASTER_ADDR"],
        pub_port=ports[0][0],
        pull_port=ports[0][1],
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
