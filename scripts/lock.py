"""Write a stack's lock files from pyproject.toml: `python scripts/lock.py openmmlab` (or `onedl`).

pip resolves the newest versions that the pins in pyproject.toml allow; nothing is installed. The files hold names and
versions only, so they work with whatever package index pip is configured for. Run it inside a set-up environment.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STACKS = ("openmmlab", "onedl")
HEADER = "# Written by `make lock` from pyproject.toml. Installed with --no-deps, so it names every package.\n"


def name_of(requirement: str) -> str:
    """`scikit_learn==1.9` -> `scikit-learn`"""
    for sign in "=<>!~[; ":
        requirement = requirement.partition(sign)[0]
    return requirement.lower().replace("_", "-")


def is_locked(name: str) -> bool:
    """Leaves out a second OpenCV (it would overwrite the headless one) and what a CUDA torch brings along itself."""
    return name == "opencv-python-headless" or not name.startswith(("opencv-", "nvidia-", "cuda-", "triton"))


def direct_requirements(stack: str) -> tuple[list[str], list[str], str]:
    """What runs, what develops, and mmcv, which is locked apart because it is built here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    swaps: dict[str, str] = project["tool"]["determined-mmdet"].get(stack, {})
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["digits"], *extras["build"]]
    runtime = [swaps.get(name_of(requirement), requirement) for requirement in wanted]
    (mmcv,) = (requirement for requirement in runtime if name_of(requirement) in ("mmcv", "onedl-mmcv"))
    runtime.remove(mmcv)
    return runtime, extras["dev"], mmcv


def alone() -> dict[str, str]:
    """What is locked without its dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    requirements: list[str] = project["tool"]["determined-mmdet"]["alone"]
    return {name_of(requirement): requirement.partition("==")[2] for requirement in requirements}


def pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def resolve(requirements: list[str]) -> dict[str, str]:
    report = pip("install", "--dry-run", "--ignore-installed", "--no-build-isolation", "--report", "-", *requirements)
    chosen = (package["metadata"] for package in json.loads(report)["install"])
    pins = {name_of(metadata["name"]): metadata["version"].partition("+")[0] for metadata in chosen}
    return {name: version for name, version in sorted(pins.items()) if is_locked(name)}


def sdist_hash(requirement: str) -> str:
    """pip's own `--hash` for the source distribution of `requirement`."""
    report = pip(
        *("install", "--dry-run", "--ignore-installed", "--no-deps", "--no-build-isolation"),
        *("--no-binary", ":all:", "--report", "-", requirement),
    )
    (package,) = json.loads(report)["install"]
    return f"sha256:{package['download_info']['archive_info']['hashes']['sha256']}"


def write(name: str, pins: dict[str, str]) -> None:
    lines = "".join(f"{package}=={version}\n" for package, version in pins.items())
    (ROOT / "requirements" / f"{name}.txt").write_text(HEADER + lines)


def main() -> None:
    if sys.argv[1:] not in [[stack] for stack in STACKS]:
        sys.exit(f"usage: python scripts/lock.py {'|'.join(STACKS)}")
    stack = sys.argv[1]
    runtime, dev, mmcv = direct_requirements(stack)
    needed = resolve(runtime)
    everything = resolve([*(f"{name}=={version}" for name, version in needed.items()), *dev])
    write(stack, dict(sorted((needed | alone()).items())))
    write(f"{stack}-dev", {name: version for name, version in everything.items() if name not in needed})
    (ROOT / "requirements" / f"{stack}-mmcv.txt").write_text(f"{mmcv} --hash={sdist_hash(mmcv)}\n")


if __name__ == "__main__":
    main()
