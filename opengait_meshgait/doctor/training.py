"""What the doctor asks of the body, the network, the batches, the folder of a training, and an OpenGait checkout."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import load_markers
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data import InferenceSampler, SequenceTable, TripletSampler, build_transforms
from opengait_meshgait.data.augmentation import PairedAugmentation
from opengait_meshgait.data.layout import SPLITS, shorten
from opengait_meshgait.doctor.checks import NotApplicable, collect, unless
from opengait_meshgait.doctor.data import Findings
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import Checkpoints, run_folder
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.state import check_same_run, find_start
from opengait_meshgait.networks import MeshGaitNet, load_weights
from opengait_meshgait.opengait.attach import is_attached
from opengait_meshgait.opengait.checkout import Checkout
from opengait_meshgait.opengait.checks import check, check_test_set, normalize, with_one_data_cfg
from opengait_meshgait.opengait.launch import spelled_out


def check_body(findings: Findings) -> str:
    """The body that supervises."""
    if not build.needs_body(findings.config):
        raise NotApplicable("this config trains without bodies")
    findings.body = load_body(findings.config.model_cfg.body_cfg.body)
    return f"{findings.body.name}, {findings.body.num_vertices:,} vertices, licence: {findings.body.licence}"


def check_markers(findings: Findings) -> str:
    """Its virtual markers."""
    markers = load_markers(findings.config.model_cfg.body_cfg.markers, findings.body)
    return f"{markers.name}, {markers.num_markers} markers, learned on this body"


def check_network(findings: Findings) -> str:
    """All that the config names by ``type``, ``solver`` or ``scheduler``."""
    config = findings.config
    problems: list[str] = []
    net = collect(problems, build.build_network, config, findings.supervision)
    losses = f"{len(config.loss_cfg)} losses"
    if not findings.opengait:  # it has losses of its own; how many of them fit is checked with it
        collect(problems, build.build_losses, config)
    if config.model_cfg.augment_cfg is not None:
        flips = None if findings.supervision is None else findings.supervision.flips
        collect(problems, PairedAugmentation, config.model_cfg.augment_cfg, flips)
    for section in (config.trainer_cfg, config.evaluator_cfg):
        collect(problems, build_transforms, section.transform, findings.bodies)
    if net is not None:
        optimizer = collect(problems, build.build_optimizer, config, net)
        if optimizer is not None:
            findings.network = net
            collect(problems, build.build_scheduler, config, optimizer)
    number = sum(p.numel() for p in net.parameters()) / 1e6 if net is not None else 0
    solver = f"{config.optimizer_cfg.solver} with {config.scheduler_cfg.scheduler}"
    return unless(problems, f"{number:.2f} million parameters, {losses}, {solver}")


def check_batches(findings: Findings) -> str:
    """The size of a batch against ids and their sequences."""
    findings.sequences("train")
    table = SequenceTable(*findings.train_parts)
    sampler = TripletSampler(table, findings.config.trainer_cfg.sampler.batch_size, world_size=findings.processes)
    few = [label for label, own in table.indices_dict.items() if len(own) < sampler.each]
    found = f"{sampler.people} of {len(table.label_set):,} ids with {sampler.each} sequences each"
    repeats = f"; {len(few)} ids have fewer and give some twice {shorten(few)}" if few else ""
    return f"{found}, shared by {findings.processes} process(es){repeats}"


def check_protocol(findings: Findings) -> str:
    """Gallery and probes."""
    splits = ["test", *(["val"] if findings.config.trainer_cfg.with_test and "val" in findings.surveys else [])]
    problems: list[str] = []
    found: list[str] = []
    for split in splits:
        table = SequenceTable(findings.sequences(split))
        share = collect(problems, build.split_test_set, findings.config, table)
        if share is not None:
            probes = ", ".join(f"{len(each.probes):,} {name}" for name, each in share.groups.items())
            gallery = len({*np.concatenate([each.gallery for each in share.groups.values()]).tolist()})
            found.append(f"{SPLITS[split]}: {gallery:,} gallery sequences, probes: {probes}")
            found += share.notes
    return unless(problems, f"{findings.config.evaluator_cfg.eval_func}, " + "; ".join(found))


def check_test_batches(findings: Findings) -> str:
    """The size of a test batch against the number of processes."""
    size = findings.config.evaluator_cfg.sampler.batch_size
    if findings.opengait:
        own = f", in place of the config's {size}" if size != findings.processes else ""
        return f"{findings.processes} sequence(s) at once, one for each process{own}"
    InferenceSampler(SequenceTable([]), size, world_size=findings.processes)
    fitting = [str(number) for number in range(1, size + 1) if size % number == 0]
    return f"{size} sequences at once; {', '.join(fitting)} process(es) can share them"


def check_start(findings: Findings) -> str:
    """The weights that training begins with: fresh ones, a file's, or those of an earlier session."""
    trainer = findings.config.trainer_cfg
    found: list[str] = []
    checkpoints = Checkpoints(_folder(findings))
    start = find_start(trainer.restore_hint, checkpoints, found.append)
    if start is None:
        return "; ".join([*found, "fresh weights"])
    path, state, resumes = start
    if resumes:
        data = build.describe_data(SequenceTable(findings.sequences("train")))
        check_same_run(state, findings.config, data, path)
    left_out = load_weights(findings.network, state, trainer.restore_ckpt_strict, path)
    iteration = state.get("iteration", 0)
    if not resumes:
        found.append(f"begins with the weights of {path}")
    elif iteration < trainer.total_iter:
        found.append(f"goes on from {path}, iteration {iteration}")
    else:
        found.append(f"{path} is at iteration {iteration} of {trainer.total_iter}: nothing is left to train")
    return "; ".join([*found, *([f"{len(left_out)} weights are left out"] if left_out else [])])


