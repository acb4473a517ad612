"""What the doctor asks of an OpenGait checkout that is to train a config."""

from opengait_meshgait.data import SequenceTable
from opengait_meshgait.doctor.data import Findings
from opengait_meshgait.doctor.preflight import collect, unless
from opengait_meshgait.opengait.attach import is_attached
from opengait_meshgait.opengait.checkout import Checkout
from opengait_meshgait.opengait.checks import check, check_test_set, normalize
from opengait_meshgait.opengait.launch import spelled_out


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
    cfgs, losses = spelled_out(findings.config), Checkout(findings.opengait).losses()
    problems: list[str] = []
    for training in (True, False):
        collect(problems, check, cfgs, training, losses)
    notes = normalize(cfgs, training=True, world_size=findings.processes)
    return unless(problems, " ".join(notes) or "OpenGait reads it as it is meant")


def check_test(findings: Findings) -> str:
    """Gallery and probes as its evaluators take them."""
    table = SequenceTable(findings.sequences("test"))
    cfgs = spelled_out(findings.config)
    notes = check_test_set(cfgs, table, Checkout(findings.opengait).root)
    return "; ".join([f"{cfgs['evaluator_cfg']['eval_func']} can work on {len(table):,} sequences", *notes])
