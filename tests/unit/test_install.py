"""The installation scripts, as far as they run without installing."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import build_mmcv
import install
import lock
import pytest

ROOT = build_mmcv.ROOT
STACKS = ("openmmlab", "onedl")


def script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **environment))


def pins(stack: str) -> dict[str, str]:
    lines = [line for name in (stack, f"{stack}-dev") for line in (ROOT / f"requirements/{name}.txt").open()]
    return dict(line.strip().split("==") for line in lines if not line.startswith("#"))


@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_files_with_the_same_helpers_compile_as_one_unit(tmp_path: Path) -> None:
    folder = tmp_path / "mmcv/ops/csrc/pytorch"
    (folder / "cpu").mkdir(parents=True)
    helpers = "template <typename T> struct PreCalc {}; inline int add(int x) { return x; }\n"
    (folder / "cpu/bezier_align.cpp").write_text(f"{helpers} int bezier() {{ return add(1); }}")
    (folder / "cpu/psamask.cpp").write_text("#define max(a, b) (a)\nint psa() { return max(1, 2); }")
    (folder / "cpu/roi_align.cpp").write_text(f"{helpers} int roi() {{ return add(2); }}")
    (folder / "three_nn.cpp").write_text("struct Limits { int max(); };")
    (folder / "pybind.cpp").write_text("int main() { return 0; }")
    build_mmcv.unify(tmp_path)
    assert sorted(path.name for path in folder.glob("**/*.cpp")) == ["pybind.cpp", "unity.cpp"]
    subprocess.run(["c++", "-fsyntax-only", str(folder / "unity.cpp")], check=True)


def test_every_version_has_a_wheel_of_its_own() -> None:
    variants = [("2.13.0", None, ""), ("2.13.0+cpu", None, ""), ("2.13.0", "13.0", "8.0"), ("2.13.0", "13.0", "9.0")]
    keys = {build_mmcv.cache_key(stack, *variant) for stack in STACKS for variant in variants}
    assert len(keys) == len(STACKS) * len(variants)


def test_an_interrupted_build_is_not_taken_for_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    half = tmp_path / "determined-mmdet/wheels/mmcv-2.1.0-torch2.13.0/build/wheel/mmcv.whl"
    half.parent.mkdir(parents=True)
    half.touch()
    assert build_mmcv.find_cached("openmmlab") is None


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path) -> None:
    result = script("build_mmcv.py", "openmmlab", CXX="no-such-compiler", XDG_CACHE_HOME=str(tmp_path))
    assert result.returncode == 2
    assert "no-such-compiler" in result.stderr
    assert "apt install g++" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_python_is_named_with_its_package(tmp_path: Path) -> None:
    shell = shutil.which("sh") or "/bin/sh"
    (tmp_path / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    command = [shell, str(ROOT / "scripts/python311.sh")]
    result = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path)})
    assert result.returncode == 2
    assert "apt install python3.11" in result.stderr


def test_a_half_installed_package_is_forgotten(tmp_path: Path) -> None:
    target = install.Target(stack="openmmlab", device="cpu", venv=tmp_path)
    half, whole = target.site_packages / "half-1.dist-info", target.site_packages / "whole-1.dist-info"
    for folder in (half, whole):
        folder.mkdir(parents=True)
        (folder / "METADATA").touch()
    (whole / "INSTALLER").touch()
    install.forget_damaged(target)
    assert whole.exists()
    assert not half.exists()


def test_an_image_is_complete_for_a_user_who_may_not_write_there(tmp_path: Path, monkeypatch) -> None:
    """Determined runs containers as any user; the GPU that the image was made for need not be there either."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "user"))
    monkeypatch.setattr("site.USER_BASE", None)
    made = install.Target(stack="openmmlab", device="cuda", venv=None)
    assert not made.is_ready()
    (tmp_path / install.STAMP).write_text(made.fingerprint())
    assert made.is_ready()
    assert install.find_device(made) == "cuda"
    assert not install.Target(stack="onedl", device="cuda", venv=None).is_ready()


def fingerprint(root: Path) -> str:
    code = "import install; print(install.Target(stack='openmmlab', device='cpu', venv=None).fingerprint())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "scripts", capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_hook_finds_the_image_complete(tmp_path: Path) -> None:
    """The image's install step sees what is copied; the context's startup-hook.sh compares it with its own."""
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    let_in = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
    for source, target in re.findall(r"^COPY (\w\S*) (\S+)$", dockerfile, re.MULTILINE):
        assert source in let_in
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / target)
    assert fingerprint(tmp_path) == fingerprint(ROOT)
    assert "RUN python3 scripts/install.py ${STACK} --device ${DEVICE}" in dockerfile
    assert "ENV STACK=${STACK}" in dockerfile, "the hook would put another stack over it"


def test_the_image_leads_to_the_zoo() -> None:
    pattern = r"MMDETECTION_CONFIG_DIR=/usr/local/lib/python3.11/site-packages/(\S+)"
    [path] = re.findall(pattern, (ROOT / "docker/Dockerfile").read_text())
    assert (Path(sysconfig.get_path("purelib")) / path / "retinanet/retinanet_r18_fpn_1x_coco.py").is_file()


@pytest.mark.parametrize("stack", STACKS)
def test_a_lock_pins_the_project_and_one_opencv(stack: str) -> None:
    locked = pins(stack)
    runtime, dev, mmcv = lock.direct_requirements(stack)
    assert [name for name in locked if name.startswith("opencv")] == ["opencv-python-headless"]
    for requirement in runtime + dev:
        name, _, version = requirement.partition("==")
        assert lock.name_of(name) in locked
        assert not version or locked[lock.name_of(name)] == version
    assert build_mmcv.sdist_requirement(stack) == mmcv


def test_the_interpreter_here_is_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f"=={sys.version_info.major}.{sys.version_info.minor}.*"
