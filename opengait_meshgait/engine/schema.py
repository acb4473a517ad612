"""Every key of a YAML file: its type, its default and what it does.

The sections and keys are OpenGait's, so that one file runs in both trainers; a key marked *embedded* is read by
this package's own engine only. What has a ``type`` is checked against the signature of the class that it names.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from opengait_meshgait.common.registry import Registry
from opengait_meshgait.common.validation import Section, as_list, mistake, problems_of, raise_inside
from opengait_meshgait.data.augment_cfg import AugmentCfg
from opengait_meshgait.data.several import joined_name
from opengait_meshgait.data.transforms import TRANSFORMS
from opengait_meshgait.engine.optimization import OPTIMIZERS, SCHEDULERS, with_defaults
from opengait_meshgait.losses import LOSSES
from opengait_meshgait.networks.registry import BACKBONES, ESTIMATORS, LAYERS

Entry = dict[str, Any]
EVAL_FUNCTIONS = {
    "evaluate_indoor_dataset": None,
    "evaluate_real_scene": None,
    "evaluate_Gait3D": "Gait3D",
    "evaluate_CCPG": "CCPG",
    "evaluate_CCGR_MINI": "CCGR-MINI",
    "GREW_submission": "GREW",
}
"""OpenGait's names for ``eval_func``, with the protocols they take; None: that of ``test_dataset_name``."""
FOR_OPENGAIT = "opengait"
"""In the context of a validation: whether OpenGait is to read the config."""


def _named(registry: Registry, **fixed: str) -> AfterValidator:
    """Checks an entry against what it names in ``registry``.

    Args:
        registry: of the names.
        fixed: the name, where the entry does not give it.
    """

    def check(entry: Entry) -> Entry:
        raise_inside(registry.problems({**entry, **fixed}))
        return entry

    return AfterValidator(check)


def _loss(entry: Entry, info: ValidationInfo) -> Entry:
    """Checks a loss, unless it may be one of OpenGait's own."""
    if (info.context or {}).get(FOR_OPENGAIT) and entry.get("type") not in LOSSES.entries:
        return entry
    raise_inside(LOSSES.problems({key: value for key, value in entry.items() if key != "log_prefix"}))
    return entry


BackboneEntry = Annotated[Entry, _named(BACKBONES)]
EstimatorEntry = Annotated[Entry, _named(ESTIMATORS)]
FeaturesEntry = Annotated[Entry, _named(LAYERS, type="HeatmapFeatures")]
HeadEntry = Annotated[Entry, _named(LAYERS, type="Discriminant")]
# OpenGait takes one entry or a list of them.
LossEntries = Annotated[list[Annotated[Entry, AfterValidator(_loss)]], BeforeValidator(as_list)]
TransformEntries = Annotated[list[Annotated[Entry, _named(TRANSFORMS)]], BeforeValidator(as_list)]
Positive = Annotated[int, Field(gt=0)]


