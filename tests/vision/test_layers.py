"""Layers are found by index and name, a wrong one is named, and the forward pass ends at the layer."""

import pytest
from torch import nn

from hw9.vision.classifier import CompactCNN
from hw9.vision.layers import find_layer


def test_layers_are_found_by_index_and_name():
    model = CompactCNN()
    assert find_layer(model, 3) is model.features[3]
    assert find_layer(model, "features.3.conv1") is model.features[3].conv1
    with pytest.raises(IndexError, match=r"no layer 8: the features are numbered 0 to 7 \(Residual\)"):
        find_layer(model, 8)
    with pytest.raises(IndexError, match="no layer -1"):
        find_layer(model, -1)
    with pytest.raises(KeyError, match=r"no layer 'features.3.conf1': near names are .*features.3.conv1"):
        find_layer(model, "features.3.conf1")
    with pytest.raises(KeyError, match="near names are features"):
        find_layer(model, "???")
    with pytest.raises(KeyError, match="no layer ''"):
        find_layer(model, "")
    with pytest.raises(KeyError, match="no Sequential called cnn or features"):
        find_layer(nn.Sequential(nn.Linear(2, 2)), 0)
