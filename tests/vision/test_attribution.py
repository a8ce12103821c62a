"""Saliency, SmoothGrad and integrated gradients against Captum, closed forms, finite differences and their axioms."""

import math
import warnings

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn
from torch.nn import functional as F

from hw9.vision import evaluation
from hw9.vision.attribution import (
    completeness_gap,
    gap_by_steps,
    heatmap,
    heatmap_of,
    integrated_gradients,
    saliency,
    smoothgrad,
)
from hw9.vision.baselines import make_baseline
from hw9.vision.classifier import CompactCNN
from hw9.vision.superpixels import superpixels

COUNT, SIDE, CLASSES = 5, 12, 4


def small_cnn(activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        activation(),
        nn.Conv2d(8, 12, 3, stride=2, padding=1),
        activation(),
        nn.MaxPool2d(2) if activation is nn.ReLU else nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(12 * (SIDE // 4) ** 2, CLASSES),
    )
    model[1].running_mean.uniform_(-0.2, 0.2)
    model[1].running_var.uniform_(0.5, 2)
    return model


def pictures(count: int = COUNT) -> Tensor:
    images = torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    images[:, :, 0, 0], images[:, :, 0, 1] = 0, 1  # the range of each is exactly 1
    return images


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """Learns in which quarter of the picture the bright square lies."""
    model = small_cnn()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    random = torch.Generator().manual_seed(0)
    for _ in range(60):
        labels = torch.randint(CLASSES, (32,), generator=random)
        images = 0.5 * torch.rand(32, 3, SIDE, SIDE, generator=random)
        for image, label in zip(images, labels.tolist(), strict=True):
            image[:, 6 * (label // 2) + 1 :, 6 * (label % 2) + 1 :][:, :4, :4] += 0.5
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    model.zero_grad()
    return model


@pytest.fixture(params=["random", "trained"])
def model(request, trained) -> nn.Module:
    return trained.eval() if request.param == "trained" else small_cnn().eval()


@pytest.fixture()
def images() -> Tensor:
    return pictures()


@pytest.fixture()
def targets() -> Tensor:
    return torch.tensor([0, 3, 1, 2, 2])


def noise_field(seed: int, sample: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng((seed, sample)).standard_normal((3, SIDE, SIDE), dtype=np.float32))


class Linear(nn.Module):
    """score of class k = weights[k] . x + bias[k]"""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(3 * SIDE * SIDE, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))

    def weights(self, targets: Tensor) -> Tensor:
        return self.layer.weight.detach()[targets].view(-1, 3, SIDE, SIDE)


class TwoInputs(nn.Module):
    """A function of two pixels as the score of class 0; class 1 scores 0."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        value = self.function(images[:, 0, 0, 0], images[:, 0, 0, 1])
        return torch.stack([value, 0 * value], 1)


# The pair of the integrated-gradients paper (figure 7): two networks, one function.
TOY = TwoInputs(lambda a, b: torch.relu(torch.relu(a) - 1 - torch.relu(b)))
SAME_TOY = TwoInputs(lambda a, b: torch.relu(torch.relu(a - 1) - torch.relu(b)))


# ---- Captum as oracle


def test_saliency_is_captums(model, images, targets):
    wanted = Saliency(model).attribute(images.clone().requires_grad_(), targets, abs=False)
    torch.testing.assert_close(saliency(model, images, targets), wanted)


def test_smoothgrad_is_captums_given_the_same_noise(model, images, targets, monkeypatch):
    samples, drawn = 7, []

    def same_noise(mean: float, std: Tensor) -> Tensor:
        drawn.append(len(std))  # Captum lines the samples of a picture up one after the other
        return torch.stack([noise_field(5, k) for k in range(samples)]).repeat(COUNT, 1, 1, 1) * std

    found = smoothgrad(model, images, targets, samples=samples, noise=0.15, seed=5)
    monkeypatch.setattr(torch, "normal", same_noise)
    wanted = NoiseTunnel(Saliency(model)).attribute(
        images, nt_type="smoothgrad", nt_samples=samples, stdevs=0.15, target=targets, abs=False
    )
    assert drawn == [samples * COUNT]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["black", "white", "blur", "mean"])
def test_bare_integrated_gradients_are_captums(model, images, targets, kind):
    found = integrated_gradients(model, images, targets, baseline=kind, steps=64, settle=False)
    wanted = IntegratedGradients(model).attribute(
        images, make_baseline(images, kind).contiguous(), targets, n_steps=64, method="gausslegendre"
    )
    torch.testing.assert_close(found, wanted.float(), rtol=1e-4, atol=1e-5)


def test_settling_mends_the_total_and_leaves_the_pixels(model, images, targets):
    bare = integrated_gradients(model, images, targets, settle=False)
    found = integrated_gradients(model, images, targets)
    assert not torch.equal(found, bare)
    assert ((found - bare).abs() <= 0.0101 * bare.abs()).all()
    coarse = integrated_gradients(model, images, targets, steps=1)
    settled = (coarse / integrated_gradients(model, images, targets, steps=1, settle=False)).nan_to_num(1)
    assert settled.min() > 0.9899 and settled.max() < 1.0101
    assert completeness_gap(model, images, targets, coarse).max() > 1e-2  # too few steps show


# ---- closed forms


def test_linear_network(images, targets):
    model = Linear()
    weights = model.weights(targets)
    torch.testing.assert_close(saliency(model, images, targets), weights)
    torch.testing.assert_close(smoothgrad(model, images, targets, samples=9), weights)
    for kind in ("black", "white", "mean", torch.full((3, 1, 1), 0.3)):
        wanted = (images - make_baseline(images, kind)) * weights
        found = integrated_gradients(model, images, targets, baseline=kind, steps=5)
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("a", "b"), [(3.0, 1.0), (3.0, 0.5), (2.0, 0.25), (1.0, 0.0), (0.5, 2.0)])
def test_toy_of_the_paper_and_implementation_invariance(a, b):
    image = torch.zeros(1, 3, 1, 2)
    image[0, 0, 0] = torch.tensor([a, b])
    target = torch.zeros(1, dtype=torch.long)
    # On the way the score is relu((a - b) alpha - 1): the gradient is (1, -1) from alpha = 1 / (a - b) on.
    active = max(0.0, 1 - 1 / (a - b)) if a > b else 0.0
    wanted = torch.zeros_like(image)
    wanted[0, 0, 0] = torch.tensor([a * active, -b * active])
    for toy in (TOY, SAME_TOY):
        found = integrated_gradients(toy, image, target, steps=500)
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.01)  # a kink between two nodes
        assert float(found.sum()) == pytest.approx(active * (a - b), abs=1e-6)
    torch.testing.assert_close(integrated_gradients(TOY, image, target), integrated_gradients(SAME_TOY, image, target))


def test_quadratic_network_needs_one_step(images):
    model = TwoInputs(lambda a, b: a * a + a * b)
    image = torch.zeros(1, 3, 1, 2, dtype=torch.float64)
    image[0, 0, 0] = torch.tensor([0.5, 0.8])
    found = integrated_gradients(model, image, torch.tensor([0]), steps=1)
    assert found.dtype == torch.float64
    assert found[0, 0, 0].tolist() == pytest.approx([0.5 * (0.5 + 0.4), 0.8 * 0.25])


def test_saliency_equals_finite_differences(targets):
    model, images = small_cnn(nn.Softplus).eval().double(), pictures().double()
    found = saliency(model, images, targets)
    step = 1e-5
    random = torch.Generator().manual_seed(0)
    for n in range(COUNT):
        for _ in range(6):
            place = (n, *(int(torch.randint(high, (), generator=random)) for high in (3, SIDE, SIDE)))
            up, down = images.clone(), images.clone()
            up[place] += step
            down[place] -= step
            with torch.no_grad():
                slope = (model(up)[n, targets[n]] - model(down)[n, targets[n]]) / (2 * step)
            assert float(found[place]) == pytest.approx(float(slope), rel=1e-6, abs=1e-9)


# ---- axioms


@pytest.mark.parametrize("kind", [None, "white", "blur", "mean", torch.rand(3, SIDE, SIDE)])
def test_completeness_at_64_steps(model, images, targets, kind):
    found = integrated_gradients(model, images, targets, baseline=kind)
    assert completeness_gap(model, images, targets, found, baseline=kind).max() < 1e-3


def test_completeness_of_the_lessons_network():
    torch.manual_seed(0)
    model, images, targets = CompactCNN(), torch.rand(2, 3, 32, 32), torch.tensor([1, 5])
    for name, parameter in model.named_parameters():
        if "norm2" in name:
            nn.init.normal_(parameter, 0.5, 0.5)  # as if trained: each block bends the way
    found = integrated_gradients(model, images, targets)
    assert completeness_gap(model, images, targets, found).max() < 1e-3


def test_the_bare_rule_is_exact_on_smooth_networks(targets):
    model, images = small_cnn(nn.Softplus).eval().double(), pictures().double()
    found = integrated_gradients(model, images, targets, settle=False)
    assert completeness_gap(model, images, targets, found).max() < 1e-9
    torch.testing.assert_close(found, integrated_gradients(model, images, targets), rtol=1e-9, atol=1e-12)


def test_gap_measures_what_is_missing(images, targets):
    model = Linear()
    found = integrated_gradients(model, images, targets)
    gaps = completeness_gap(model, images, targets, 1.25 * found)
    torch.testing.assert_close(gaps, torch.full((COUNT,), 0.25), rtol=1e-3, atol=0)
    assert completeness_gap(model, images, targets, 0 * found, baseline=images).max() == 0


def test_more_steps_close_the_gap_of_the_bare_rule(model, images, targets):
    gaps = gap_by_steps(model, images, targets, [1, 8, 64])
    assert gaps.shape == (3, COUNT)
    medians = gaps.median(1).values
    assert medians[0] > medians[1] > medians[2]
    found = integrated_gradients(model, images, targets, steps=8, settle=False)
    torch.testing.assert_close(gaps[1], completeness_gap(model, images, targets, found))


def test_a_pixel_the_network_never_sees_gets_nothing(images, targets):
    inner = small_cnn()

    class Blind(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen = images.clone()
            seen[:, :, :, SIDE // 2 :] = 0.5
            return inner(seen)

    model = Blind()
    model.inner = inner
    for found in (
        saliency(model, images, targets),
        smoothgrad(model, images, targets, samples=4),
        integrated_gradients(model, images, targets, steps=8),
    ):
        assert (found[:, :, :, SIDE // 2 :] == 0).all()
        assert (found[:, :, :, : SIDE // 2].flatten(1).abs().amax(1) > 0).all()


# ---- SmoothGrad's noise


def test_smoothgrad_is_the_mean_over_its_noisy_copies(model, targets):
    images = 0.3 + 0.2 * pictures()  # range 0.2
    wanted = torch.zeros_like(images)
    for k in range(6):
        wanted += saliency(model, images + 0.25 * 0.2 * noise_field(2, k), targets) / 6
    found = smoothgrad(model, images, targets, samples=6, noise=0.25, seed=2)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5)


def test_without_noise_it_is_saliency(model, images, targets):
    found, kept = smoothgrad(model, images, targets, samples=3, noise=0, return_kept=True)
    torch.testing.assert_close(found, saliency(model, images, targets))
    assert kept.tolist() == [1] * COUNT


def test_share_of_kept_predictions_has_the_known_value():
    model = TwoInputs(lambda a, b: a - 0.5)
    images = pictures(3)
    images[:, 0, 0, 0] = torch.tensor([0.35, 0.5 + 0.15, 0.9])  # one, one and 2.67 standard deviations from the border
    images[:, 1, 0, 0] = 0
    _, kept = smoothgrad(model, images, torch.tensor([0, 1, 0]), samples=3000, return_kept=True, chunk=1000)
    wanted = [0.5 * (1 + math.erf(z / math.sqrt(2))) for z in (1, 1, 0.4 / 0.15)]
    assert kept.tolist() == pytest.approx(wanted, abs=0.03)


def test_seed_decides(model, images, targets):
    first = smoothgrad(model, images, targets, samples=5, seed=1)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(first, smoothgrad(model, images, targets, samples=5, seed=1))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.allclose(first, smoothgrad(model, images, targets, samples=5, seed=2))


# ---- chunks, batches, and what is left behind

METHODS = {
    "saliency": saliency,
    "smoothgrad": lambda *given, **options: smoothgrad(*given, samples=11, **options),
    "integrated_gradients": lambda *given, **options: integrated_gradients(*given, steps=11, **options),
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


@pytest.mark.parametrize("recipe", ["paper", "course"])
def test_any_chunk_gives_the_same(model, images, targets, method, recipe):
    wanted = method(model, images, targets, recipe=recipe)
    for chunk in (1, 3, 7, 1000):
        torch.testing.assert_close(
            method(model, images, targets, recipe=recipe, chunk=chunk), wanted, rtol=1e-4, atol=1e-6
        )


def test_a_picture_does_not_depend_on_its_company(model, images, targets, method):
    together = method(model, images, targets)
    backwards = method(model, images.flip(0), targets.flip(0)).flip(0)
    alone = torch.cat([method(model, images[n : n + 1], targets[n : n + 1]) for n in range(COUNT)])
    torch.testing.assert_close(backwards, together, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-6)


class Recorder(nn.Module):
    """Keeps the batch sizes it is called with; is out of memory for more than `limit` pictures."""

    def __init__(self, model: nn.Module, limit: int = 10**6) -> None:
        super().__init__()
        self.model, self.limit, self.batches = model, limit, []

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.limit:
            raise torch.OutOfMemoryError("out of memory")
        self.batches.append(len(images))
        return self.model(images)


def test_chunks_are_full_and_nothing_is_computed_twice(images, targets, method):
    model = Recorder(small_cnn())
    method(model, images, targets, chunk=4)
    evaluations = COUNT if method is saliency else 11 * COUNT
    forwards = 2 * COUNT if method is METHODS["integrated_gradients"] else 0  # the scores at both ends of the way
    full, rest = divmod(evaluations, 4)
    assert model.batches[0] == 1  # the look at the memory layout
    assert sum(model.batches) == 1 + evaluations + forwards
    assert model.batches[1 : full + 2] == [4] * full + [rest]


@pytest.mark.parametrize("baseline", [None, "white", "mean", "blur", torch.full((3, 1, 1), 0.3)])
@pytest.mark.parametrize("view", [False, True])
def test_copies_reach_the_model_in_its_fastest_layout(images, targets, method, baseline, view):
    layouts, net = [], small_cnn()

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: Tensor) -> Tensor:
            if len(images) > 1:
                layouts.append(images.is_contiguous(memory_format=torch.channels_last))
            maps = self.net[:6](images)
            return self.net[8](maps.view(len(maps), -1) if view else maps.flatten(1))

    options = {"baseline": baseline} if method is METHODS["integrated_gradients"] else {}
    found = method(Watched(), images, targets, **options)
    assert layouts and all(layout is not view for layout in layouts)
    assert found.is_contiguous()
    torch.testing.assert_close(found, method(net, images, targets, **options), rtol=1e-4, atol=1e-6)


def test_out_of_memory_halves_the_chunk_and_counts_nothing_twice(images, targets, method):
    wanted = method(small_cnn(), images, targets)
    with pytest.warns(RuntimeWarning, match="out of memory"):
        found = method(Recorder(small_cnn(), limit=3), images, targets, chunk=32)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def state_of(model: nn.Module) -> tuple:
    return (
        [module.training for module in model.modules()],
        [p.requires_grad for p in model.parameters()],
        [p.grad for p in model.parameters()],
        [len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules()],
    )


def test_the_model_is_left_as_it_was_also_by_an_error(images, targets, method):
    model = small_cnn().train()
    model[4].eval()
    model[0].weight.requires_grad_(False)
    model[3].weight.grad = torch.ones_like(model[3].weight)
    before, weights = state_of(model), {name: value.clone() for name, value in model.state_dict().items()}
    method(model, images, targets)
    with pytest.raises(IndexError, match="target 4 is out of range"):
        method(model, images, targets + 1)
    after = state_of(model)
    assert before[:2] == after[:2] and before[3] == after[3]
    assert all(x is y for x, y in zip(before[2], after[2], strict=True))
    assert (model[3].weight.grad == 1).all() and model[0].bias.grad is None
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_the_pictures_are_left_as_they_were(images, targets, method):
    copy = images.clone()
    asking = images.requires_grad_()
    found = method(small_cnn(), asking, targets)
    assert torch.equal(asking.detach(), copy) and asking.grad is None and not found.requires_grad


def test_what_the_caller_switched_does_not_matter(images, targets, method):
    model = small_cnn()
    wanted = method(model, images, targets)
    with torch.no_grad():
        assert torch.equal(method(model, images, targets), wanted)
    with torch.inference_mode():
        assert torch.equal(method(model, images.clone(), targets.clone()), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(method(model, images, targets), wanted)
    found = method(small_cnn().to(memory_format=torch.channels_last), images, targets)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_precision_follows_the_model(images, targets, method):
    found = method(small_cnn().double(), images, targets)
    assert found.dtype == torch.float64
    found = method(small_cnn(), images.half(), targets)
    assert found.dtype == torch.float32


# ---- maps


def test_heatmap_takes_the_largest_colour_and_scales_each_picture():
    attributions = torch.zeros(3, 3, 2, 2)
    attributions[0, 0] = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    attributions[0, 2] = torch.tensor([[1.0, -5.0], [0.0, 0.0]])
    attributions[1, 1, 0, 0] = -1e-40  # what is left of the gradient where the loss is saturated
    found = heatmap(attributions)
    assert found.shape == (3, 2, 2) and found.dtype == torch.float32
    torch.testing.assert_close(found[0], (torch.tensor([[1.0, 5.0], [2.0, 3.0]]) - 1) / 4)
    assert found[1].tolist() == [[1, 0], [0, 0]]
    assert found[2].tolist() == [[0, 0], [0, 0]]  # constant: no NaN


def test_maps_of_any_kind_are_stretched():
    found = heatmap_of([np.array([[-1.0, 3.0]]), np.array([[5.0, 5.0]])])
    assert found.tolist() == [[[0, 1]], [[0, 0]]]
    with pytest.raises(ValueError, match=r"shape \(\?, 3, \?, \?\)"):
        heatmap(torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match="NaN"):
        heatmap(torch.full((1, 3, 2, 2), math.nan))


def test_baselines(images):
    assert torch.equal(make_baseline(images), torch.zeros_like(images))
    assert torch.equal(make_baseline(images, "white"), torch.ones_like(images))
    mean, blur = make_baseline(images, "mean"), make_baseline(images, "blur")
    torch.testing.assert_close(mean[:, :, 3, 4], images.mean((2, 3)))
    assert blur.var() < 0.5 * images.var() and blur.shape == images.shape
    torch.testing.assert_close(make_baseline(torch.full((1, 3, 9, 5), 0.3), "blur"), torch.full((1, 3, 9, 5), 0.3))
    assert make_baseline(torch.rand(1, 3, 1, 1), "blur").shape == (1, 3, 1, 1)
    assert make_baseline(images, torch.full((3, 1, 1), 0.2)).shape == images.shape
    with pytest.raises(ValueError, match="'black', 'white', 'blur', 'mean'"):
        make_baseline(images, "grey")
    with pytest.raises(ValueError, match="does not fit"):
        make_baseline(images, torch.zeros(3, 5, 5))
    with pytest.raises(ValueError, match="NaN"):
        make_baseline(images, torch.tensor(math.nan))
    with pytest.raises(ValueError, match=r"the baseline has values from -1 to -1: it must be in \[0, 1\]; undo"):
        make_baseline(images, torch.tensor(-1.0))


# ---- wrong input: one clear line each


def test_wrong_settings(images, targets):
    model = small_cnn()
    for method in METHODS.values():
        with pytest.raises(ValueError, match=r"'paper'.*'course'"):
            method(model, images, targets, recipe="correct")
        for chunk in (0, 2.5):
            with pytest.raises(ValueError, match="chunk must be a whole number"):
                method(model, images, targets, chunk=chunk)
    for wrong in ({"samples": 0}, {"noise": -0.1}, {"noise": math.nan}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            smoothgrad(model, images, targets, **wrong)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        integrated_gradients(model, images, targets, steps=0)
    with pytest.raises(ValueError, match="single colour"):
        smoothgrad(model, torch.full_like(images, 0.5), targets, recipe="course")
    with pytest.raises(ValueError, match="shape"):
        completeness_gap(model, images, targets, torch.zeros(1, 3, 2, 2))


def test_wrong_pictures_targets_and_models(images, targets, method):
    model = small_cnn()
    with pytest.raises(ValueError, match="NaN"):
        method(model, images * math.nan, targets)
    with pytest.raises(TypeError, match="255"):
        method(model, (images * 255).byte(), targets)
    with pytest.raises(ValueError, match="one class per picture"):
        method(model, images, targets[:2])
    with pytest.raises(IndexError, match="target -1"):
        method(model, images, targets - 1)
    with pytest.raises(ValueError, match=r"from -2\.\d+ to .* must be in \[0, 1\]; undo their normalisation"):
        method(model, (images - 0.485) / 0.229, targets)
    with pytest.raises(ValueError, match=r"from 0 to 255: it must be in \[0, 1\]; divide them by 255"):
        method(model, images * 255, targets)
    damaged = small_cnn()
    nn.init.constant_(damaged[3].bias, math.nan)
    with pytest.raises(ValueError, match="weights are damaged"):
        method(damaged, images, targets)

    class Detached(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.detach().mean((2, 3))

    with pytest.raises(ValueError, match="no gradient"):
        method(Detached(), images, targets.clamp(max=2))


class OnApple(Tensor):
    """A tensor that knows no float64, as those on Apple's GPUs; what `.cpu()` gives is an ordinary one."""

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        result = super().__torch_function__(function, types, arguments, options or {})
        if function is Tensor.cpu:
            return result.as_subclass(Tensor)
        given = [value for value in arguments if isinstance(value, Tensor)]
        made = [value for value in (result if isinstance(result, tuple | list) else [result]) if isinstance(value, cls)]
        if any(value.dtype == torch.float64 for value in [*made, *(given if made else [])]):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
        return result


def test_nothing_is_float64_on_the_device(model, images, targets):
    apple = images.as_subclass(OnApple)
    with pytest.raises(TypeError, match="float64"):
        apple.double()
    assert apple.cpu().double().dtype == torch.float64
    for recipe in ("paper", "course"):
        for method in METHODS.values():
            found = method(model, apple, targets, recipe=recipe)
            torch.testing.assert_close(found.cpu(), method(model, images, targets, recipe=recipe))
    found = integrated_gradients(model, apple, targets, steps=3)
    wanted = integrated_gradients(model, images, targets, steps=3)
    gap = completeness_gap(model, apple, targets, found)
    torch.testing.assert_close(gap.cpu(), completeness_gap(model, images, targets, wanted))
    torch.testing.assert_close(heatmap(found).cpu(), heatmap(wanted))
    kinds = evaluation.deletion_curve, evaluation.inside_share
    values, masks = heatmap(found), (images[:, 0] > 0.5).as_subclass(OnApple)
    torch.testing.assert_close(kinds[0](model, apple, targets, values), kinds[0](model, images, targets, values.cpu()))
    torch.testing.assert_close(kinds[1](values, masks), kinds[1](values.cpu(), masks.cpu()))
    assert superpixels(apple[0]).shape == (SIDE, SIDE)


def test_the_courses_smoothgrad_leaves_out_a_picture_of_one_colour(images, targets):
    images[1] = 0.3
    with pytest.warns(RuntimeWarning, match="picture 1 is of a single colour"):
        found = smoothgrad(small_cnn(), images, targets, samples=3, recipe="course")
    wanted = smoothgrad(small_cnn(), images[2:], targets[2:], samples=3, recipe="course")
    assert not found[1].any()
    torch.testing.assert_close(found[2:], wanted, rtol=1e-4, atol=1e-6)


def test_a_picture_of_one_colour_is_explained(targets):
    images = torch.full((COUNT, 3, SIDE, SIDE), 0.4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = smoothgrad(small_cnn(), images, targets, samples=2)
    torch.testing.assert_close(found, saliency(small_cnn(), images, targets))
