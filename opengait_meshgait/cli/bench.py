"""``meshgait bench``: tables that compare networks, and metrics."""

import argparse
from dataclasses import replace
from pathlib import Path

from opengait_meshgait.cli.arguments import (
    add_clock,
    add_config,
    add_device,
    add_index,
    add_motion,
    add_out_folder,
    add_set,
    iteration,
    positive,
)

OUT = Path("output/bench")


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(prog=prog)
    benchmarks = result.add_subparsers(required=True, metavar="BENCHMARK")
    for name, (function, summary, description, add_arguments) in BENCHMARKS.items():
        benchmark = benchmarks.add_parser(name, help=summary, description=description)
        benchmark.set_defaults(benchmark=function)
        add_arguments(benchmark)
        add_device(benchmark)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Run one benchmark, and print its tables."""
    print(arguments.benchmark(arguments))
    return 0


def _add_compared(parser: argparse.ArgumentParser) -> None:
    """What ``accuracy`` and ``recorded`` have in common."""
    parser.add_argument(
        "--cfgs",
        required=True,
        nargs="+",
        metavar="FILE",
        help="YAML files; each is compared with its silhouette-only baseline if that is among them, or the first",
    )
    parser.add_argument(
        "--first",
        metavar="FILE",
        help="train this config before, with each seed; those that have a heatmap branch begin with its weights: "
        "walkers_small_bodies",
    )
    parser.add_argument(
        "--first-seed",
        type=positive(0),
        metavar="N",
        help="train it once, with this seed, and begin with it whatever the seed (default: with each seed)",
    )
    parser.add_argument(
        "--seeds", required=True, type=_seeds, metavar="0,1,2", help="of the trainings, the same for all configs"
    )
    add_set(parser, "change keys of all files: trainer_cfg.total_iter=100")
    parser.add_argument(
        "--jobs",
        type=positive(1),
        default=1,
        metavar="N",
        help="trainings at a time, each with its share of the threads; what each says goes to a file in logs/ "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--split",
        choices=["test", "val"],
        default="test",
        help="people to test on: choose by val, report test (default: %(default)s)",
    )
    parser.add_argument(
        "--match",
        choices=["embeddings", "lda"],
        help="the features to match (default: lda where a config has an LDA head, else embeddings)",
    )


def _accuracy_arguments(parser: argparse.ArgumentParser) -> None:
    _add_compared(parser)
    parser.add_argument(
        "--on",
        type=Path,
        metavar="DIR",
        help="test on the people in this folder, by its partition.json, rather than on those of the configs' own data: "
        "noisy silhouettes, recorded walks",
    )
    add_out_folder(parser, OUT, "results.json, rank1.png and all runs, which several tables may share")


def _accuracy(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.accuracy import bench_accuracy
    from opengait_meshgait.benchmark.accuracy_plan import First

    asked = (arguments.cfgs, arguments.set, arguments.seeds, arguments.split)
    given = (arguments.device, arguments.out, arguments.on, arguments.match)
    first = First(arguments.first, arguments.first_seed)
    return bench_accuracy(*asked, *given, first=first, jobs=arguments.jobs)


def _recorded_arguments(parser: argparse.ArgumentParser) -> None:
    add_motion(parser, "recorded walks", required=True)
    tested = parser.add_mutually_exclusive_group()
    tested.add_argument("--folds", type=positive(2), help="each person is tested in one of so many folds (default: 5)")
    tested.add_argument(
        "--test-motion",
        nargs="+",
        action="append",
        default=[],
        metavar="FILE",
        help="test the people in these files alone, and train with all of --motion",
    )
    _add_compared(parser)
    parser.add_argument(
        "--size",
        choices=["small", "full"],
        default="small",
        help="how many people are drawn besides: small, 300, for two cores and the configs walkers_small…; full, 400, "
        "for a GPU and walkers_full… (default: %(default)s)",
    )
    parser.add_argument("--drawn", type=positive(1), metavar="N", help="draw N people in place of so many")
    parser.add_argument(
        "--world", default="street", metavar="NAME|FILE", help="of training and validation (default: %(default)s)"
    )
    parser.add_argument(
        "--test-world",
        metavar="NAME|FILE",
        help="of the tests; the clean copies are in the same world without its damage (default: the package's own: "
        "cameras higher, farther away and held less straight than in street, other clothes)",
    )
    parser.add_argument("--workers", type=int, help="processes that make the data (default: one a CPU core)")
    add_out_folder(parser, OUT / "recorded", "folds.json, results.json, results.md, all data and all runs")


def _recorded(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.accuracy_plan import First
    from opengait_meshgait.benchmark.recorded import bench_recorded
    from opengait_meshgait.benchmark.recorded_data import SIZES, read_protocol
    from opengait_meshgait.engine.progress import say
    from opengait_meshgait.walkers.recorded_people import list_people

    size = SIZES[arguments.size]
    if arguments.drawn is not None:
        size = replace(size, ids=arguments.drawn)
    people = (arguments.motion, arguments.test_motion, arguments.folds, size)
    protocol = read_protocol(*people, arguments.world, arguments.test_world, arguments.person)
    recordings = [(name, each.path.name) for name, one in protocol.people.items() for each in one.recordings]
    say(list_people(recordings))
    asked = (arguments.cfgs, arguments.set, arguments.seeds, arguments.split)
    given = (arguments.device, arguments.out, arguments.workers, arguments.match)
    first = First(arguments.first, arguments.first_seed)
    return bench_recorded(protocol, *asked, *given, first=first, jobs=arguments.jobs)


def _oracle_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "--iter", type=iteration, metavar="N|best|last", help="which weights; default: evaluator_cfg.restore_hint"
    )
    parser.add_argument(
        "--on", type=Path, metavar="DIR", help="test on the people in this folder, by its partition.json"
    )
    add_out_folder(parser, OUT, "oracle.json and oracle.md")


def _oracle(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.oracle import bench_oracle
    from opengait_meshgait.engine.config import load_config

    config = load_config(arguments.cfgs, arguments.set)
    return bench_oracle(config, arguments.iter, arguments.device, arguments.out, arguments.on)


def _speed_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cfgs", required=True, nargs="+", metavar="FILE", help="YAML files; all are compared with the first"
    )
    add_set(parser, "change keys of all files")
    parser.add_argument("--opengait", type=Path, metavar="ROOT", help="time the models of this checkout as well")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="of OpenGait's models only these")
    parser.add_argument("--frames", type=positive(1), default=30, help="of a sequence (default: %(default)s)")
    _add_batch(parser, 2, [2, 2], ", in a training step (default: 2 2)")
    parser.add_argument("--half", action="store_true", help="float16 on a GPU")
    parser.add_argument("--rounds", type=positive(1), default=5, help="of measurements (default: %(default)s)")
    add_clock(parser)
    add_out_folder(parser, OUT, "speed.json and speed.md")


def _speed(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.speed import SpeedCase, bench_speed

    people, each = arguments.batch
    case = SpeedCase(people, each, arguments.frames, arguments.half)
    measured = (case, arguments.rounds, arguments.clock, arguments.device, arguments.out)
    return bench_speed(arguments.cfgs, arguments.set, *measured, arguments.opengait, arguments.models)


def _memory_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cfgs", required=True, nargs="+", metavar="FILE", help="YAML files")
    add_set(parser, "change keys of all files: model_cfg.backbone_cfg.recompute=true")
    _add_batch(parser, 1, None, " (default: as each config says)")
    parser.add_argument("--frames", type=positive(1), help="of a sequence (default: as each config says)")
    parser.add_argument(
        "--gpus",
        type=positive(1),
        nargs="+",
        default=[1, 2, 4, 8],
        metavar="N",
        help="so many share a batch (default: 1 2 4 8)",
    )
    add_out_folder(parser, OUT, "memory.json and memory.md")


def _memory(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.memory import bench_memory

    batch = None if arguments.batch is None else tuple(arguments.batch)
    return bench_memory(arguments.cfgs, arguments.set, batch, arguments.frames, arguments.gpus, arguments.out)


def _gpu_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cfgs",
        nargs="+",
        default=["gait3d", "gait3d_silhouette"],
        metavar="FILE",
        help="YAML files; the first is trained and recognised with (default: gait3d gait3d_silhouette)",
    )
    add_set(parser, "change keys of all files")
    parser.add_argument(
        "--opengait", type=Path, metavar="ROOT", help="a checkout, to train in a copy of and to compare with"
    )
    _add_batch(parser, 2, [8, 4], " (default: 8 4)")
    parser.add_argument("--frames", type=positive(1), default=30, help="of a sequence (default: %(default)s)")
    parser.add_argument("--rounds", type=positive(1), default=5, help="of measurements (default: %(default)s)")
    add_out_folder(parser, OUT / "gpu", "gpu.json, gpu.md, and what the parts leave")


def _gpu(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.gpu import bench_gpu
    from opengait_meshgait.benchmark.gpu_parts import GpuCase
    from opengait_meshgait.benchmark.network_workload import SpeedCase

    people, each = arguments.batch
    speed, configs = SpeedCase(people, each, arguments.frames, half=True), (tuple(arguments.cfgs), tuple(arguments.set))
    return bench_gpu(GpuCase(*configs, speed, arguments.rounds, arguments.device, arguments.opengait, arguments.out))


def _evaluation_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--opengait", type=Path, metavar="ROOT", help="the checkout to compare with")
    parser.add_argument("--probes", type=positive(10), default=5000, help="default: %(default)s")
    parser.add_argument("--gallery", type=positive(10), default=20000, help="default: %(default)s")
    _add_embedding(parser, [256, 16], "256 16")
    parser.add_argument("--rounds", type=positive(1), default=1, help="of measurements (default: %(default)s)")
    add_clock(parser)
    add_out_folder(parser, OUT, "evaluation.json and evaluation.md")


def _evaluation(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.evaluation import EvaluationCase, bench_evaluation

    channels, parts = arguments.shape
    case = EvaluationCase(arguments.probes, arguments.gallery, channels, parts, arguments.metric)
    measured = (case, arguments.rounds, arguments.clock, arguments.device, arguments.out)
    return bench_evaluation(*measured, arguments.opengait)


def _identify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gallery", type=positive(100), default=1_000_000, help="sequences (default: %(default)s)")
    _add_embedding(parser, [128, 1], "128 1, features of an LDA head")
    add_index(parser, "what is searched, as of `meshgait identify`")
    parser.add_argument("--clients", type=positive(1), default=8, help="that ask at once (default: %(default)s)")
    parser.add_argument("--batch", type=positive(1), default=64, help="probes a request (default: %(default)s)")
    parser.add_argument("--seconds", type=positive(1), default=60, help="default: %(default)s")
    add_out_folder(parser, OUT, "identify.json and identify.md")


def _identify(arguments: argparse.Namespace) -> str:
    from opengait_meshgait.benchmark.identification import IdentificationCase, bench_identification

    channels, parts = arguments.shape
    enrolled = (arguments.gallery, channels, parts, arguments.metric, arguments.index)
    case = IdentificationCase(*enrolled, arguments.clients, arguments.batch, arguments.seconds)
    return bench_identification(case, arguments.device, arguments.out)


def _add_batch(parser: argparse.ArgumentParser, least: int, default: list[int] | None, behind: str) -> None:
    """``--batch P K``, with what stands behind in its help."""
    what = f"people, and sequences of each{behind}"
    parser.add_argument("--batch", type=positive(least), nargs=2, default=default, metavar=("P", "K"), help=what)


def _add_embedding(parser: argparse.ArgumentParser, default: list[int], in_words: str) -> None:
    """``--shape C P`` and ``--metric`` of random embeddings."""
    what = f"channels and parts of an embedding (default: {in_words})"
    parser.add_argument("--shape", type=positive(1), nargs=2, default=default, metavar=("C", "P"), help=what)
    parser.add_argument("--metric", choices=["euc", "cos"], default="euc", help="default: %(default)s")


def _seeds(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected whole numbers from 0 with commas between, 0,1,2")
    seeds = [int(part) for part in parts]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"found '{text}'; each seed once, the same seed gives the same run again")
    return seeds


BENCHMARKS = {
    "accuracy": (
        _accuracy,
        "train and test configs with several seeds, and say which differences are more than chance",
        "Train each config with each seed, test it, and print Markdown tables: means and standard deviations over "
        "seeds, Rank-1 by difference of views, and the difference of each config from its silhouette-only baseline, or "
        "else from the first config, with a 95 % confidence interval over people and seeds. Run the same command again "
        "after a stop: finished runs are kept, a run in the middle resumes from its checkpoint, a changed config is "
        "trained anew beside the old one.",
        _accuracy_arguments,
    ),
    "recorded": (
        _recorded,
        "compare configs on recorded people from whom nothing was learned, in folds or from one collection to another",
        "Divide recorded people into folds, each person tested in exactly one. For each fold, learn a gait model from "
        "the people who train, draw walkers from it, train each config with each seed on these and the recorded ones, "
        "and test it on the people left out, in another world than that of training, with whole and with damaged "
        "silhouettes. One set of tables over all folds: as meshgait bench accuracy, and bodies by view, and figures by "
        "fold. With --test-motion: one training set, tested on other people. Run the same command again after a stop: "
        "what is finished is kept.",
        _recorded_arguments,
    ),
    "oracle": (
        _oracle,
        "what recognition would gain from truer virtual markers: true depth, true left and right, …",
        "Take a trained network with an LDA head, put its estimated markers right in one way after the other (true "
        "markers, true depth, true x and y, true left and right, without the mean error of each sequence), fit the "
        "head anew to the training people, and match the test people: how much is lost to which error.",
        _oracle_arguments,
    ),
    "speed": (
        _speed,
        "time and memory of recognition and training, beside OpenGait's own models",
        "Parameters, operations, time and memory of the networks of configs and of OpenGait's own models, without "
        "data. Each has a process of its own, and their measurements are interleaved, so that a slow minute of the "
        "machine meets all alike; figures are medians over rounds, × is the median over rounds of the time divided by "
        "that of the first row.",
        _speed_arguments,
    ),
    "memory": (
        _memory,
        "peak memory of a training step on each GPU, traced without a GPU",
        "Run a training step of each config on tensors that have shapes and no values, and add up what they would "
        "occupy: the peak on each of the GPUs that share the batch. Left out are what cuDNN takes for its work, what "
        "PyTorch keeps of freed memory, and the computation of targets.",
        _memory_arguments,
    ),
    "gpu": (
        _gpu,
        "whether all of it runs on a GPU, how fast and how exactly, in at most eight minutes",
        "Draw walkers and train on them, train inside a copy of an OpenGait checkout by its literal command, recognise "
        "and take training steps in float32, float16 and bfloat16, folded and compiled and with channels last, against "
        "the CPU's embeddings, and measure both in turns with OpenGait's models. Each part has a process and a time "
        "limit; one that fails is told in the table, and the others go on. With --device cpu and few frames, a "
        "rehearsal.",
        _gpu_arguments,
    ),
    "evaluation": (
        _evaluation,
        "check and time Gait3D's and the cross-view metrics, beside OpenGait's own",
        "Evaluate random features with planted identities by Gait3D's protocol and by OUMVLP's cross-view protocol, "
        "and with --opengait by OpenGait's own functions as well: whether the figures are the same, how long it takes, "
        "how much memory. Each has a process of its own, and their measurements are interleaved. Exit code 1 where the "
        "figures differ.",
        _evaluation_arguments,
    ),
    "identify": (
        _identify,
        "how many probes a second are found in a large gallery, and how late the latest",
        "Enrol random people with ten sequences each, let several clients search for others of their sequences at "
        "once, and say how many are found a second and how long a request takes. Some answers are compared with brute "
        "force; exit code 1 where they differ.",
        _identify_arguments,
    ),
}
