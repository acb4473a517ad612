"""What a config that is well formed may still have wrong."""

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.losses import BODY_TERMS, SILHOUETTE_TERM, LossSum, emitted_terms

FROZEN_UNTAUGHT = (
    "model_cfg.heatmap_cfg is frozen, and this training would begin with fresh weights: name a checkpoint in which 3D "
    "is learned, trainer_cfg.restore_hint: FILE with restore_ckpt_strict: false, or set frozen: false."
)


def modalities(config: Config) -> int:
    """How many files of a sequence are read: 1 is silhouettes, 2 is silhouettes and bodies."""
    return 1 if config.data_cfg.data_in_use is None else sum(config.data_cfg.data_in_use)


def contradictions(config: Config, opengait: bool = False) -> list[str]:
    """Settings that are fine by themselves and cannot work together; ``opengait``: it checks the losses itself."""
    data, model, trainer, evaluator = config.data_cfg, config.model_cfg, config.trainer_cfg, config.evaluator_cfg
    problems = []
    in_use = modalities(config)
    prefixes = [str(loss.get("log_prefix")) for loss in config.loss_cfg]
    bodily = [prefix for prefix in prefixes if prefix in BODY_TERMS]
    branch = [prefix for prefix in prefixes if prefix in (*BODY_TERMS, SILHOUETTE_TERM)]
    wrong_use = None
    if in_use not in (1, 2):
        wrong_use = "expected one true (silhouettes) or two (with bodies; the weights beside them come along)"
    elif bodily and in_use == 1:
        wrong_use = f"the losses {', '.join(bodily)} compare with bodies, so set [true, true]"
    if wrong_use:
        problems.append(f"data_cfg.data_in_use: found {data.data_in_use}; {wrong_use}.")
    for other in data.others:
        if sum(other["data_in_use"] or [True]) != in_use:
            problems.append(
                f"data_cfg: {other['dataset_name']} has data_in_use {other['data_in_use']} and {data.dataset_name} has "
                f"{data.data_in_use}. Use the same kinds of files of all: silhouettes, or silhouettes and bodies "
                "(meshgait prepare --bodies none writes empty ones)."
            )
    for name, section in (("trainer_cfg", trainer), ("evaluator_cfg", evaluator)):
        if not wrong_use and len(section.transform) != in_use:
            problems.append(
                f"{name}.transform: found {len(section.transform)}; expected {in_use}, one for each modality that "
                "data_cfg.data_in_use turns on (NoOperation for bodies)."
            )
        if section.sampler.frames_num_min > section.sampler.frames_num_max:
            problems.append(f"{name}.sampler: frames_num_min is larger than frames_num_max.")
        if isinstance(section.restore_hint, int) and section.restore_hint < 0:
            problems.append(f"{name}.restore_hint: found {section.restore_hint}; expected 0, an iteration or a file.")
    order = trainer.sampler.sample_type
    if (model.heatmap_cfg or {}).get("dilations") and not order.endswith("_ordered") and not order.startswith("all"):
        problems.append(
            f"trainer_cfg.sampler.sample_type: found {order}; heatmap_cfg.dilations looks at neighbouring frames, so "
            f"set {order.split('_')[0]}_ordered, or dilations: []."
        )
    heatmaps = model.heatmap_cfg or {}
    if branch and heatmaps.get("frozen") and heatmaps.get("reads") != "backbone":
        problems.append(
            f"loss_cfg: {', '.join(branch)} would teach nothing, for heatmap_cfg is frozen; take them out, or set "
            "frozen: false."
        )
    if branch and model.heatmap_cfg is None:
        problems.append(
            f"loss_cfg: {', '.join(branch)} need the heatmap branch; set model_cfg.heatmap_cfg or take them out."
        )
    if not problems and not opengait:
        try:
            LossSum(config.loss_cfg, emitted_terms(model.heatmap_cfg is not None, in_use == 2))
        except UserError as error:
            problems.append(f"loss_cfg: {error}")
    if model.model == "Baseline" and model.heatmap_cfg is not None:
        problems.append("model_cfg.heatmap_cfg: Baseline is silhouette-only; set model: MeshGait or heatmap_cfg: null.")
    steps = config.scheduler_cfg.model_extra.get("total_steps")
    if isinstance(steps, int) and steps < trainer.total_iter:
        problems.append(
            f"scheduler_cfg.total_steps: {steps} is fewer than trainer_cfg.total_iter, {trainer.total_iter}."
        )
    return problems
