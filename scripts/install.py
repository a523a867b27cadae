"""Install everything that a stack's lock files name, mmcv's compiled operators included.

`python3.11 scripts/install.py openmmlab --venv .venv` makes or completes a virtual environment, with the development
tools and this project; without --venv the packages go into the Python that runs this (images and containers).
A stamp makes a repeated run instant, an interrupted one goes on where it was. Standard library only.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import build_mmcv
from build_mmcv import ROOT, BuildError, say

STAMP = "determined-mmdet.stamp"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where to install what."""

    stack: str
    device: str
    venv: Path | None

    @property
    def prefix(self) -> Path:
        return self.venv or Path(sys.prefix)

    @property
    def python(self) -> Path:
        return self.venv / "bin/python" if self.venv else Path(sys.executable)

    @property
    def site_packages(self) -> Path:
        return self.venv / "lib/python3.11/site-packages" if self.venv else Path(sysconfig.get_path("purelib"))

    @property
    def stamp(self) -> Path:
        """The one to write: in an image another user may have made the prefix's."""
        home = self.prefix if self.venv or os.access(self.prefix, os.W_OK) else Path(site.getuserbase())
        return home / STAMP

    @property
    def stamped(self) -> list[str]:
        """What the stamps say."""
        return [path.read_text() for path in (self.stamp, self.prefix / STAMP) if path.exists()]

    @property
    def locks(self) -> list[Path]:
        names = [self.stack, f"{self.stack}-dev"] if self.venv else [self.stack]
        return [ROOT / f"requirements/{name}.txt" for name in names]

    def fingerprint(self) -> str:
        """Changes whenever the installation has to be looked at again."""
        sources = [*self.locks, *sorted(ROOT.glob("scripts/*.py")), ROOT / "pyproject.toml"]
        sources.append(ROOT / f"requirements/{self.stack}-mmcv.txt")
        text = f"{self.stack} {self.prefix}".encode()
        return f"{self.device} {hashlib.sha256(text + b''.join(path.read_bytes() for path in sources)).hexdigest()}"

    def is_ready(self) -> bool:
        return self.python.exists() and self.fingerprint() in self.stamped

    def pip(self, *arguments: str, hide_output: bool = False) -> bool:
        command = [str(self.python), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", *arguments]
        output = subprocess.DEVNULL if hide_output else None
        return subprocess.run(command, close_fds=False, stdout=output, stderr=output).returncode == 0

    def install(self, *arguments: str) -> None:
        if not self.pip("install", "--root-user-action", "ignore", *arguments):
            raise BuildError("pip could not install the packages above. The same command again goes on from here.", 1)


def make_venv(target: Target) -> None:
    if target.venv and not (target.python.exists() and target.pip("--version", hide_output=True)):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(target.venv)], check=True, close_fds=False)


def forget_damaged(target: Target) -> None:
    """Make pip install again what an interrupted pip left half-installed: it writes INSTALLER last."""
    for folder in target.site_packages.glob("*.dist-info"):
        if target.venv and not (folder / "INSTALLER").exists():
            shutil.rmtree(folder)


def keep_one_opencv(target: Target) -> None:
    """Distributions of OpenCV overwrite each other's files, so a second one takes all with it."""
    found = {path.name.partition("-")[0] for path in target.site_packages.glob("opencv_*.dist-info")}
    if found - {"opencv_python_headless"}:
        target.pip("uninstall", "-y", *sorted(found))


def install_torch(target: Target) -> None:
    """torch and what builds mmcv. A CPU build comes from the configured index or else from PyTorch's own."""
    (torch,) = (line for line in target.locks[0].read_text().split() if line.startswith("torch=="))
    wanted = ["-c", str(target.locks[0]), "flit_core", "ninja", "numpy", "setuptools", "wheel"]
    if target.device == "cuda":
        target.install(*wanted, f"{torch},!={torch.removeprefix('torch==')}+cpu")
    elif sys.platform == "darwin":
        target.install(*wanted, torch)
    elif not target.pip("install", "--root-user-action", "ignore", *wanted, f"{torch}+cpu", hide_output=True):
        target.install(*wanted, "--extra-index-url", CPU_INDEX, f"{torch}+cpu")


def install_rest(target: Target) -> None:
    """The lock files' packages, while mmcv compiles."""
    command = [str(target.python), str(ROOT / "scripts/build_mmcv.py"), target.stack]
    build = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        locks = [part for lock in target.locks for part in ("-r", str(lock))]
        target.install("--no-deps", "--no-build-isolation", *locks)
        say_time("packages")
        wheel = build.communicate()[0].strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(build.pid, signal.SIGTERM)  # the compilers as well
    if build.returncode:
        sys.exit(build.returncode)
    install_mmcv(target, Path(wheel))
    say_time("mmcv's operators")


def install_mmcv(target: Target, wheel: Path) -> None:
    """Unless just this wheel is there: one for another torch has the same version."""
    origins = target.site_packages.glob("*mmcv-*.dist-info/direct_url.json")
    if not any(wheel.as_uri() in origin.read_text() for origin in origins):
        target.install("--no-deps", "--force-reinstall", str(wheel))


def say_time(step: str) -> None:
    say(f"  {time.monotonic() - START:4.0f} s  {step}")


def install(target: Target) -> None:
    if not build_mmcv.find_cached(target.stack):
        build_mmcv.check_compiler(cuda=target.device == "cuda")  # before minutes of downloads
    say(f"Setting up {target.prefix} for the {target.stack} stack on {target.device}")
    target.stamp.unlink(missing_ok=True)
    make_venv(target)
    forget_damaged(target)
    keep_one_opencv(target)
    install_torch(target)
    say_time("torch")
    install_rest(target)
    if target.venv:
        target.install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    target.stamp.parent.mkdir(parents=True, exist_ok=True)
    target.stamp.write_text(target.fingerprint())
    say_time("ready")


@contextlib.contextmanager
def alone(target: Target) -> Iterator[None]:
    """One installation at a time. pip inherits the lock, so one that outlives its parent is waited for as well."""
    folder = os.open(ROOT if target.venv else target.prefix, os.O_RDONLY)
    os.set_inheritable(folder, True)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up is at work; waiting for it.")
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(folder)


def find_device(target: Target) -> str:
    """What was chosen before, so that a CUDA image also runs where no GPU is; at first, whether a GPU is here."""
    if target.stamped:
        return target.stamped[0].split()[0]
    return "cuda" if any(Path("/dev").glob("nvidia[0-9]*")) else "cpu"


def parse() -> Target:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", choices=("openmmlab", "onedl"))
    parser.add_argument("--venv", type=Path, help="the virtual environment to make; default: install into this Python")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    venv = arguments.venv and arguments.venv.absolute()
    target = Target(stack=arguments.stack, device=arguments.device, venv=venv)
    return target if target.device != "auto" else replace(target, device=find_device(target))


def main() -> None:
    if sys.version_info[:2] != (3, 11):
        say(f"error: the lock files are for Python 3.11, and {sys.executable} is {sys.version.split()[0]}.")
        sys.exit(2)
    target = parse()
    for stop in (signal.SIGINT, signal.SIGTERM):  # leave through the finally clauses, which end pip and the compilers
        signal.signal(stop, lambda number, _: sys.exit(128 + number))
    try:
        with alone(target):
            if not target.is_ready():
                install(target)
    except BuildError as error:
        say(f"error: {error}")
        sys.exit(error.code)


START = time.monotonic()
if __name__ == "__main__":
    main()
