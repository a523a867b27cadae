"""mmdet 2.x's hooks for checkpoints, logs and averages."""

from __future__ import annotations

from typing import Any

from model_def.migrate.meaning import Around, Meaning, left_out, refused

LOGGERS = ("TextLoggerHook", "TensorboardLoggerHook")
RANKS = ("greater", "less")
GONE = {
    "SyncRandomSizeHook": "model.data_preprocessor.batch_augments: [{type: BatchSyncRandomResize, …}]",
    "LinearMomentumEMAHook": "custom_hooks: [{type: EMAHook, …}]",
    "YOLOXLrUpdaterHook": "param_scheduler: […], as in yolox/yolox_s_8xb8-300e_coco.py",
}


def best(old: str, value: Any, around: Around) -> Meaning:
    """`evaluation.save_best`: the searcher's metric decides which checkpoint is best."""
    if value in (None, "auto", around.metric):
        return left_out(old, f"`searcher.metric: {around.metric}` decides which checkpoint is the best")
    why = "`searcher.metric` decides which checkpoint is the best"
    return refused(old, why, f"searcher: {{metric: {value}}}")


def ranking(old: str, value: Any, around: Around) -> Meaning:
    """`evaluation.rule`: greater or less."""
    if value in RANKS and (value == "less") == around.smaller_is_better:
        return left_out(old, "`searcher.smaller_is_better` decides")
    better = str(value == "less").lower()
    return refused(old, "`searcher.smaller_is_better` decides", f"searcher: {{smaller_is_better: {better}}}")


def kept(old: str, value: Any, around: Around) -> Meaning:
    """`checkpoint_config.max_keep_ckpts`."""
    return refused(old, "Determined keeps the checkpoints", f"checkpoint_storage: {{save_trial_latest: {value}}}")


def loggers(old: str, value: Any, around: Around) -> Meaning:
    """`log_config.hooks`: text and TensorBoard are written anyway."""
    names = [hook.get("type") for hook in value] if isinstance(value, list) else [value]
    if all(name in LOGGERS for name in names):
        return left_out(old, "text logs and TensorBoard's events are always written")
    others = ", ".join(str(name) for name in names if name not in LOGGERS)
    return refused(old, f"{others} is no hook any more", "visualizer.vis_backends: [{type: WandbVisBackend}]")


def custom_hooks(old: str, value: Any, around: Around) -> Meaning | None:
    """Hooks that mmdet 3 calls something else; None if there are none of these."""
    hooks = value if isinstance(value, list) and all(isinstance(hook, dict) for hook in value) else []
    for hook in hooks:
        if hook.get("type") in GONE:
            return refused(old, f"there is no {hook['type']} any more", GONE[hook["type"]])
    now = [_average(hook) if hook.get("type") == "ExpMomentumEMAHook" else _plain(hook) for hook in hooks]
    return Meaning(old=old, new={old: now}) if now != hooks else None


def _average(hook: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {"gamma": hook.get("total_iter", 2000), "momentum": hook.get("momentum", 0.0002)}
    same = {key: value for key, value in hook.items() if key in ("interval", "priority")}
    buffers = {"update_buffers": not hook.get("skip_buffers", False)}
    return {"type": "EMAHook", "ema_type": "ExpMomentumEMA", **arguments, **buffers, **same}


def _plain(hook: dict[str, Any]) -> dict[str, Any]:
    """SyncNormHook takes nothing any more: it acts when validation comes."""
    gone = ("num_last_epochs", "interval") if hook.get("type") == "SyncNormHook" else ()
    return {key: item for key, item in hook.items() if key not in gone}
