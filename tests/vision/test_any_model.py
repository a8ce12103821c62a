"""The same methods run for any image classifier that fits the interface, and say so in one line where it does not."""

import re
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hw9.vision import attribution, crops, evaluation, filters, lime
from hw9.vision.inference import Refused, frozen, predict, unwrapped

TARGETS = torch.tensor([0, 1, 2])


def net() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, 4),
    )  # fmt: skip
    model[7].weight.data *= 20
    return model.eval()


def pictures() -> Tensor:
    return 0.05 + 0.9 * torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


LAYER = 3
BY_SCORE = {  # need class scores only
    "predict": lambda model, images, layer: predict(model, images),
    "lime": lambda model, images, layer: torch.from_numpy(
        lime.explain(model, images[0], samples=150, dtype=torch.float32).weights
    ),
    "deletion": lambda model, images, layer: evaluation.deletion_curve(model, images, TARGETS, images.mean(1)),
    "activations": lambda model, images, layer: filters.activations(model, images, layer),
}
BY_GRADIENT = {
    "saliency": lambda model, images, layer: attribution.saliency(model, images, TARGETS),
    "course": lambda model, images, layer: attribution.saliency(model, images, TARGETS, recipe="course"),
    "smoothgrad": lambda model, images, layer: attribution.smoothgrad(model, images, TARGETS, samples=3),
    "kept": lambda model, images, layer: attribution.smoothgrad(model, images, TARGETS, samples=3, return_kept=True)[1],
    "integrated": lambda model, images, layer: attribution.integrated_gradients(model, images, TARGETS, steps=3),
    "strongest": lambda model, images, layer: evaluation.strongest_filter(model, images, TARGETS, layer),
    "crops": lambda model, images, layer: crops.top_crops_many(model, images, layer, [1], count=2)[0].crops,
    "visualize": lambda model, images, layer: filters.visualize(model, layer, 1, size=32, steps=2),
    "climb": lambda model, images, layer: filters.visualize(model, layer, 1, start=images, steps=2, recipe="course"),
}
METHODS = BY_SCORE | BY_GRADIENT


class Named(nn.Module):
    """`features` as a Sequential, so that layers have numbers, and a forward to be varied."""

    def __init__(self, before=lambda images: images, after=lambda scores: scores) -> None:
        super().__init__()
        self.features, self.before, self.after = net(), before, after

    def forward(self, images: Tensor) -> Tensor:
        return self.after(self.features(self.before(images)))


@pytest.fixture(scope="module")
def wanted() -> dict[str, Tensor]:
    return {name: method(Named(), pictures(), LAYER) for name, method in METHODS.items()}


def in_place(model: nn.Module) -> nn.Module:
    model.features[2].inplace = model.features[4].inplace = True
    return model


def compiled(model: nn.Module) -> nn.Module:
    model.compile(backend="eager")
    return model


