"""The training loop: batches, steps, logs, checkpoints and the tests in between."""

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from opengait_meshgait.common.distributed import gather_to_rank0, half_precision, largest, rank, world_size
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import write_json
from opengait_meshgait.common.interruption import Interruptible
from opengait_meshgait.data import Batch, GaitDataset, TripletSampler, has_validation_people, make_loader
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import BEST, Checkpoints
from opengait_meshgait.engine.header import describe_training
from opengait_meshgait.engine.progress import Progress, Window, say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.state import TrainingState, restore, set_aside
from opengait_meshgait.engine.testing import evaluate
from opengait_meshgait.losses import NonFiniteLossError
from opengait_meshgait.recipe.preparation import check_training_data
from opengait_meshgait.recipe.training_step import (
    StepResult,
    TrainingStep,
    frozen_weights,
    running_statistics,
    send_no_buffers,
    share_statistics,
)


class Trainer:
    """One run, in one of its processes.

    Mistakes are reported in the order of their cost: what the config names is built first, then the data are checked,
    then an earlier run is resumed.

    Args:
        config: of the run.
        device: where to compute.
        folder: of the run.
        fresh: set an earlier run aside and begin at iteration 0.
        quiet: no progress bar and no lines.
    """

    def __init__(self, config: Config, device: torch.device, folder: Path, fresh: bool, quiet: bool):
        cfg = config.trainer_cfg
        self.config, self.cfg, self.device, self.folder, self.quiet = config, cfg, device, folder, quiet
        self.checkpoints = Checkpoints(folder)
        self.say = (lambda line: None) if quiet or rank() else say
        half = half_precision(device) if cfg.enable_float16 else None
        if cfg.enable_float16 and half is None:
            self.say("enable_float16: this CPU has no 16-bit arithmetic, and computes in float32.")

        torch.manual_seed(cfg.seed)
        self.preparation = build.build_preparation(config, training=True)
        self.supervision = self.preparation.supervision
        net = build.place_network(build.build_network(config, self.supervision), device)
        if cfg.sync_BN and device.type == "cuda" and world_size() > 1:
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        losses = build.build_losses(config)
        optimizer = build.build_optimizer(config, net)
        scheduler = build.build_scheduler(config, optimizer)
        scaler = torch.amp.GradScaler("cuda", enabled=half is torch.float16)
        self.state = TrainingState(net, optimizer, scheduler, scaler)
        self.statistics = running_statistics(net)

        self.train_set = build.build_train_set(config, self.preparation.with_bodies)
        share = (cfg.sampler.batch_size, cfg.sampler.batch_shuffle, cfg.seed)
        self.sampler = TripletSampler(self.train_set, *share, rank=rank(), world_size=world_size())
        self.split, self.test_set = self._tests()
        classes, with_bodies = config.model_cfg.SeparateBNNecks.class_num, self.preparation.with_bodies
        if note := check_training_data(self.train_set, classes, cfg.sampler.batch_size, with_bodies):
            self.say(note)
        if rank() == 0:
            self.checkpoints.sweep()

        if note := frozen_weights(net):
            self.say(note)
        for line in describe_training(folder, net, self.train_set, (self.split, self.test_set), device, half):
            self.say(line)
        if fresh:
            set_aside(folder, self.say)
        # What a checkpoint says of the run besides its state.
        self.about = {
            "seed": cfg.seed,
            "config": config.model_dump(),
            "body": build.describe_body(self.supervision),
            "data": build.describe_data(self.train_set),
            "silhouettes": self.train_set.silhouette_size(),
        }
        restore(self.state, config, self.about, self.checkpoints, self.say)
        if self.state.iteration >= cfg.total_iter:
            self.say(
                f"This run is finished: iteration {self.state.iteration} of {cfg.total_iter}. Test it (`meshgait "
                "test`), raise trainer_cfg.total_iter to go on, or begin anew with --fresh."
            )
        self.progress = Progress(folder, self.state.iteration, cfg.total_iter, quiet)
        self.window = Window(device)
        self._saved_at = time.monotonic()
        wrapped = self._in_processes(net)
        self.step = TrainingStep(wrapped, losses, self.preparation, half)

    def run(self) -> None:
        """Train to the end.

        Raises:
            Stopped: by Ctrl-C or SIGTERM; all iterations are saved.
        """
        try:
            with Interruptible() as interruption:
                self._run(interruption)
        finally:
            self.progress.close()

    def _run(self, interruption: Interruptible) -> None:
        cfg, state = self.cfg, self.state
        head = state.net.Discriminant
        self.sampler.start = state.iteration
        workers = self.config.data_cfg.num_workers
        loader = make_loader(self.train_set, self.sampler, workers, pin_memory=self.device.type == "cuda")
        if head is not None and not head.fitted and state.iteration >= cfg.total_iter:
            # A kill came between saving the last weights and fitting their LDA head.
            self._fit_lda()
        kept = state.iteration % cfg.save_iter == 0 or state.iteration >= cfg.total_iter
        if kept and not any(record["iteration"] == state.iteration for record in self.progress.evaluations()):
            # Before the first iteration, so that a test that cannot work is known at once and the curves begin at
            # the untrained network; later, a kill came between this checkpoint and its test.
            self._test()
        if head is not None and state.iteration < cfg.total_iter:
            head.reset()
        self._training_mode()
        self.window.restart_clock()
        for iteration, batch in zip(range(state.iteration, cfg.total_iter), loader):
            interruption.unsaved = True
            result = self._advance(iteration, batch.to(self.device))
            # One process's signal stops all of them after the same iteration.
            stop = largest(interruption.noted)
            last = state.iteration == cfg.total_iter
            if last or state.iteration % cfg.log_iter == 0:
                self._log()
            if last or state.iteration % cfg.save_iter == 0:
                self._save()
                interruption.saved(stop)
                if last and head is not None:
                    # Whatever happens here, the weights are saved.
                    self._fit_lda()
                self._draw(result)
                self._test()
                self._training_mode()
                self.window.restart_clock()
            elif stop or time.monotonic() - self._saved_at > 60 * (cfg.save_every_minutes or math.inf):
                self._save(passing=True)
                if stop:
                    self.say(f"Saved {self.checkpoints.path(state.iteration)}; the same command goes on from there.")
                    interruption.saved(stop)

    def _advance(self, iteration: int, batch: Batch) -> StepResult:
        """One batch; everything drawn at random comes from (seed, iteration, process)."""
        torch.manual_seed(int(np.random.SeedSequence([self.cfg.seed, iteration, rank()]).generate_state(1)[0]))
        # A bad batch spoils the statistics of batch normalisation before its loss tells.
        before = [buffer.clone() for buffer in self.statistics]
        try:
            result = self.step(batch, iteration)
        except NonFiniteLossError as error:
            for buffer, value in zip(self.statistics, before):
                buffer.copy_(value)
            raise UserError(self._rescue(error, batch)) from error
        self.state.backward(result.loss)
        if iteration == self.progress.start:
            self._check_gradients()
        self.state.update(self.cfg.clip_grad_norm)
        self.window.add({"scalar/loss": result.loss.detach(), **result.scalars})
        self.progress.bar.update()
        return result

    def _log(self) -> None:
        scalars, seconds = self.window.take()
        scalars["scalar/learning_rate"] = self.state.optimizer.param_groups[0]["lr"]
        self.progress.scalars(self.state.iteration, scalars, seconds)

    def _draw(self, result: StepResult) -> None:
        from opengait_meshgait.visual.figures import training_picture  # and matplotlib, which tests do without

        true_markers = None if result.targets is None else result.targets.markers
        picture = training_picture(result.sils, result.output, true_markers)
        self.progress.picture("batch", picture, self.state.iteration)

    def _save(self, passing: bool = False) -> None:
        if rank() == 0:
            self.checkpoints.save({**self.state.state_dict(), **self.about}, passing)
        self._saved_at = time.monotonic()

    def _fit_lda(self) -> None:
        """Fit the LDA head to the finished weights, and save them again with it."""
        share_statistics(self.state.net)
        note = build.fit_head(self.state.net, self.train_set, self.config, self.preparation, self.quiet)
        if note:
            self.say(note)
        self._save()

    def _test(self) -> None:
        if self.test_set is None:
            return
        share_statistics(self.state.net)
        # Embeddings at the last iteration too, where an LDA head is fitted: the curve compares like with like.
        result = evaluate(self.state.net, self.test_set, self.config, self.preparation, "embeddings", self.quiet)
        if result:
            del result["probes"]  # as long as the test set, and the log has one record a test
            self.progress.evaluation(self.state.iteration, {"split": self.split, **result})
            trained = [record for record in self.progress.evaluations() if record["iteration"]]
            if trained:
                best = max(trained, key=lambda record: record["evaluation"]["rank1"])
                found = {"iteration": best["iteration"], "rank1": best["evaluation"]["rank1"], "split": self.split}
                write_json(self.folder / BEST, found)

    def _rescue(self, error: NonFiniteLossError, batch: Batch) -> str:
        """Save what is good, and the message that says so and names the sequences."""
        infos = [self.train_set.seqs[index] for index in batch.indices.tolist()]
        shares = gather_to_rank0([f"{info.label}/{info.type}/{info.view}" for info in infos])
        names = ", ".join(name for share in shares or [] for name in share)
        iteration = self.state.iteration
        if iteration and self.state.is_finite():
            self._save()
        saved = self.checkpoints.iterations()
        kept = (
            f"The newest finite weights are in {self.checkpoints.path(saved[-1])}." if saved else "None were saved yet."
        )
        return f"{error}\nIt happened in iteration {iteration + 1}, with the sequences {names}. {kept}"

    def _check_gradients(self) -> None:
        names = self.state.without_gradient()
        if not names:
            return
        found = f"No loss depends on {len(names)} weights of the network, {names[0]} among them"
        if world_size() > 1 and not self.cfg.find_unused_parameters:
            raise UserError(f"{found}. Take them out of the network, or freeze them (requires_grad_(False)).")
        self.say(f"{found}: they stay as they are.")

    def _training_mode(self) -> None:
        self.state.net.train()
        if self.cfg.fix_BN:
            for module in self.state.net.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def _in_processes(self, net: nn.Module) -> nn.Module:
        """The network as the training step calls it."""
        if world_size() == 1:
            return net
        if not self.cfg.fix_BN and not (self.cfg.sync_BN and self.device.type == "cuda"):
            self.say("Each process normalises its own share of the batch (sync_BN shares statistics, on CUDA only).")
        devices = [self.device] if self.device.type == "cuda" else None
        send_no_buffers(net)
        return DistributedDataParallel(net, device_ids=devices, find_unused_parameters=self.cfg.find_unused_parameters)

    def _tests(self) -> tuple[str, GaitDataset | None]:
        """The split that tests during training use, and its sequences."""
        if not self.cfg.with_test:
            return "", None
        split = "val" if has_validation_people(self.config.data_cfg.dataset_partition) else "test"
        if split == "test":
            self.say("The partition has no VAL_SET: tests during training use TEST_SET. Choose no weights by them.")
        return split, build.build_test_set(self.config, split, self.preparation.with_bodies)
