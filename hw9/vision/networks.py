"""The two networks of the lesson: the course's own CNN, and a small one that is fast on a CPU."""

import torch
from torch import Tensor, nn

from hw9.vision.locate import CLASS_NAMES


class CourseCNN(nn.Module):
    """The course's network to the letter: (N, 3, 128, 128) in [0, 1] -> logits (N, 11); 14,162,827 parameters.

    `cnn` is a Sequential of 38 entries, so `cnn[6]` and `cnn[23]` are the convolutions the quiz asks about.
    Source: ML2022 homework 9 (Hung-yi Lee, NTU); it takes pictures as they are, without normalisation.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for blocks, channels in ((3, 128), (3, 128), (3, 256), (1, 512), (1, 512)):
            for _ in range(blocks):
                layers += [nn.Conv2d(before, channels, 3, 1, 1), nn.BatchNorm2d(channels), nn.ReLU()]
                before = channels
            layers.append(nn.MaxPool2d(2, 2, 0))
        self.cnn = nn.Sequential(*layers)
        self.fc = nn.Sequential(nn.Linear(8192, 1024), nn.ReLU(), nn.Dropout(0.3), nn.Linear(1024, 11))
        self.class_names, self.input_size, self.metrics = CLASS_NAMES, 128, {}

    def forward(self, images: Tensor) -> Tensor:
        maps = self.cnn(images)  # (N, 512, 4, 4)
        if maps.shape[1:] != (512, 4, 4):
            raise ValueError(f"CourseCNN takes pictures of 128x128, not {tuple(images.shape[2:])}: resize them")
        return self.fc(maps.flatten(1))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, section 3); a stride halves the map.

    The shortcut of a halving block averages 2x2 pixels before its 1x1 convolution, so that no pixel is thrown away
    (He et al. 2019, "Bag of Tricks", ResNet-D).
    """

    def __init__(self, before: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.shortcut = nn.Sequential()
        if stride > 1 or before != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(before, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
        # The block starts as the identity: deep nets then train from the first step (Goyal et al. 2017, 5.1).
        nn.init.zeros_(self.norm2.weight)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(maps)))))
        return self.relu2(inner + self.shortcut(maps))


class CompactCNN(nn.Module):
    """A small residual network: (N, 3, H, W) in [0, 1], H and W from 32 up (best 64 to 128) -> logits (N, classes).

    `features` is a plain Sequential, so that a filter is named by its index there:

    | index | layer                  | map at 64x64 |
    |-------|------------------------|--------------|
    | 0-2   | Conv 3x3, BatchNorm, ReLU | 24 x 64 x 64 |
    | 3     | Residual, stride 2     | 48 x 32 x 32 |
    | 4, 5  | Residual (stride 2), Residual | 96 x 16 x 16 |
    | 6, 7  | Residual (stride 2), Residual | 256 x 8 x 8 |
    """

    def __init__(self, classes: int = 11) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 3, 1, 1, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            Residual(24, 48, 2),
            Residual(48, 96, 2),
            Residual(96, 96),
            Residual(96, 256, 2),
            Residual(256, 256),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(256, classes))
        names = CLASS_NAMES if classes == len(CLASS_NAMES) else tuple(f"class {i}" for i in range(classes))
        self.class_names, self.input_size, self.metrics = names, 64, {}

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features((images - self.mean) / self.std))
