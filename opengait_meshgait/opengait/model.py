"""The model that OpenGait builds, trains and tests: its ``BaseModel`` around this package's network."""

import copy
import itertools
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import data.sampler as samplers
import numpy as np
import torch
import torch.distributed as dist
from modeling import losses
from modeling.base_model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from utils import get_attr_from, get_msg_mgr, get_valid_args

from opengait_meshgait.common.distributed import largest
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.interruption import Interruptible
from opengait_meshgait.common.validation import as_list
from opengait_meshgait.data import Batch, FrameSampling, GaitDataset
from opengait_meshgait.data.collate import collate
from opengait_meshgait.data.loader import Key, shares_of_batches
from opengait_meshgait.losses import loss_inputs
from opengait_meshgait.networks import fitting_weights
from opengait_meshgait.opengait import checks
from opengait_meshgait.recipe.lda_fit import WholeSequences, fit_lda
from opengait_meshgait.recipe.preparation import BatchPreparation, check_training_data
from opengait_meshgait.recipe.training_step import (
    frozen_weights,
    network_to_train,
    reconstruction,
    send_no_buffers,
    share_statistics,
    silhouettes_of_meshes,
)
from opengait_meshgait.visual.figures import training_picture

Inputs = tuple[list[Any], Tensor, list[str], list[str], Tensor | None]


class SeededBatches(Sampler[list[Key]]):
    """The batches of OpenGait's samplers, one for each data set, each index with the seed of what is drawn for it.

    Args:
        samplers: yield lists of indices; have ``batch_size``. Of several, each batch is from one, the same in all
            processes.
        training: draw new seeds for every batch; otherwise the index is the seed.
        shares: how often each of several is drawn, with a sum of 1.
    """

    def __init__(self, samplers: Sequence[Any], training: bool, shares: np.ndarray):
        self.samplers, self.training, self.shares = samplers, training, shares
        self.batch_size = samplers[0].batch_size

    def __len__(self) -> int:
        return len(self.samplers[0])

    def __iter__(self) -> Iterator[list[Key]]:
        for indices in self.samplers[0] if len(self.samplers) == 1 else self._in_turns():
            seeds = torch.randint(2**62, (len(indices),)).tolist() if self.training else indices
            yield list(zip(indices, seeds))

    def _in_turns(self) -> Iterator[list[int]]:
        batches = [iter(sampler) for sampler in self.samplers]
        for number in itertools.count():
            yield next(batches[np.random.default_rng(number).choice(len(batches), p=self.shares)])


