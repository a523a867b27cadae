"""Build mmcv's wheel, operators compiled, and print its path: `python scripts/build_mmcv.py openmmlab` (or `onedl`).

mmcv has no wheel for current torch. Compiled as it is, each of its 77 C++ files spends most of its time on torch's
headers: 12 to 18 minutes on two cores. Here all but the largest, pybind.cpp, become one translation unit, about as long
to compile as that one: half a minute on two cores, with the default flags. CUDA files are compiled as they are, when
torch is a CUDA build (TORCH_CUDA_ARCH_LIST is respected).

The wheel is kept in the user's cache directory and is built once for each version of mmcv, torch, Python and CUDA.
Run it with the Python that holds torch, setuptools < 81, wheel and ninja. Standard library only.
"""

import fcntl
import importlib.util
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# These give helpers of their own the same names: in one translation unit each file needs its own names.
CLASHING_FILES = ("bezier_align", "roi_align", "roi_align_rotated", "rotated_feature_align")
CLASHING_NAMES = (
    "PreCalc",
    "pre_calc_for_bilinear_interpolate",
    "bilinear_interpolate",
    "bilinear_interpolate_gradient",
    "add",
    "valueAdd",
)


class BuildError(Exception):
    """What is wrong and what to do; `code` is the process's exit status: 2 if the user can mend it."""

    def __init__(self, message: str, code: int = 2):
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def sdist_requirement(stack: str) -> str:
    """`mmcv==2.1.0`, the pinned source that `requirements/<stack>-mmcv.txt` names with its hash."""
    return (ROOT / f"requirements/{stack}-mmcv.txt").read_text().split()[0]


def cache_root() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "determined-mmdet" / "wheels"


def torch_folder() -> Path:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise BuildError(f"torch is not installed in {sys.executable}. Run `make setup`.")
    return Path(spec.origin).parent


def torch_versions() -> tuple[str, str | None]:
    """torch's own version and its CUDA's, read without the seconds that importing torch takes."""
    versions = runpy.run_path(str(torch_folder() / "version.py"))
    return versions["__version__"], versions["cuda"]


def cuda_architectures() -> str:
    """What the CUDA operators are compiled for: TORCH_CUDA_ARCH_LIST, else the GPUs that are here."""
    if listed := os.environ.get("TORCH_CUDA_ARCH_LIST"):
        return re.sub(r"[;, ]+", ";", listed)
    import torch

    here = {torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())}
    if not here:
        raise BuildError("No GPU is here to compile for. Name the target, as in TORCH_CUDA_ARCH_LIST='8.0;9.0'.")
    return ";".join(f"{major}.{minor}" for major, minor in sorted(here))


def cache_key(stack: str, torch: str, cuda: str | None, architectures: str) -> str:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    device = f"cuda{cuda}-sm{architectures.replace(';', '_')}" if cuda else "cpu"
    return f"{sdist_requirement(stack).replace('==', '-')}-torch{torch}-{python}-{device}-{platform.machine()}"


def find_cached(stack: str) -> Path | None:
    """Any wheel of this stack's mmcv, for whichever torch."""
    return next(cache_root().glob(f"{sdist_requirement(stack).replace('==', '-')}-*/*.whl"), None)


def check_compiler(cuda: bool = False) -> None:
    compiler = os.environ.get("CXX", "c++").split()[0]
    if not shutil.which(compiler):
        raise BuildError(
            f"mmcv's operators must be compiled and there is no C++ compiler ({compiler}).\nInstall one: "
            "apt install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora, RHEL), xcode-select --install (macOS)."
        )
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        raise BuildError(
            f"mmcv's operators must be compiled and Python's headers are missing ({header}).\nInstall them: "
            "apt install python3.11-dev (Debian, Ubuntu), dnf install python3.11-devel (Fedora, RHEL), "
            "brew install python@3.11 (macOS)."
        )
    if cuda and not (shutil.which("nvcc") or os.environ.get("CUDA_HOME") or Path("/usr/local/cuda/bin/nvcc").exists()):
        raise BuildError(
            "torch is a CUDA build, and mmcv's CUDA operators need nvcc, which is not here.\nInstall the CUDA toolkit "
            "(apt or dnf: cuda-toolkit, from NVIDIA's repository), or take the CPU: make setup DEVICE=cpu."
        )