def _folder_name(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise mistake(f"found '{name}'; expected the name of one folder below output/, without slashes.")
    return name


Name = Annotated[str, AfterValidator(_folder_name)]
SampleType = Literal[
    "fixed_unordered",
    "fixed_ordered",
    "fixed_allordered",
    "unfixed_unordered",
    "unfixed_ordered",
    "unfixed_allordered",
    "all_unordered",
    "all_ordered",
]
SAMPLE_TYPE = (
    "`fixed`: always `frames_num_fixed` frames; `unfixed`: a random number between `frames_num_min` and "
    "`frames_num_max`; `all`: the whole sequence in its order. `unordered`: drawn from the whole sequence, as they "
    "come; `allordered`: the same, sorted; `ordered`: drawn and sorted from a stretch longer by `frames_skip_num`."
)
TRANSFORM = "One transform for each modality in use (a single one may stand without the list)."


class FrameCfg(Section):
    """How the frames of one sequence are chosen."""

    sample_type: SampleType = Field(description=SAMPLE_TYPE)
    frames_num_fixed: Positive = Field(30, description="Frames of a sequence under `fixed`.")
    frames_num_min: Positive = Field(25, description="Fewest frames of a sequence under `unfixed`.")
    frames_num_max: Positive = Field(50, description="Most frames of a sequence under `unfixed`.")
    frames_skip_num: int = Field(
        4, ge=0, description="Frames dropped at random from the stretch that `ordered` sampling cuts out."
    )
    frames_all_limit: Positive | None = Field(None, description="Under `all`, at most so many frames; null: all.")


class DataSetCfg(Section):
    """A data set."""

    dataset_name: Name = Field(description="Name of the data set; the first folder under `output/`.")
    dataset_root: str = Field(description="Folder that holds `id/type/view/*.pkl`.")
    dataset_partition: str = Field(
        description="JSON file with the ids of `TRAIN_SET`, `TEST_SET` and, if there is one, `VAL_SET`; "
        "`PROBE_SET` names the probes of Gait3D's protocol."
    )
    data_in_use: list[bool] | None = Field(
        None,
        description="One true or false for each .pkl of a sequence folder, sorted by name: which of them are read. One "
        "in use: silhouettes; two: silhouettes and bodies (parameters, `*smpl*.pkl`, or else joints alone, "
        "`*joint*.pkl`). A file of weights (`*weight*.pkl`, a number from 0 to 1 for each frame: how much its body "
        "counts) has no entry: it is used wherever bodies are. null: silhouettes.",
    )
    num_workers: int = Field(1, ge=0, description="Processes that load data; 0 loads in the training process.")
    cache: bool = Field(False, description="Keep what was read in memory.")
    remove_no_gallery: bool = Field(False, description="Has no effect; allowed because OpenGait's files have it.")
    test_dataset_name: str | None = Field(
        None,
        description="Names the protocol of `evaluate_indoor_dataset`: a data set's, or a YAML file of your own "
        "([evaluation.md](evaluation.md)); null: the same as `dataset_name`.",
    )


def _data_set(entry: Entry) -> Entry:
    """A further data set, with defaults; its name in front of what is wrong."""
    raise_inside(problems_of(DataSetCfg, entry))
    return DataSetCfg(**entry).model_dump()


class DataCfg(DataSetCfg):
    """The data set, or the first of several."""

    others: list[Annotated[Entry, AfterValidator(_data_set)]] = Field(
        [],
        description="Further data sets to train on. In a file, `data_cfg` is the list of all, as in OpenGait: labels "
        "become `<dataset_name>-<id>`, each batch is from one of them, the first one is tested, and its `num_workers` "
        "and `cache` count.",
    )

    @property
    def run_name(self) -> str:
        """The first folder under `output/`: the name of the data set, or of all, joined."""
        return joined_name([self.dataset_name, *(other["dataset_name"] for other in self.others)])


class InferenceSamplerCfg(FrameCfg):
    """How test sequences are put together."""

    type: Literal["InferenceSampler"] = Field("InferenceSampler", description="The sampler's name.")
    batch_size: Positive = Field(
        4, description="Sequences embedded at once by all processes together (OpenGait: the number of GPUs)."
    )
    batch_shuffle: bool = Field(
        False, description="Has no effect in testing; allowed because OpenGait's files have it."
    )
    sample_type: SampleType = Field("all_ordered", description=SAMPLE_TYPE)


class EvaluatorCfg(Section):
    """Testing."""

    enable_float16: bool = Field(
        False, description="float16 on CUDA, bfloat16 on CPUs that compute in it, else float32."
    )
    restore_ckpt_strict: bool = Field(
        True,
        description="Refuse a checkpoint that lacks weights or has others. false: those of another name or shape are "
        "left out and listed.",
    )
    restore_hint: int | str = Field(
        0,
        description="Which weights `meshgait test` takes when `--iter` is not given: an iteration, or a file; "
        "0: the newest.",
    )
    save_name: Name | None = Field(None, description="The run to test; null: `trainer_cfg.save_name`.")
    eval_func: Literal[
        "evaluate_indoor_dataset",
        "evaluate_real_scene",
        "evaluate_Gait3D",
        "evaluate_CCPG",
        "evaluate_CCGR_MINI",
        "GREW_submission",
    ] = Field(
        "evaluate_indoor_dataset",
        description="OpenGait's name of the evaluation. Those with a data set's name take its protocol, "
        "`evaluate_indoor_dataset` and `evaluate_real_scene` that of `test_dataset_name`.",
    )
    metric: Literal["euc", "cos"] = Field(
        "euc", description="Distance of two embeddings: `euc`, Euclidean, or `cos`, cosine."
    )
    sampler: InferenceSamplerCfg = Field(InferenceSamplerCfg(), description="How test sequences are put together.")
    transform: TransformEntries = Field(
        [{"type": "BaseSilCuttingTransform"}],
        min_length=1,
        description=TRANSFORM,
    )


class SeparateFCsCfg(Section):
    """One linear layer for each horizontal part."""

    out_channels: Positive = Field(description="Channels of the embedding.")
    in_channels: Positive | None = Field(None, description="Channels that come in; null: taken from the layer before.")
    parts_num: Positive | None = Field(None, description="Number of parts; null: as many as the pooling gives.")
    norm: bool = Field(False, description="Scale the columns of the weights to length 1.")


class SeparateBNNecksCfg(Section):
    """Batch normalisation and classifier for each horizontal part."""

    class_num: Positive = Field(description="Number of training identities.")
    in_channels: Positive | None = Field(None, description="Channels that come in; null: taken from the layer before.")
    parts_num: Positive | None = Field(None, description="Number of parts; null: as many as the pooling gives.")
    norm: bool = Field(True, description="Classify by cosines; false: by inner products.")
    parallel_BN1d: bool = Field(True, description="One normalisation for all parts; false: one for each part.")


class BodyCfg(Section):
    """The body model that supervises the heatmap branch in training."""

    body: str | None = Field(
        None, description="SMPL-format body, .npz or .pkl; null: the stand-in body of this package."
    )
    markers: str | None = Field(None, description="Virtual markers, .npz; null: the stand-in body's.")


class ModelCfg(Section):
    """The network."""

    model: Literal["MeshGait", "Baseline"] = Field(
        "MeshGait", description="The second folder under `output/`. `Baseline` is OpenGait's silhouette-only model."
    )
    backbone_cfg: BackboneEntry = Field(
        description="The silhouette backbone: `type` (a name, or the import path of your own class) and its arguments."
    )
    heatmap_cfg: EstimatorEntry | None = Field(
        None, description="The 3D heatmap estimator: `type` and its arguments; null: silhouettes only."
    )
    HeatmapFeatures: FeaturesEntry | None = Field(
        None, description="The network over the heatmaps, `{channels: [128, 256]}`; null: none."
    )
    Discriminant: HeadEntry | None = Field(
        None,
        description="The LDA head (linear discriminant analysis), fitted to embeddings and markers when training is "
        "done, `{marker_weight: auto}`; null: embeddings are matched.",
    )
    fusion: Literal["concat", "add", "gated"] = Field(
        "concat",
        description="How silhouette and heatmap features become one: `concat` puts their channels side by side; `add` "
        "adds a linear map of the heatmaps' to the silhouettes'; `gated` is a mean of these two whose weights are "
        "learned, one for each channel and part.",
    )
    shrink: Positive = Field(
        1, description="The network averages the silhouettes over squares of so many pixels first (for experiments)."
    )
    SeparateFCs: SeparateFCsCfg = Field(description="One linear (fully connected, FC) layer for each horizontal part.")
    SeparateBNNecks: SeparateBNNecksCfg = Field(description="Batch normalisation (BN) and classifier for each part.")
    bin_num: list[Positive] = Field([16], min_length=1, description="Horizontal parts of each pyramid level.")
    body_cfg: BodyCfg = Field(BodyCfg(), description="The body that supervises training.")
    augment_cfg: AugmentCfg | None = Field(
        None, description="Augmentation that moves silhouettes and bodies together; null: none."
    )


class OptimizerCfg(Section):
    """The optimizer."""

    model_config = ConfigDict(extra="allow")
    solver: str = Field("SGD", description="Class of `torch.optim`, or the import path of your own.")

    @model_validator(mode="after")
    def complete(self) -> "OptimizerCfg":
        """Fill in OpenGait's defaults, and check the arguments."""
        self.model_extra.update(with_defaults(OPTIMIZERS, self.solver, self.model_extra))
        raise_inside(OPTIMIZERS.problems(self.model_dump()))
        return self


class SchedulerCfg(Section):
    """The learning rate's schedule."""

    model_config = ConfigDict(extra="allow")
    scheduler: str = Field(
        "MultiStepLR", description="Class of `torch.optim.lr_scheduler`, or the import path of your own."
    )

    @model_validator(mode="after")
    def complete(self) -> "SchedulerCfg":
        """Fill in OpenGait's defaults, and check the arguments."""
        self.model_extra.update(with_defaults(SCHEDULERS, self.scheduler, self.model_extra))
        raise_inside(SCHEDULERS.problems(self.model_dump()))
        return self


class TripletSamplerCfg(FrameCfg):
    """How training batches are put together."""

    type: Literal["TripletSampler"] = Field("TripletSampler", description="The sampler's name.")
    batch_size: list[Positive] = Field(
        [8, 16], min_length=2, max_length=2, description="[P, K]: identities in a batch, sequences of each."
    )
    batch_shuffle: bool = Field(False, description="Shuffle the batch before it is dealt out to the processes.")
    sample_type: SampleType = Field("fixed_unordered", description=SAMPLE_TYPE)


class TrainerCfg(Section):
    """Training."""

    enable_float16: bool = Field(
        True, description="Mixed precision: float16 on CUDA, bfloat16 on CPUs that compute in it, else float32."
    )
    find_unused_parameters: bool = Field(
        False, description="With several processes, allow parameters that get no gradient."
    )
    with_test: bool = Field(
        False,
        description="Test before the first iteration and whenever weights are saved (on `VAL_SET` if there is one).",
    )
    fix_BN: bool = Field(False, description="Keep batch normalisation's running statistics as they are.")
    sync_BN: bool = Field(False, description="Share batch statistics among processes (CUDA only).")
    log_iter: Positive = Field(100, description="Iterations between two lines of the log.")
    save_iter: Positive = Field(2000, description="Iterations between two checkpoints; the last is always saved.")
    save_every_minutes: float | None = Field(
        None,
        gt=0,
        description="Besides, save so many minutes after the last checkpoint; each such file replaces the one before. "
        "Ctrl-C and SIGTERM save too. *Embedded.*",
    )
    total_iter: Positive = Field(80000, description="Iterations in all.")
    save_name: Name = Field("tmp", description="Name of the run; the third folder under `output/`.")
    restore_hint: int | str = Field(
        0,
        description="0: resume from the newest checkpoint of this run, if there is one; an iteration: resume from "
        "that one; a file: start at iteration 0 with its weights, and the schedule starts anew.",
    )
    restore_ckpt_strict: bool = Field(
        True,
        description="Refuse a checkpoint that lacks weights or has others. false: weights of another name or shape, "
        "such as the classes of other people, are left out and listed.",
    )
    optimizer_reset: bool = Field(
        False, description="Of the file in `restore_hint`, do not take what the optimizer has kept of each weight."
    )
    scheduler_reset: bool = Field(
        False, description="Has no effect, for a file in `restore_hint` gives no schedule; OpenGait's files have it."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Fixes initial weights, batches and augmentation. *Embedded.*")
    clip_grad_norm: float | None = Field(
        None, gt=0, description="Largest norm of the gradient; null: no limit. *Embedded.*"
    )
    sampler: TripletSamplerCfg = Field(TripletSamplerCfg(), description="How training batches are put together.")
    transform: TransformEntries = Field(
        [{"type": "BaseSilCuttingTransform"}],
        min_length=1,
        description=TRANSFORM,
    )


class Config(Section):
    """One YAML file."""

    data_cfg: DataCfg = Field(description="The data set, or a list of several to train on.")
    model_cfg: ModelCfg = Field(description="The network.")
    loss_cfg: LossEntries = Field(
        [{"type": "TripletLoss", "log_prefix": "triplet", "loss_term_weight": 1.0, "margin": 0.2}],
        min_length=1,
        description="One loss or a list: `type`, `log_prefix` (which output of the network it takes), its arguments. "
        "In a file that is merged over another, entries change the loss of the same `log_prefix`; `type: null` takes "
        "it out.",
    )
    optimizer_cfg: OptimizerCfg = Field(
        OptimizerCfg(),
        description="The optimizer. Every other key is an argument of the PyTorch class; left out, `lr` is 0.1, "
        "`momentum` 0.9 and `weight_decay` 0.0005 where the class has them.",
    )
    scheduler_cfg: SchedulerCfg = Field(
        SchedulerCfg(),
        description="The learning rate's schedule, in iterations. Every other key is an argument of the PyTorch class; "
        "left out, `gamma` is 0.1, `milestones` are [20000, 40000, 60000] and `total_steps` is "
        "`trainer_cfg.total_iter` where the class has them. Cosine annealing with warm-up is `OneCycleLR`, whose "
        "`pct_start` is the share of the warm-up.",
    )
    trainer_cfg: TrainerCfg = Field(TrainerCfg(), description="Training.")
    evaluator_cfg: EvaluatorCfg = Field(EvaluatorCfg(), description="Testing.")

    @model_validator(mode="after")
    def complete(self) -> "Config":
        """A schedule that wants to know the number of iterations is given it."""
        extra, steps = self.scheduler_cfg.model_extra, {"total_steps": self.trainer_cfg.total_iter}
        extra.update(with_defaults(SCHEDULERS, self.scheduler_cfg.scheduler, extra, **steps))
        return self
