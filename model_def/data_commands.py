"""The commands of `data` that move or check data sets. What takes time to import is imported by its command."""

from __future__ import annotations

import contextlib
import shlex
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from model_def.arguments import PROGRAM
from model_def.errors import ConfigError, Stopped

if TYPE_CHECKING:
    from mmengine.config import Config
    from rich.console import Console

    from model_def.storage.options import Options
    from model_def.transfer.cache import Warming
    from model_def.transfer.check import Inventory
    from model_def.transfer.coco import Download
    from model_def.transfer.put import Upload


def coco(arguments: Namespace) -> int:
    """Download COCO."""
    from model_def.report.console import make_console
    from model_def.transfer.coco import Download, Wanted
    from model_def.transfer.official import SPLITS
    from model_def.transfer.stores import destination

    splits = list(dict.fromkeys(arguments.split or ["train", "val"]))
    if unknown := [split for split in splits if split not in SPLITS[arguments.year]]:
        allowed = ", ".join(SPLITS[arguments.year])
        raise ConfigError(what=f"COCO {arguments.year} has no such split", value=unknown[0], allowed=allowed)
    if arguments.year == 2014 and (arguments.panoptic or arguments.stuff):
        raise ConfigError(what="COCO 2014 has no panoptic and stuff annotations", next="--year 2017")
    wanted = Wanted(
        year=arguments.year,
        splits=splits,
        panoptic=arguments.panoptic,
        stuff=arguments.stuff,
        base=arguments.base,
        threads=arguments.threads,
    )
    console = make_console()
    download = Download(wanted, destination(arguments.to, "--to", _options(arguments)), console)
    try:
        download.run()
    except KeyboardInterrupt:
        raise _stopped(_there(download, "files are there"), arguments) from None
    console.print("  terms of use: https://cocodataset.org/#termsofuse")
    return 0


def put(arguments: Namespace) -> int:
    """Upload a data set."""
    from model_def.report.console import make_console
    from model_def.transfer.put import Upload
    from model_def.transfer.stores import prefix

    to = prefix(arguments.to, "the second argument", _options(arguments))
    upload = Upload(arguments.folder, to, make_console(), threads=arguments.threads)
    try:
        upload.run()
    except KeyboardInterrupt:
        raise _stopped(_there(upload, "files are there"), arguments) from None
    return 0


def check(arguments: Namespace) -> int:
    """See that everything is there, and measure how fast it comes."""
    from model_def.report.console import make_console
    from model_def.report.quiet import quiet

    console = make_console()
    with quiet(console), _begun(arguments):
        from model_def.transfer.rate import images_per_second

        _, config = _inventory(arguments, console)
        rate, workers = images_per_second(config), config.train_dataloader.get("num_workers", 0)
    told = f"about {rate:,.3g} images a second" if rate else "too few images to measure how fast they come"
    console.print(f"{told}: the training's loader here, with {workers} worker{'' if workers == 1 else 's'}")
    return 0


def cache(arguments: Namespace) -> int:
    """Fill the disk cache."""
    from model_def.report.console import make_console
    from model_def.report.quiet import quiet

    console = make_console()
    with quiet(console), _begun(arguments):
        from model_def.transfer.cache import Warming

        inventory, _ = _inventory(arguments, console)
        warming = Warming(inventory.groups, inventory.sizes, console)
        try:
            warming.run()
        except KeyboardInterrupt:
            raise _stopped(_there(warming, "objects are in the cache"), arguments) from None
    return 0


def _inventory(arguments: Namespace, console: Console) -> tuple[Inventory, Config]:
    """What the experiment reads; all of it is there."""
    from model_def.mistakes import loaded
    from model_def.transfer.check import Inventory
    from model_def.transfer.meter import sized

    experiment = loaded(arguments.experiment, arguments.assignments)
    inventory = Inventory(experiment, console, missing=arguments.missing)
    config = inventory.take().config
    console.print(f"all {len(inventory.sizes):,} files are there, {sized(sum(inventory.sizes.values()))}")
    return inventory, config


@contextlib.contextmanager
def _begun(arguments: Namespace) -> Iterator[None]:
    """What only looks has nothing to save: Ctrl-C says how to begin again."""
    try:
        yield
    except KeyboardInterrupt:
        raise _stopped("nothing was changed", arguments) from None


def _options(arguments: Namespace) -> Options:
    from model_def.storage.options import Options

    return Options.of({"endpoint_url": arguments.endpoint_url, "threads": arguments.threads}, where="command line")


def _there(work: Download | Upload | Warming, what: str) -> str:
    return f"{work.there:,} of {work.total:,} {what}" if work.total else "nothing was changed"


def _stopped(done: str, arguments: Namespace) -> Stopped:
    """After Ctrl-C: what is kept, and the command that goes on."""
    command = f"{PROGRAM} {shlex.join(arguments.given)}"
    return Stopped(f"stopped: {done}; go on with:\n  {command}", signal_number=2)
