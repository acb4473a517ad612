"""How the model holds the network: its parts under their own names, shared with the network that runs them."""

import pytest
from torch import nn

from opengait_meshgait.networks import make_network


@pytest.fixture
def net(tiny_config):
    return make_network(tiny_config()["model_cfg"])


@pytest.fixture
def holder(net):
    module = nn.Module()
    for name, part in net.named_children():
        module.add_module(name, part)
    return module


def test_names_and_order_are_the_networks(net, holder):
    assert [*holder.state_dict()] == [*net.state_dict()]
    assert [name for name, _ in holder.named_parameters()] == [name for name, _ in net.named_parameters()]


def test_sync_bn_reaches_the_network(net, holder):
    before = sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())
    assert nn.SyncBatchNorm.convert_sync_batchnorm(holder) is holder
    assert sum(isinstance(module, nn.SyncBatchNorm) for module in net.modules()) == before > 0