def _folder(findings: Findings) -> Path:
    return run_folder(findings.config, Path(findings.opengait or "", "output"), training=True)


def check_outputs(findings: Findings) -> str:
    """Room for the checkpoints that are still to come, in a folder that can be written to."""
    trainer = findings.config.trainer_cfg
    folder = _folder(findings)
    try:
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}: {error.filename}. Change its permissions, or start "
            "where you may write."
        ) from error
    newest = max(Checkpoints(folder).iterations(), default=0)
    coming = {*range(trainer.save_iter, trainer.total_iter + 1, trainer.save_iter), trainer.total_iter}
    number = sum(iteration > newest for iteration in coming)
    if findings.network is None:
        return f"{folder} can be written; the size of its {number} checkpoints is unknown without a network"
    size = _checkpoint_bytes(findings.config, findings.network)
    free = shutil.disk_usage(place).free
    wanted = f"{number} checkpoints of {_megabytes(size)}, {_megabytes(number * size)} in all"
    if number * size > free:
        raise UserError(
            f"{folder} will hold {wanted}, and {_megabytes(free)} are free. Make room, or raise "
            f"trainer_cfg.save_iter ({trainer.save_iter})."
        )
    return f"{folder}: {wanted}; {_megabytes(free)} free"


def _checkpoint_bytes(config: Config, net: MeshGaitNet) -> int:
    """Weights and what the optimizer keeps of each, as one step leaves it."""
    net = net.to("meta")
    optimizer = build.build_optimizer(config, net)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    return sum(tensor.nbytes for tensor in [*net.state_dict().values(), *kept])


def _megabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def check_checkout(findings: Findings) -> str:
    """Whether it is one, and whether it knows of MeshGait."""
    checkout = Checkout(findings.opengait)
    attached = (
        "MeshGait is attached"
        if is_attached(checkout.root)
        else "not attached, which only OpenGait's own command needs (`meshgait attach`)"
    )
    return f"{checkout.root}, commit {checkout.commit}; {attached}"


def check_opengait_packages(findings: Findings) -> str:
    """What importing its models takes."""
    Checkout(findings.opengait).require_packages()
    return "all that its models import are installed"


def check_config(findings: Findings) -> str:
    """What OpenGait would accept silently, and what will be corrected."""
    cfgs, losses = with_one_data_cfg(spelled_out(findings.config)), Checkout(findings.opengait).losses()
    problems: list[str] = []
    for training in (True, False):
        collect(problems, check, cfgs, training, losses)
    notes = normalize(cfgs, training=True, world_size=findings.processes)
    return unless(problems, " ".join(notes) or "OpenGait reads it as it is meant")


def check_test(findings: Findings) -> str:
    """Gallery and probes as its evaluators take them."""
    table = SequenceTable(findings.sequences("test"))
    cfgs = with_one_data_cfg(spelled_out(findings.config))
    notes = check_test_set(cfgs, table, Checkout(findings.opengait).root)
    return "; ".join([f"{cfgs['evaluator_cfg']['eval_func']} can work on {len(table):,} sequences", *notes])