def run(command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
    with log.open("a") as output:
        result = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, close_fds=False)
    if result.returncode:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if re.search(r"\berror: |^ERROR", line)] or lines
        raise BuildError("\n".join(["mmcv could not be built.", *errors[:10], f"The whole output: {log}"]), code=1)


def unify(source: Path) -> None:
    """Turn the C++ files of mmcv's source tree, less pybind.cpp, into one translation unit, `unity.cpp`."""
    folder = source / "mmcv/ops/csrc/pytorch"
    lines = []
    for cpp in sorted([*folder.glob("*.cpp"), *folder.glob("cpu/*.cpp")]):
        if cpp.name == "pybind.cpp":
            continue
        part = cpp.rename(cpp.with_suffix(".inl"))
        clashing = CLASHING_NAMES if part.parent.name == "cpu" and part.stem in CLASHING_FILES else ()
        lines += [f"#define {name} {part.stem}_{name}" for name in clashing]
        lines += [f'#include "{part.relative_to(folder)}"']
        lines += [f"#undef {name}" for name in clashing]
        lines += ["#undef min", "#undef max"] if part.stem == "psamask" else []  # macros that it leaves behind
    (folder / "unity.cpp").write_text("\n".join(lines) + "\n")


def build_environment(cuda: bool, architectures: str) -> dict[str, str]:
    """Python's own compiler flags, less the debugging symbols, which take a third of the time."""
    environment = dict(os.environ, FORCE_CUDA="1" if cuda else "0", MMCV_WITH_OPS="1")
    environment["CPPFLAGS"] = f"{os.environ.get('CPPFLAGS', '')} -g0"
    environment.setdefault("MAX_JOBS", str(os.cpu_count() or 1))
    if cuda:
        environment["TORCH_CUDA_ARCH_LIST"] = architectures
        # CUDA's libraries came with torch, headers included, so a toolkit of nvcc alone is enough.
        headers = map(str, torch_folder().parent.glob("nvidia/*/include"))
        environment["CPATH"] = ":".join([*headers, os.environ.get("CPATH", "")]).strip(":")
    return environment


def build(stack: str, home: Path, environment: dict[str, str]) -> Path:
    """Download, unify and compile mmcv; its wheel appears in `home` all at once, by a rename."""
    work, log = home / "build", home / "build.log"
    shutil.rmtree(work, ignore_errors=True)  # an interrupted build's
    work.mkdir()
    log.write_text("")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    plain = ["--no-deps", "--no-build-isolation"]
    source = ["--no-binary", ":all:", "--require-hashes", "-r", str(ROOT / f"requirements/{stack}-mmcv.txt")]
    run([*pip, "download", *plain, *source, "-d", str(work)], log)
    (archive,) = work.glob("*.tar.gz")
    shutil.unpack_archive(archive, work)
    tree = work / archive.name.removesuffix(".tar.gz")
    unify(tree)
    run([*pip, "wheel", "-v", *plain, "--no-cache-dir", "-w", str(work / "wheel"), str(tree)], log, environment)
    (built,) = (work / "wheel").glob("*.whl")
    wheel = built.replace(home / built.name)
    shutil.rmtree(work)
    return wheel


def cached_wheel(stack: str) -> Path:
    """The wheel for this Python and its torch, built if it is not in the cache."""
    torch, cuda = torch_versions()
    architectures = cuda_architectures() if cuda else ""
    home = cache_root() / cache_key(stack, torch, cuda, architectures)
    if found := next(home.glob("*.whl"), None):
        return found
    check_compiler(cuda=bool(cuda))
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)  # compilers that outlive this process are waited for
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second build waits here, and finds the first one's wheel
        return next(home.glob("*.whl"), None) or build(stack, home, build_environment(bool(cuda), architectures))


def main() -> None:
    if sys.argv[1:] not in (["openmmlab"], ["onedl"]):
        sys.exit("usage: python scripts/build_mmcv.py openmmlab|onedl")
    try:
        print(cached_wheel(sys.argv[1]))
    except BuildError as error:
        say(f"error: {error}")
        sys.exit(error.code)


if __name__ == "__main__":
    main()
