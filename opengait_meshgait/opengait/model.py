"""The model that OpenGait builds, trains and tests: its ``BaseModel`` around this package's network."""

import copy
import sys
from collections.abc import Iterator
from typing import Any

import data.sampler as samplers
import torch.distributed as dist
from modeling import losses
from modeling.base_model import BaseModel
from torch import Tensor
from torch.utils.data import DataLoader
from utils import get_attr_from, get_msg_mgr, get_valid_args

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data import Batch, FrameSampling, GaitDataset, whole_sequences
from opengait_meshgait.losses import loss_inputs
from opengait_meshgait.networks import Reconstruction, Seen, fit_discriminant, make_network
from opengait_meshgait.opengait import checks
from opengait_meshgait.opengait.loader import make_loader
from opengait_meshgait.recipe.preparation import Preparation
from opengait_meshgait.visual.tensorboard import training_picture

Inputs = tuple[list[Any], Tensor, list[str], list[str], Tensor | None]


class MeshGait(BaseModel):
    """Mesh-Gait as a model of OpenGait.

    The network is :class:`~opengait_meshgait.networks.MeshGaitNet`, with its parts under their own names, so that
    checkpoints have the keys of the embedded engine's. Training reads silhouettes and bodies, testing
    silhouettes alone.

    Args:
        cfgs: the merged config; values that cannot work are put right in it.
        training: whether to train, or to test.
    """

    def __init__(self, cfgs: dict[str, Any], training: bool):
        try:
            checks.check(cfgs, training, dir(losses))
            notes = checks.put_right(cfgs, training, dist.get_world_size())
            if not training:
                notes += checks.find_weights(cfgs)
            for note in notes:
                get_msg_mgr().log_info(f"MeshGait: {note}")
            super().__init__(cfgs, training)
        except UserError as error:
            # OpenGait would print a traceback; the message says all there is to say.
            if dist.get_rank() == 0:
                print(f"MeshGait: {error}", file=sys.stderr)
            raise SystemExit(1) from None

    def build_network(self, model_cfg: dict[str, Any]) -> None:
        """Build the network and, for training, what prepares its targets."""
        training = self.engine_cfg is self.cfgs["trainer_cfg"]
        self.prepare = Preparation(self.cfgs, training, training and checks.uses_bodies(self.cfgs))
        supervision, reconstruction = self.prepare.supervision, None
        if supervision is not None:
            reconstruction = Reconstruction(**supervision.of_markers())
        net = make_network(model_cfg, reconstruction)
        for name, part in net.named_children():
            self.add_module(name, part)
        self.recognise = net.forward
        self.terms = {cfg["log_prefix"] for cfg in checks.entries(self.cfgs["loss_cfg"])}
        if training and "softmax" not in self.terms:
            # DistributedDataParallel waits for every gradient, and nothing teaches the classifier.
            self.BNNecks.requires_grad_(False)

    def init_parameters(self) -> None:
        """OpenGait's initialisation, but for the parts that need their own, such as the heatmap estimator's."""
        own = [(m, copy.deepcopy(m.state_dict())) for m in self.modules() if getattr(m, "keeps_its_start", False)]
        super().init_parameters()
        for module, state in own:
            module.load_state_dict(state)

    def get_loader(self, data_cfg: dict[str, Any], train: bool = True) -> DataLoader:
        """OpenGait's sampler over this package's reader, which tells files apart by their names."""
        cfg = self.cfgs["trainer_cfg" if train else "evaluator_cfg"]["sampler"]
        bodies = train and self.prepare.supervision is not None
        dataset = GaitDataset(data_cfg, "train" if train else "test", bodies, FrameSampling.from_config(cfg))
        notes = (checks.check_train_set if train else checks.check_test_set)(self.cfgs, dataset)
        if train and not self.engine_cfg["with_test"]:
            notes += checks.foresee_test(self.cfgs)
        for note in notes:
            self.msg_mgr.log_info(f"MeshGait: {note}")
        Sampler = get_attr_from([samplers], cfg["type"])
        sampler = Sampler(dataset, **get_valid_args(Sampler, cfg, [*cfg]))
        return make_loader(dataset, sampler, train, data_cfg["num_workers"])

    def inputs_pretreament(self, inputs: Batch) -> Inputs:
        """A batch on the device; in training with its targets, computed outside of autocast."""
        batch = inputs.to(next(self.parameters()).device)
        sils, targets = self.prepare.for_training(batch) if self.training else (self.prepare.for_test(batch), None)
        return [sils, targets], batch.labels, batch.types, batch.views, batch.seqL

    def forward(self, inputs: Inputs) -> dict[str, dict[str, Any]]:
        """What OpenGait's loops take: ``training_feat``, ``visual_summary`` and ``inference_feat``."""
        (sils, targets), labels, _, _, seqL = inputs
        output = self.recognise(sils, seqL=seqL, reconstruct=self.training)
        # Distances of float16 embeddings would be rounded in the third digit.
        embeddings = output.embeddings.float()
        result = {"training_feat": {}, "visual_summary": {}, "inference_feat": {"embeddings": embeddings}}
        if self.training:
            terms = loss_inputs(output, labels, targets, self.iteration)
            result["training_feat"] = {name: terms[name] for name in terms if name in self.terms}
            if (self.iteration + 1) % self.engine_cfg["log_iter"] == 0:
                picture = training_picture(sils, output, None if targets is None else targets.markers)
                result["visual_summary"]["image/batch"] = picture
        return result

    def train_step(self, loss_sum: Tensor) -> bool:
        """OpenGait's step; the last iteration's weights are always saved, with their discriminant analysis."""
        analysis = getattr(self, "Discriminant", None)
        done = super().train_step(loss_sum)
        if done and analysis is not None and analysis.fitted:
            # A run that goes on beyond what was its end.
            analysis.forget()
        # Beyond it, where a kill came between the last weights and their analysis.
        if done and self.iteration >= self.engine_cfg["total_iter"]:
            self.save_ckpt(self.iteration)
            if analysis is not None:
                self.msg_mgr.log_info("MeshGait: discriminant analysis of the training set")
                self.eval()
                fit_discriminant(self.recognise, analysis, self._training_sequences())
                self.train()
                self.save_ckpt(self.iteration)
        return done

    def _training_sequences(self) -> Iterator[Seen]:
        """This process's share of the training set, seen as tests see theirs: whole, in order, not augmented."""
        device, world = next(self.parameters()).device, dist.get_world_size()
        frames = FrameSampling.from_config(self.cfgs["evaluator_cfg"]["sampler"])
        share, workers = (world, dist.get_rank(), world), self.cfgs["data_cfg"]["num_workers"]
        for batch in whole_sequences(self.train_loader.dataset, frames, share, workers, pin_memory=True):
            batch = batch.to(device)
            yield self.prepare.for_test(batch), batch.seqL, batch.labels, batch.indices
