"""Layers are found by index and name, a wrong one is named, and the forward pass ends at the layer."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import densenet121, mobilenet_v3_small, resnet18, vgg11, vit_b_16

from hw9.vision import filters
from hw9.vision.classifier import CompactCNN, CourseCNN
from hw9.vision.layers import find_layer, layers_to_show


def test_layers_are_found_by_index_and_name():
    model = CompactCNN()
    assert find_layer(model, 3) is model.features[3]
    assert find_layer(model, "features.3.conv1") is model.features[3].conv1
    assert find_layer(model, np.int64(3)) is model.features[3]
    with pytest.raises(KeyError, match="no layer True"):
        find_layer(model, True)
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


def plain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("build", "size", "wanted"),
    [
        (CompactCNN, 64, {0: "convolution", 3: "Residual", 5: "Residual", 7: "Residual"}),  # as the lesson lists them
        (resnet18, 64, {"conv1": "convolution"} | {f"layer{n}.1": "BasicBlock" for n in (1, 3, 4)}),
        (lambda: nn.DataParallel(resnet18()), 64, ["conv1", "layer1.1", "layer3.1", "layer4.1"]),
        (vgg11, 64, [0, 4, 14, 19]),
        (lambda: plain(nn.Conv2d(3, 8, 3), nn.ReLU()), 32, ["0", "1"]),
        (lambda: plain(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(True), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(), nn.Dropout()), 32,
         ["0", "1", "2", "3"]),
    ],
)  # fmt: skip
def test_layers_are_found_from_early_to_late(build, size, wanted):
    found = layers_to_show(build(), torch.rand(1, 3, size, size))
    assert (found if isinstance(wanted, dict) else list(found)) == wanted


@pytest.mark.parametrize(("build", "size"), [(CourseCNN, 128), (mobilenet_v3_small, 64), (densenet121, 64)])
def test_what_is_found_can_be_watched_and_climbed(build, size):
    torch.manual_seed(0)
    model = build().eval()
    images = torch.rand(1, 3, size, size)
    found = list(layers_to_show(model, images))
    maps = [filters.activations(model, images, layer) for layer in found]
    sizes = [m.shape[2] for m in maps]
    assert len(found) == 4 and sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0]
    assert not any(m._forward_hooks for m in model.modules())


def test_a_layer_that_is_used_twice_is_not_shown():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.relu = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, 2), nn.ReLU()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.relu(self.second(self.relu(self.first(images)))).mean((2, 3))

    assert list(layers_to_show(Shared(), torch.rand(1, 3, 16, 16))) == ["first", "second"]


def test_a_model_with_one_layer_of_maps_or_none():
    assert layers_to_show(vit_b_16(), torch.rand(1, 3, 224, 224)) == {"conv_proj": "convolution"}
    with pytest.raises(ValueError, match="no layer with maps"):
        layers_to_show(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2)), torch.rand(1, 3, 8, 8))