class MeshGait(BaseModel):
    """Mesh-Gait as a model of OpenGait.

    The network is :class:`~opengait_meshgait.networks.MeshGaitNet`, with its parts under their own names, so that
    checkpoints have the keys of the embedded engine's. Training reads silhouettes and bodies, testing
    silhouettes alone.

    Args:
        cfgs: the merged config; values that cannot work are normalized in it. ``data_cfg`` may be a list of data sets.
        training: whether to train, or to test.
    """

    def __init__(self, cfgs: dict[str, Any], training: bool):
        try:
            cfgs = checks.with_one_data_cfg(cfgs)
            checks.check(cfgs, training, dir(losses))
            notes = checks.normalize(cfgs, training, dist.get_world_size())
            if not training:
                notes += checks.find_weights(cfgs)
            for note in notes:
                get_msg_mgr().log_info(f"MeshGait: {note}")
            super().__init__(cfgs, training)
            self.interruption = Interruptible()
            if training:
                self.interruption.__enter__()  # until the process ends
        except UserError as error:
            # OpenGait would print a traceback; the message says all there is to say.
            if dist.get_rank() == 0:
                print(f"MeshGait: {error}", file=sys.stderr)
            raise SystemExit(1) from None

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build the network and what prepares its batches."""
        self.trains = self.engine_cfg is self.cfgs["trainer_cfg"]
        self.prepare = BatchPreparation(
            as_list(self.cfgs["evaluator_cfg"]["transform"]),
            as_list(self.cfgs["trainer_cfg"]["transform"]) if self.trains else None,
            (model_cfg.get("body_cfg") or {}) if self.trains and checks.trains_with_a_mesh(self.cfgs) else None,
            model_cfg.get("augment_cfg"),
            self.trains and checks.trains_with_bodies(self.cfgs),
        )
        self.terms = {cfg["log_prefix"] for cfg in as_list(self.cfgs["loss_cfg"])}
        net = network_to_train(model_cfg, reconstruction(self.prepare.supervision), self.terms)
        if self.trains and (note := frozen_weights(net)):
            get_msg_mgr().log_info(f"MeshGait: {note}")
        for name, part in net.named_children():
            self.add_module(name, part)
        self.recognise, self.matched, self.reported = net.forward, net.matched, False
        send_no_buffers(self)

    def train(self, mode: bool = True) -> "MeshGait":
        """As PyTorch's; before they evaluate in the middle of a training, processes share their statistics."""
        if self.training and not mode and self.trains:
            share_statistics(self)
        return super().train(mode)

    def init_parameters(self) -> None:
        """OpenGait's initialisation, but for the parts that need their own, such as the heatmap estimator's."""
        own = [(m, copy.deepcopy(m.state_dict())) for m in self.modules() if getattr(m, "keeps_its_start", False)]
        super().init_parameters()
        for module, state in own:
            module.load_state_dict(state)

    def load_state_dict(self, state_dict: dict[str, Tensor], strict: bool = True, **more: Any) -> Any:
        """As PyTorch's; not ``strict``, weights of other shapes, such as classes of other people, are left out too."""
        if strict:
            return super().load_state_dict(state_dict, strict, **more)
        kept, left_out = fitting_weights(self.state_dict(), state_dict)
        for line in left_out:
            self.msg_mgr.log_info(f"MeshGait: left out: {line}")
        return super().load_state_dict(kept, strict, **more)

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """OpenGait's; a training that begins with the weights of a file keeps its own learning rate."""
        groups = self.optimizer.param_groups if self.training and isinstance(restore_hint, str) else []
        own = [{key: value for key, value in group.items() if key != "params"} for group in groups]
        super().resume_ckpt(restore_hint)
        for settings, group in zip(own, self.optimizer.param_groups if own else []):
            group.update(settings)

    def save_ckpt(self, iteration: int) -> None:
        """OpenGait's; a signal that comes now loses nothing."""
        super().save_ckpt(iteration)
        self.interruption.unsaved = False

    def get_loader(self, data_cfg: dict[str, Any], train: bool = True) -> DataLoader:
        """OpenGait's sampler over this package's reader, which tells files apart by their names."""
        cfg = self.cfgs["trainer_cfg" if train else "evaluator_cfg"]["sampler"]
        bodies = train and self.prepare.with_bodies
        frames = FrameSampling.from_config(cfg)
        dataset = GaitDataset(checks.data_sets(data_cfg), "train" if train else "test", bodies, frames)
        notes = [] if train else checks.check_test_set(self.cfgs, dataset)
        if train:
            classes = self.cfgs["model_cfg"]["SeparateBNNecks"]["class_num"]
            note = check_training_data(dataset, classes, cfg["batch_size"], bodies)
            notes += [note] if note else []
        if train and not self.engine_cfg["with_test"]:
            notes += checks.foresee_test(self.cfgs)
        for note in notes:
            self.msg_mgr.log_info(f"MeshGait: {note}")
        Sampler = get_attr_from([samplers], cfg["type"])
        arguments = get_valid_args(Sampler, cfg, [*cfg])
        # OpenGait's sampler draws from the labels that it is shown.
        views = [SimpleNamespace(label_set=own, indices_dict=dataset.indices_dict) for own in dataset.label_sets]
        each = [Sampler(view if len(views) > 1 else dataset, **arguments) for view in views]
        return DataLoader(
            dataset,
            batch_sampler=SeededBatches(each, train, shares_of_batches(dataset)),
            collate_fn=partial(collate, packed=dataset.frames.length != "fixed"),
            num_workers=data_cfg["num_workers"],
            pin_memory=torch.cuda.is_available(),
        )

    def inputs_pretreament(self, inputs: Batch) -> Inputs:
        """A batch on the device; in training with its targets, computed outside of autocast."""
        batch = inputs.to(next(self.parameters()).device)
        sils, targets = self.prepare.for_training(batch) if self.training else (self.prepare.for_test(batch), None)
        return [sils, targets], batch.labels, batch.types, batch.views, batch.seqL

    def forward(self, inputs: Inputs) -> dict[str, dict[str, Any]]:
        """What OpenGait's loops take: ``training_feat``, ``visual_summary`` and ``inference_feat``.

        Tests in the middle of a training match embeddings, so that their curve compares like with like; a test of its
        own matches the features of the LDA head where one is fitted.
        """
        (sils, targets), labels, _, _, seqL = inputs
        output = self.recognise(sils, seqL=seqL, reconstruct=self.training)
        result: dict[str, dict[str, Any]] = {"training_feat": {}, "visual_summary": {}, "inference_feat": {}}
        if self.training:
            seen = silhouettes_of_meshes(sils, output, self.prepare.supervision, self.terms)
            terms = loss_inputs(output, labels, targets, self.iteration, seen)
            result["training_feat"] = {name: terms[name] for name in terms if name in self.terms}
            if (self.iteration + 1) % self.engine_cfg["log_iter"] == 0:
                picture = training_picture(sils, output, None if targets is None else targets.markers)
                result["visual_summary"]["image/batch"] = picture
            return result
        matched = self.matched("embeddings" if self.trains else None)
        # Distances of float16 features would be rounded in the third digit.
        result["inference_feat"] = {"embeddings": getattr(output, matched).float()}
        if not self.reported:
            self.reported = True
            self.msg_mgr.log_info(f"MeshGait: features that are matched: {matched}")
        return result

    def train_step(self, loss_sum: Tensor) -> bool:
        """OpenGait's step; the last iteration's weights are always saved, with their LDA head.

        Ctrl-C and SIGTERM save, and end the process after the iteration.
        """
        head = getattr(self, "Discriminant", None)
        self.interruption.unsaved = True
        done = super().train_step(loss_sum)
        if stop := largest(self.interruption.noted):
            self.save_ckpt(self.iteration)
            self.msg_mgr.log_info(f"MeshGait: stopped at iteration {self.iteration}, which is saved")
            raise SystemExit(128 + stop)
        if done and head is not None and head.fitted:
            # A run that is continued beyond its former end.
            head.reset()
        # Also beyond it, where a kill came between saving the last weights and fitting their LDA head.
        if done and self.iteration >= self.engine_cfg["total_iter"]:
            self.save_ckpt(self.iteration)
            if head is not None:
                self.msg_mgr.log_info("MeshGait: fitting the LDA head to the training set")
                self.eval()
                frames = FrameSampling.from_config(self.cfgs["evaluator_cfg"]["sampler"])
                data_cfg = self.cfgs["data_cfg"]
                workers = data_cfg["num_workers"]
                see = WholeSequences(self.recognise, frames, self.prepare, dist.get_world_size(), workers, quiet=True)
                note = fit_lda(head, see, self.train_loader.dataset, checks.data_sets(data_cfg))
                if note:
                    self.msg_mgr.log_info(f"MeshGait: {note}")
                self.train()
                self.save_ckpt(self.iteration)
        return done