KINDS = {
    "DataParallel": lambda: nn.DataParallel(Named()),
    "AveragedModel": lambda: AveragedModel(Named()),
    "torch.compile": lambda: torch.compile(Named(), backend="eager"),
    "compiled in DataParallel": lambda: nn.DataParallel(torch.compile(Named(), backend="eager")),
    ".compile()": lambda: compiled(Named()),
    "in-place layers": lambda: in_place(Named()),
    "in-place on its input": lambda: Named(before=lambda images: images.mul_(2).div_(2)),
    "float64": lambda: Named().double(),
    "float16": lambda: Named().half(),
    "bfloat16": lambda: Named().bfloat16(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_gives_what_the_plain_one_gives_and_is_left_as_it_was(kind, wanted):
    model, images = KINDS[kind](), pictures()
    before = [(name, value.dtype, value.clone()) for name, value in model.state_dict().items()]
    calls = [vars(module).get("_compiled_call_impl") for module in model.modules()]
    low = 0.1 if kind in ("float16", "bfloat16") else 1e-4  # there the weights themselves are rounded
    for name, method in METHODS.items():
        found = method(model, images, LAYER)
        assert torch.equal(images, pictures()), f"{name} has changed the caller's pictures"
        if name == "crops" and low > 1e-4:  # which picture comes first may hang on the rounding
            continue
        error = (found.double() - wanted[name].double()).norm() / wanted[name].double().norm()
        assert error <= low, (name, float(error))
    for (name, dtype, value), (after, now) in zip(before, model.state_dict().items(), strict=True):
        assert name == after and now.dtype == dtype and torch.equal(now, value)
    assert calls == [vars(module).get("_compiled_call_impl") for module in model.modules()]
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_a_forward_without_gradients_is_one_line_where_gradients_are_needed(guard, wanted):
    model = Named()
    model.forward = guard()(model.forward)
    for name, method in BY_GRADIENT.items():
        with pytest.raises(ValueError, match=r"have no gradient with respect to the pixels: .*no_grad") as caught:
            method(model, pictures(), LAYER)
        assert "\n" not in str(caught.value), name
    for name in ("predict", "deletion", "lime"):
        torch.testing.assert_close(METHODS[name](model, pictures(), LAYER), wanted[name], rtol=1e-3, atol=1e-5)


def test_what_predict_leaves_takes_part_in_gradients():
    """The answer itself, and what a model keeps of its first pass (positions, a grid)."""

    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.grid = net(), None

        def forward(self, images):
            if self.grid is None:
                self.grid = torch.ones_like(images[:1])
            return self.network(images * self.grid)

    model = Keeps()
    said = predict(model, pictures())
    said[0, 0] = 0
    weight = torch.ones(said.shape[1], requires_grad=True)
    (said * weight).sum().backward()
    assert attribution.saliency(model, pictures(), TARGETS).any() and weight.grad is not None


def test_a_model_that_rounds_its_input_has_a_gradient_of_nothing_and_that_is_said():
    model = Named(before=lambda images: (255 * images).round() / 255)
    with pytest.warns(RuntimeWarning, match="exactly 0 at every pixel"):
        assert not attribution.saliency(model, pictures(), TARGETS).any()


def test_a_softmax_at_the_end_is_said_and_not_taken_twice(wanted):
    for model in (nn.Sequential(net(), nn.Softmax(1)), Named(after=lambda scores: scores.softmax(1))):
        for name in ("predict", "deletion", "lime", "course"):  # of the course, the loss
            with pytest.warns(RuntimeWarning, match="the model ends in a softmax"):
                found = METHODS[name](model, pictures(), LAYER)
            torch.testing.assert_close(found, wanted[name], rtol=1e-3, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log = predict(nn.Sequential(net(), nn.LogSoftmax(1)), pictures())
        toy = predict(Named(after=lambda scores: torch.eye(4)[: len(scores)]), pictures())
    torch.testing.assert_close(log, wanted["predict"])
    torch.testing.assert_close(toy, torch.eye(4)[:3].softmax(1))  # of ones and zeros nobody can tell: they are scores
    with pytest.warns(RuntimeWarning, match="as after a sigmoid"):
        predict(nn.Sequential(net(), nn.Sigmoid()), pictures().repeat(6, 1, 1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scores in (torch.tensor([0.2, 0.9]), torch.tensor([0.1, 0.4, 0.2, 0.3, 0.2])):  # two classes; all small
            predict(Named(after=lambda found, scores=scores: scores.expand(len(found), -1)), torch.rand(64, 3, 32, 32))


@pytest.mark.parametrize(
    ("model", "error", "line"),
    [
        (
            nn.Conv2d(1, 4, 3),
            Refused,
            r"Conv2d fails on pictures \(\d, 3, 32, 32\) \(.* 1 channel.*\): does it take",
        ),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 4)), Refused, "Sequential fails .* resize them or wrap it"),
        (Named(after=lambda scores: {"logits": scores}), ValueError, "not dict: wrap it"),
        (Named(after=lambda scores: scores[:, :1]), ValueError, "1 score per picture, .* a Module that returns two"),
        (lambda images: images.mean((2, 3)), TypeError, "must be a torch.nn.Module, not function"),
    ],
)
def test_a_model_that_does_not_fit_is_one_line(model, error, line):
    for name in ("predict", "saliency", "lime"):
        with pytest.raises(error, match=line) as caught:
            METHODS[name](model, pictures(), LAYER)
        assert "\n" not in str(caught.value)


def test_errors_of_others_pass_through_frozen():
    with pytest.raises(RuntimeError, match=re.compile("^mine$")), frozen(net()):
        raise RuntimeError("mine")


def test_names_of_layers_may_come_from_the_wrapped_model():
    model = nn.DataParallel(torch.compile(Named(), backend="eager"))
    assert unwrapped(model) is model.module._orig_mod
    found = filters.activations(model, pictures(), "module._orig_mod.features.3")
    assert torch.equal(found, filters.activations(model, pictures(), LAYER))
