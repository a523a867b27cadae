"""Composes an experiment YAML from groups with Hydra, then shows it, trains it or submits it. See README.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

try:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig, OmegaConf
except ImportError:
    print("Hydra is not installed. Next:\n  python -m pip install hydra-core==1.3.8", file=sys.stderr)
    sys.exit(2)

COMMANDS = {
    "train": [sys.executable, "-m", "model_def", "train", "{file}"],
    "submit": ["det", "experiment", "create", "{file}", "."],
}


def experiment(config: DictConfig) -> dict[str, Any]:
    """The composed experiment as plain data, in the order in which people write it.

    Raises:
        omegaconf.errors.MissingMandatoryValue: a `???` was not filled in.
    """
    content: Any = OmegaConf.to_container(config.experiment, resolve=True, throw_on_missing=True)
    first = [key for key in ("name", "entrypoint", "hyperparameters", "searcher") if key in content]
    return {key: content[key] for key in [*first, *(key for key in content if key not in first)]}


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> None:
    """Write `experiment.yaml` into Hydra's directory of this run, and do what `action` says with it."""
    text = yaml.safe_dump(experiment(config), sort_keys=False, allow_unicode=True)
    file = Path(HydraConfig.get().runtime.output_dir) / "experiment.yaml"
    file.write_text(text)
    if config.action == "show":
        print(text, end="")
        return
    if config.action not in COMMANDS:
        print(f"action={config.action}: there are show, {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    code = subprocess.run([part.format(file=file) for part in COMMANDS[config.action]], check=False).returncode
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
