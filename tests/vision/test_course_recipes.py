"""recipe="course" against a slow transcription of the formulas of docs/course-reference, one picture at a time.

The transcription shares no line with the package: parameter gradients on, `backward`, one copy per pass.
"""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision.attribution import completeness_gap, heatmap, integrated_gradients, saliency, smoothgrad
from hw9.vision.classifier import CourseCNN


def slow_saliency(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    result = []
    for image, label in zip(images, labels, strict=True):
        pixels = image.clone().unsqueeze(0).requires_grad_()
        F.cross_entropy(model(pixels), label.unsqueeze(0)).backward()
        result.append(pixels.grad[0])
    return torch.stack(result)


def slow_smoothgrad(model: nn.Module, images: Tensor, labels: Tensor, samples: int, seed: int) -> Tensor:
    result = []
    for image, label in zip(images, labels, strict=True):
        sigma = 0.4 / (image.max() - image.min()).item()
        smooth = np.zeros(tuple(image.shape))
        for k in range(samples):
            normal = np.random.default_rng((seed, k)).standard_normal(tuple(image.shape), dtype=np.float32)
            pixels = (image + torch.from_numpy(normal).to(image) * sigma**2).unsqueeze(0).requires_grad_()
            F.cross_entropy(model(pixels), label.unsqueeze(0)).backward()
            smooth += pixels.grad[0].abs().numpy()
        result.append(smooth / samples)
    return torch.from_numpy(np.stack(result)).to(images)


def slow_integrated_gradients(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> Tensor:
    result = []
    for image, label in zip(images, labels, strict=True):
        total = torch.zeros_like(image)
        for step in range(steps):
            pixels = (image * (step / steps)).unsqueeze(0).requires_grad_()
            model(pixels)[0, label].backward()
            total += pixels.grad[0] / steps
        result.append(total)
    return torch.stack(result)


def close(found: Tensor, wanted: Tensor) -> None:
    """Equal to a thousandth of each picture's norm: by rounding, a ReLU may be on here and off there."""
    size = wanted.flatten(1).norm(dim=1)
    assert size.min() > 0
    assert ((found - wanted).flatten(1).norm(dim=1) / size).max() < 1e-3


@pytest.fixture(scope="module")
def course() -> CourseCNN:
    torch.manual_seed(4)
    model = CourseCNN().double().eval()  # double: in single precision a ReLU near 0 may differ between batch sizes
    with torch.no_grad():
        model.fc[-1].weight.mul_(40)  # as decided as a trained network
    # Of equal neighbours, as on a black or an even picture, rounding says which is the largest: means have no such tie.
    model.cnn = nn.Sequential(*(nn.AvgPool2d(2) if isinstance(m, nn.MaxPool2d) else m for m in model.cnn))
    return model


@pytest.fixture(scope="module")
def narrow() -> nn.Module:
    """The course's blocks, narrower and for 16 px: affordable at the course's 500 samples."""
    torch.manual_seed(4)
    layers, before = [], 3
    for channels in (8, 16):
        layers += [nn.Conv2d(before, channels, 3, 1, 1), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2, 2, 0)]
        before = channels
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 11)
    ).eval()


@pytest.fixture(scope="module")
def small() -> Tensor:
    scale = torch.tensor([1.0, 0.5, 0.8]).view(3, 1, 1, 1)  # so that the ranges differ
    return scale * torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def images() -> Tensor:
    smooth = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    return F.interpolate(smooth, size=128, mode="bilinear").double() * torch.tensor([1.0, 0.6]).view(2, 1, 1, 1)


LABELS = torch.tensor([5, 0, 9])


def test_saliency_of_the_course_network(course, images):
    close(saliency(course, images, LABELS[:2], recipe="course"), slow_saliency(course, images, LABELS[:2]))


def test_smoothgrad_of_the_course_network(course, images):
    found = smoothgrad(course, images[1:], LABELS[1:2], samples=2, seed=3, recipe="course")
    close(found, slow_smoothgrad(course, images[1:], LABELS[1:2], 2, 3))


def test_integrated_gradients_of_the_course_network(course, images):
    found = integrated_gradients(course, images[:1], LABELS[:1], steps=3, recipe="course")
    close(found, slow_integrated_gradients(course, images[:1], LABELS[:1], 3))


def test_the_courses_numbers_are_the_recipes_defaults(narrow, small):
    close(saliency(narrow, small, LABELS, recipe="course"), slow_saliency(narrow, small, LABELS))
    close(smoothgrad(narrow, small, LABELS, recipe="course"), slow_smoothgrad(narrow, small, LABELS, 500, 0))
    found = integrated_gradients(narrow, small, LABELS, recipe="course")
    close(found, slow_integrated_gradients(narrow, small, LABELS, 10))


def test_the_recipes_differ_where_the_reference_says_so(narrow, small):
    by_course, by_paper = (saliency(narrow, small, LABELS, recipe=recipe) for recipe in ("course", "paper"))
    with torch.no_grad():
        surplus = narrow(small).softmax(1) - F.one_hot(LABELS, 11)  # (3, 11)
    per_class = torch.stack([saliency(narrow, small, torch.full((3,), k)) for k in range(11)], 1)  # (3, 11, 3, H, W)
    torch.testing.assert_close(by_course, (surplus[:, :, None, None, None] * per_class).sum(1), rtol=1e-3, atol=1e-6)
    assert not torch.allclose(heatmap(by_course), heatmap(by_paper), atol=0.05)
    assert smoothgrad(narrow, small, LABELS, samples=3, recipe="course").min() >= 0
    found = integrated_gradients(narrow, small, LABELS, recipe="course")
    assert completeness_gap(narrow, small, LABELS, found).max() > 0.1  # fails by construction
