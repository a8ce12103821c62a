"""Filters: activations, visualisation and crops against brute force, transcriptions, known kernels; state restored."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hw9.vision.classifier import CompactCNN
from hw9.vision.crops import Crops, top_crops_many
from hw9.vision.filters import activations, visualize, visualize_many, visualize_steps
from hw9.vision.inference import frozen
from hw9.vision.layers import up_to

SIDE = 32


class Net(nn.Module):
    """Layers in a feature Sequential, with a class score behind them."""

    def __init__(self, *layers: nn.Module, channels: int = 2) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)))


def compact() -> CompactCNN:
    """CompactCNN whose every weight and BatchNorm statistic is random (a fresh one has idle branches)."""
    torch.manual_seed(11)
    model = CompactCNN()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(0.1, 0.6)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return model.train()  # the methods must not depend on it


def top_crops(model: nn.Module, images: Tensor, layer: int | str, channel: int, *, count: int) -> Crops:
    """Those of one filter."""
    return top_crops_many(model, images, layer, [channel], count=count)[0]


def pictures(count: int, side: int = SIDE, seed: int = 5) -> Tensor:
    """Random pictures (count, 3, side, side) with soft and fine structure, in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    soft = torch.rand(count, 3, 4, 4, generator=random)
    soft = nn.functional.interpolate(soft, size=(side, side), mode="bilinear", align_corners=False)
    return 0.7 * soft + 0.3 * torch.rand(count, 3, side, side, generator=random)


def grating(angle: float, side: int = 7) -> Tensor:
    """A grey Gabor patch (3, side, side) with zero mean and norm 1, its wave running in direction `angle`, radians."""
    axis = torch.arange(side) - side // 2
    down, right = axis[:, None].float(), axis[None].float()
    wave = torch.cos(2 * math.pi / 4 * (right * math.cos(angle) + down * math.sin(angle)))
    patch = wave * torch.exp(-(down**2 + right**2) / 8)
    patch = (patch - patch.mean()).expand(3, -1, -1)
    return patch / patch.norm()


def gratings(*angles: float) -> Net:
    """A first layer of known filters: the gratings of `angles`, then ReLU."""
    conv = nn.Conv2d(3, len(angles), 7, padding=3, bias=False)
    conv.weight.data = torch.stack([grating(angle) for angle in angles])
    return Net(conv, nn.ReLU(), channels=len(angles))


def state(model: nn.Module) -> list:
    """All that a method must leave as it was."""
    modules = list(model.modules())
    return [
        [module.training for module in modules],
        [sorted(vars(module)) for module in modules],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules],
        [(p.requires_grad, p.grad, p.data_ptr(), p.stride()) for p in model.parameters()],
        [value.clone().tolist() for value in model.state_dict().values() if value.numel() < 300],
    ]


# --- activations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [0, 2, 3, 7])
def test_activations_are_the_prefix_run_by_hand(layer):
    model, images = compact(), pictures(5)
    maps = activations(model, images, layer, chunk=2)
    model.eval()
    with torch.inference_mode():
        wanted = model.features[: layer + 1]((images - model.mean) / model.std)
    torch.testing.assert_close(maps, wanted, rtol=1e-4, atol=1e-5)
    assert maps.device.type == "cpu" and not maps.requires_grad


def test_a_dotted_name_and_a_linear_layer():
    model, images = compact(), pictures(3)
    torch.testing.assert_close(activations(model, images, "features.4"), activations(model, images, 4))
    inner = activations(model, images, "features.4.norm2")
    assert inner.shape == (3, 96, 8, 8) and (inner < 0).any()
    with frozen(model):
        logits = model(images)
    torch.testing.assert_close(activations(model, images, "head.3"), logits[:, :, None, None])


@pytest.mark.parametrize(
    "method",
    [
        lambda model: activations(model, pictures(3), 1),
        lambda model: visualize(model, 1, 0, size=SIDE, steps=2),
        lambda model: visualize(model, 1, 0, steps=2, start=pictures(1), recipe="course"),
        lambda model: top_crops(model, pictures(3), 1, 0, count=2),
    ],
)
def test_nothing_behind_the_layer_runs(method):
    calls = []

    class Counted(nn.Conv2d):
        def forward(self, maps: Tensor) -> Tensor:
            calls.append(self)
            return super().forward(maps)

    model = Net(Counted(3, 4, 3, padding=1), Counted(4, 4, 3, padding=1), Counted(4, 4, 3, padding=1), channels=4)
    method(model)
    assert model.features[0] in calls and model.features[1] in calls
    assert model.features[2] not in calls


# --- the state of the model ------------------------------------------------------------------------------------------

METHODS = {
    "activations": lambda model: activations(model, pictures(3), 3),
    "visualize": lambda model: visualize(model, 3, 1, size=SIDE, steps=2),
    "course": lambda model: visualize(model, 3, 1, steps=2, start=pictures(1), recipe="course"),
    "steps": lambda model: visualize_steps(model, 3, 1, size=SIDE, steps=2),
    "crops": lambda model: top_crops(model, pictures(3), 3, 1, count=2),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_left_as_it_was(name):
    model = compact()
    model.features[2].eval()
    model.features[0].weight.requires_grad_(False)
    before, random = state(model), torch.get_rng_state()
    METHODS[name](model)
    assert state(model) == before
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_left_as_it_was_when_something_raises(name, error):
    model = compact()

    def fail(module, inputs, output):
        if output.requires_grad or name in ("activations", "crops"):
            raise error("on purpose")

    model.features[2].register_forward_hook(fail)
    before = state(model)
    with pytest.raises(error, match="on purpose"):
        METHODS[name](model)
    assert state(model) == before


def test_a_wrong_channel_leaves_the_model_as_it_was():
    model = compact()
    before = state(model)
    with pytest.raises(IndexError, match=r"no channel 48: layer 3 has 48, numbered 0 to 47"):
        visualize(model, 3, 48)
    assert state(model) == before


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_what_the_caller_switched_does_not_matter(mode, half):
    model = compact().half() if half else compact()

    def made() -> list[Tensor]:
        images = pictures(2)
        found = [visualize(model, 3, 1, size=SIDE, steps=2), visualize(model, 3, 1, steps=2, start=images)]
        found += [visualize(model, 3, 1, steps=2, start=images, recipe="course"), activations(model, images, 3)]
        return [*found, top_crops(model, images, 3, 1, count=1).values]

    wanted = made()
    with mode():
        found = made()
    assert all(torch.equal(one, other) and one.dtype == torch.float32 for one, other in zip(found, wanted, strict=True))


def test_convolutions_are_deterministic():
    model, seen = compact(), []
    model.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.deterministic))
    for method in METHODS.values():
        method(model)
    assert seen and all(seen) and not torch.backends.cudnn.deterministic


# --- visualisation from noise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [0, 1], ids=["convolution", "ReLU"])
def test_the_picture_shows_the_filters_own_pattern(layer):
    angles = (0.0, math.pi / 4, math.pi / 2)
    model = gratings(*angles)
    made = visualize_many(model, layer, [0, 1, 2], size=SIDE)
    patches = nn.functional.unfold(made, 7)  # (3, 147, L)
    patches = patches - patches.mean(1, keepdim=True)
    kernels = model.features[0].weight.detach().flatten(1)  # (3, 147)
    match = torch.einsum("kd,ndl->nkl", kernels, patches / patches.norm(dim=1, keepdim=True))  # cosine, (3, 3, L)
    match = match.amax(2)
    assert (match.diagonal() > 0.65).all()  # an endless wave and a patch of it cannot reach 1
    assert (match.argmax(1) == torch.arange(3)).all() and (match.argmax(0) == torch.arange(3)).all()
    for picture, angle in zip(made.mean(1), angles, strict=True):
        power = torch.fft.fft2(picture - picture.mean()).abs().square()
        frequency = torch.fft.fftfreq(SIDE)
        down, right = (power * frequency[:, None].abs()).sum(), (power * frequency[None].abs()).sum()
        assert abs(math.atan2(down, right) - angle) < 0.3  # the wave runs where the filter's does


def test_the_picture_excites_its_filter_more_than_any_start_does():
    model, channels = compact(), [0, 1, 11]
    made = visualize_many(model, 3, channels, steps=40)
    starts = torch.cat([visualize_steps(model, 3, 0, seed=seed, steps=1, frames=2)[0][:1] for seed in range(30)])

    def excitation(images: Tensor) -> Tensor:
        return activations(model, images, 3)[:, channels, 4:-4, 4:-4].mean((2, 3))  # (N, 3)

    start = excitation(starts)
    assert (excitation(made).diagonal() > start.mean(0) + 5 * start.std(0)).all()
    assert (excitation(made).argmax(0) == torch.arange(3)).all()


def test_pictures_are_in_range_coloured_and_free_of_fine_noise():
    made = visualize_many(compact(), 5, [0, 1, 11], steps=60)
    assert made.shape == (3, 3, 64, 64) and made.dtype == torch.float32
    assert made.min() >= 0 and made.max() <= 1
    assert (made.std((1, 2, 3)) > 0.08).all()  # no grey
    power = torch.fft.fft2(made - made.mean((2, 3), keepdim=True)).abs().square().mean((0, 1))
    axis = torch.fft.fftfreq(64)
    frequency = (axis[:, None] ** 2 + axis**2).sqrt()
    assert power[frequency > 0.35].sum() < 0.25 * power.sum()  # white noise: 0.61


def test_the_start_has_the_colours_and_the_spectrum_of_photographs():
    start = visualize_steps(compact(), 3, 0, size=128, steps=1)[0][0].logit()  # (3, 128, 128)
    red_green, red_blue = np.corrcoef(start.flatten(1).numpy())[0, 1:]
    assert red_green > 0.8 and 0.5 < red_blue < red_green  # independent channels: 0
    assert 0.3 < start.std() < 1.5
    power = torch.fft.fft2(start.mean(0)).abs().square()
    axis = torch.fft.fftfreq(128)
    frequency = (axis[:, None] ** 2 + axis**2).sqrt()
    bands = [(0.03 * 1.3**i, 0.03 * 1.3 ** (i + 1)) for i in range(9)]
    mean = [power[(frequency >= low) & (frequency < high)].mean().sqrt().log().item() for low, high in bands]
    slope = np.polyfit([math.log(math.sqrt(low * high)) for low, high in bands], mean, 1)[0]
    assert abs(slope + 0.7) < 0.12


def test_the_same_seed_gives_the_same_picture_and_another_seed_another():
    model = compact()
    first, again, other = (visualize(model, 3, 5, size=SIDE, steps=8, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.02


def test_a_picture_depends_on_neither_the_other_channels_nor_the_chunk():
    model, channels = compact(), [5, 9, 1, 9, 30]
    together = visualize_many(model, 4, channels, size=SIDE, steps=12)
    for chunk in (1, 2):
        torch.testing.assert_close(
            visualize_many(model, 4, channels, size=SIDE, steps=12, chunk=chunk), together, rtol=0, atol=1e-4
        )
    for row, channel in enumerate(channels):
        torch.testing.assert_close(
            visualize(model, 4, channel, size=SIDE, steps=12), together[row : row + 1], rtol=0, atol=1e-4
        )


def test_the_steps_start_at_the_start_and_end_at_the_result():
    model = compact()
    frames, steps = visualize_steps(model, 4, 2, frames=5, size=SIDE, steps=20)
    assert steps == [0, 1, 5, 11, 20] and frames.shape == (5, 3, SIDE, SIDE)
    assert torch.equal(frames[-1:], visualize(model, 4, 2, size=SIDE, steps=20))
    answers = activations(model, frames, 4)[:, 2].mean((1, 2))
    assert answers[-1] > answers[2] > answers[0]
    frames, steps = visualize_steps(model, 4, 2, frames=6, size=SIDE, steps=2)
    assert steps == [0, 1, 2] and len(frames) == 3


def test_a_layer_without_places_and_a_picture_that_is_not_square():
    model = compact()
    made = visualize_many(model, "head.3", [0, 5], size=SIDE, steps=30)
    with frozen(model):
        scores = model(made)
    assert scores[0, 0] > scores[1, 0] and scores[1, 5] > scores[0, 5]
    start = pictures(1, 40)[:, :, :24]
    made = visualize(model, 3, 5, start=start, steps=12)
    assert made.shape == start.shape
    assert activations(model, made, 3)[0, 5].mean() > activations(model, start, 3)[0, 5].mean()


# --- filters that are off --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("behind", [False, True], ids=["last", "inner"])
def test_a_filter_that_the_start_leaves_off_is_still_found(inplace, behind):
    model = gratings(0.0, math.pi / 2)
    model.features[0].bias = nn.Parameter(torch.full((2,), -1.5))  # more than the noise gives
    model.features[1].inplace = inplace
    if behind:
        model.features.append(nn.Conv2d(2, 2, 1, bias=False))
        model.features[2].weight.data = torch.eye(2)[:, :, None, None]
    layer = len(model.features) - 1
    frames, _ = visualize_steps(model, layer, 1, frames=2, size=SIDE, steps=80)
    answers = activations(model, frames, layer)[:, 1].amax((1, 2))
    assert answers[0] == 0 and answers[1] > 0.2
    assert model.features[1].inplace is inplace


def test_a_filter_that_nothing_excites_is_named_in_a_warning():
    model = gratings(0.0, 1.0)
    model.features[0].weight.data[1] = 0
    with pytest.warns(RuntimeWarning, match="filter 1 of layer 1 stays off") as caught:
        visualize_many(model, 1, [0, 1], size=SIDE, steps=3)
    assert len(caught) == 1 and caught[0].filename == __file__


# --- from photographs ------------------------------------------------------------------------------------------------


def transcribed_course(model: nn.Module, image: Tensor, layer: int, channel: int, steps: int) -> Tensor:
    """One picture (3, H, W) by the course's recipe, written out: Adam (Kingma & Ba 2015) by hand, in float64."""
    pixels = image.double().clone()
    mean, square = torch.zeros_like(pixels), torch.zeros_like(pixels)
    for step in range(1, steps + 1):
        seen = pixels.clone().requires_grad_()
        maps = (seen[None] - model.mean) / model.std
        for module in list(model.features)[: layer + 1]:
            maps = module(maps)
        (-maps[0, channel].sum()).backward()
        mean = 0.9 * mean + 0.1 * seen.grad
        square = 0.999 * square + 0.001 * seen.grad**2
        pixels = pixels - 0.1 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    return (pixels - pixels.min()) / (pixels.max() - pixels.min())


@pytest.mark.parametrize("layer", [0, 1, 4])
def test_the_course_recipe_is_what_the_course_does(layer):
    model, images, steps = compact(), pictures(3), 12
    model = model.double()
    made = visualize_double(model, layer, images, steps)
    model.eval()
    for picture, image in zip(made, images, strict=True):
        wanted = transcribed_course(model, image, layer, 2, steps)
        torch.testing.assert_close(picture.double(), wanted, rtol=0, atol=1e-4)
        assert picture.min() == 0 and picture.max() == 1


def visualize_double(model: nn.Module, layer: int, images: Tensor, steps: int) -> Tensor:
    """Our course recipe on a float64 network, so that rounding cannot hide a difference."""
    model.register_forward_pre_hook(lambda module, inputs: (inputs[0].double(),))
    return visualize(model, layer, 2, start=images, steps=steps, recipe="course")


def test_the_course_recipe_takes_a_hundred_steps_by_default():
    model, images = compact(), pictures(1)
    default = visualize(model, 0, 2, start=images, recipe="course")
    assert torch.equal(default, visualize(model, 0, 2, start=images, recipe="course", steps=100))


def test_the_paper_recipe_starts_from_photographs_too():
    model, images = compact(), 0.05 + 0.9 * pictures(3)
    made = visualize(model, 4, 2, start=images, steps=12)
    assert made.shape == images.shape
    assert (activations(model, made, 4)[:, 2].mean((1, 2)) > activations(model, images, 4)[:, 2].mean((1, 2))).all()
    frames, _ = visualize_steps(model, 4, 2, start=images[:1], steps=12)
    torch.testing.assert_close(frames[:1], images[:1], rtol=0, atol=1e-5)  # nothing is lost on the way in
    torch.testing.assert_close(frames[-1], made[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("recipe", ["paper", "course"])
def test_channels_and_starts_are_paired(recipe):
    model, images = compact(), pictures(2)
    options = {"steps": 3, "recipe": recipe}
    paired = visualize_many(model, 3, [4, 7], start=images, **options)
    one_start = visualize_many(model, 3, [4, 7], start=images[:1], **options)
    one_channel = visualize(model, 3, 7, start=images, **options)
    torch.testing.assert_close(paired[0], one_start[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(paired[1], one_channel[1], rtol=0, atol=1e-4)
    assert (one_start[1] - one_channel[1]).abs().max() > 0.01


# --- real crops ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [0, 2, 3, 5])
def test_top_crops_are_those_of_a_search_by_hand(layer):
    model, images, channel, count = compact(), pictures(12), 3, 5
    found = top_crops(model, images, layer, channel, count=count)
    model.eval()
    best = []
    for index, image in enumerate(images):
        with torch.inference_mode():
            answer = model.features[: layer + 1]((image[None] - model.mean) / model.std)[0, channel]
        rows, columns = answer.shape
        best.append(max((answer[y, x].item(), -index, (y, x)) for y in range(rows) for x in range(columns)))
    best = sorted(best, reverse=True)[:count]
    assert found.pictures.tolist() == [-index for _, index, _ in best]
    assert found.places.tolist() == [list(place) for *_, place in best]
    np.testing.assert_allclose(found.values, [value for value, *_ in best], rtol=1e-4)
    for crop, index, (top, left, bottom, right) in zip(found.crops, found.pictures, found.boxes.tolist(), strict=True):
        assert torch.equal(crop, images[index, :, top:bottom, left:right])
        assert crop.shape[1] == crop.shape[2] == found.crops.shape[2]


@pytest.mark.parametrize(("layer", "field"), [(0, 3), (2, 3), (3, 9), (4, 21), (5, 37)])
def test_the_crop_is_what_the_filter_sees(layer, field):
    model, images = compact(), pictures(4, 64)
    found = top_crops(model, images, layer, 2, count=4)
    assert found.field == field  # by hand, from kernels and strides
    assert found.crops.shape[2] == max(field, 16)
    # Other pixels outside the crop change nothing at the place: for those whose field lies inside the picture.
    others = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for crop, (y, x), (top, left, bottom, right), value in zip(
        found.crops, found.places.tolist(), found.boxes.tolist(), found.values, strict=True
    ):
        others[:1, :, top:bottom, left:right] = crop
        assert activations(model, others[:1], layer)[0, 2, y, x].item() == pytest.approx(value.item(), rel=1e-4)
        others = others.roll(1, 0)


def test_the_crop_shows_the_planted_spot():
    model = Net(nn.Conv2d(3, 2, 5, stride=2, padding=2, bias=False), nn.ReLU(), nn.MaxPool2d(2))
    model.features[0].weight.data[:] = 1
    images, spots = torch.zeros(3, 3, 64, 48), [(33, 20), (3, 44), (60, 2)]
    for image, (y, x), light in zip(images, spots, (0.6, 1.0, 0.8), strict=True):
        image[:, y - 1 : y + 2, x - 1 : x + 2] = light
    found = top_crops(model, images, 2, 0, count=3)
    assert found.pictures.tolist() == [1, 2, 0]
    assert found.crops.shape == (3, 3, 12, 12)
    assert found.crops.sum((1, 2, 3)).tolist() == pytest.approx([27 * 1.0, 27 * 0.8, 27 * 0.6])
    top, left = found.boxes[2, :2].tolist()
    assert abs(33 + 0.5 - (top + 6)) <= 2.5 and abs(20 + 0.5 - (left + 6)) <= 2.5  # in the middle, up to the stride


def test_the_crop_lies_where_a_network_without_padding_looks():
    """Its maps have fewer places than the picture has strides: place k sees the 31 pixels from 16 k on, of 160."""
    model = nn.Sequential(nn.Conv2d(3, 2, 7, 4), nn.ReLU(), nn.Conv2d(2, 2, 7, 4))
    for parameter in model.parameters():
        parameter.data.fill_(0.01)
    images = torch.zeros(2, 3, 160, 160)
    images[0, :, 70:78, 45:53], images[1, :, 110:118, 20:28] = 1, 1
    found = top_crops(model, images, "2", 0, count=2)
    assert found.field == 31 and found.places.max() > 4
    corners = (16 * found.places + 31 / 2 - 40 / 2).clamp(0, 120)
    assert (found.boxes[:, :2] - corners).abs().max() <= 0.5


def test_many_channels_in_one_pass_equal_one_at_a_time():
    model, images = compact(), pictures(9)
    many = top_crops_many(model, images, 4, [0, 7, 3], count=4, chunk=2)
    for channel, crops in zip([0, 7, 3], many, strict=True):
        alone = top_crops(model, images, 4, channel, count=4)
        assert torch.equal(crops.pictures, alone.pictures) and torch.equal(crops.boxes, alone.boxes)
        torch.testing.assert_close(crops.values, alone.values, rtol=1e-4, atol=1e-5)


def test_equal_pictures_keep_their_order_and_a_linear_layer_gives_whole_pictures():
    model, image = compact(), pictures(1)
    found = top_crops(model, image.expand(6, -1, -1, -1), 3, 0, count=4)
    assert found.pictures.tolist() == [0, 1, 2, 3]
    found = top_crops(model, pictures(3), "head.3", 4, count=2)
    assert found.crops.shape == (2, 3, SIDE, SIDE) and found.boxes.tolist() == [[0, 0, SIDE, SIDE]] * 2


# --- out of memory, bad input ----------------------------------------------------------------------------------------


def test_out_of_memory_halves_the_chunk_and_changes_nothing():
    model, images = compact(), pictures(4)
    wanted = visualize_many(model, 3, [0, 1, 2, 3], size=SIDE, steps=3), activations(model, images, 3)
    model.register_forward_pre_hook(full_above_two)
    with pytest.warns(RuntimeWarning, match="out of memory: going on with chunks of 2"):
        made = visualize_many(model, 3, [0, 1, 2, 3], size=SIDE, steps=3), activations(model, images, 3)
    for one, other in zip(made, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def full_above_two(module: nn.Module, inputs: tuple) -> None:
    if len(inputs[0]) > 2:
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"layer": 8}, IndexError, r"no layer 8: the features are numbered 0 to 7 \(Residual\)"),
        ({"layer": "features.4.conv3"}, KeyError, r"near names are .*features\.4\.conv"),
        ({"layer": "mean"}, KeyError, "no layer 'mean'"),
        ({"channel": 48}, IndexError, "no channel 48: layer 3 has 48, numbered 0 to 47"),
        ({"channel": -1}, IndexError, "no channel -1"),
        ({"size": 8}, ValueError, "8x8 px is too small .* take 16 px or more"),
        ({"steps": 0}, ValueError, "steps is 0"),
        ({"recipe": "lesson"}, ValueError, "no recipe 'lesson': choose 'paper' or 'course'"),
        ({"recipe": "course"}, ValueError, "starts from photographs: give start"),
        ({"start": torch.rand(3, 32, 32)}, ValueError, r"shape \(N, 3, H, W\)"),
        ({"start": torch.rand(1, 1, 32, 32)}, ValueError, r"shape \(N, 3, H, W\)"),
        ({"start": torch.rand(1, 3, 8, 32)}, ValueError, "8x32 px is too small"),
        ({"start": 255 * torch.ones(1, 3, 32, 32)}, ValueError, r"from 255 to 255: it must be in \[0, 1\]"),
        ({"start": torch.rand(1, 3, 32, 32), "size": 64}, ValueError, "start is 32x32 px, size says 64"),
    ],
)
def test_bad_input_is_one_clear_line(options, error, line):
    options = {"layer": 3, "channel": 0, "steps": 1} | options
    with pytest.raises(error, match=line) as raised:
        visualize(compact(), options.pop("layer"), options.pop("channel"), **options)
    assert "\n" not in str(raised.value)


def test_more_bad_input():
    model, images = compact(), pictures(3)
    with pytest.raises(ValueError, match="2 channels and 3 starts: give as many, or one of the two"):
        visualize_many(model, 3, [0, 1], start=images)
    with pytest.raises(ValueError, match="channels is empty"):
        visualize_many(model, 3, [])
    with pytest.raises(ValueError, match="frames is 1"):
        visualize_steps(model, 3, 0, frames=1)
    with pytest.raises(ValueError, match="start holds 3 pictures"):
        visualize_steps(model, 3, 0, start=images)
    with pytest.raises(ValueError, match=r"count is 4: .* choose 1 to 3"):
        top_crops(model, images, 3, 0, count=4)
    with pytest.raises(IndexError, match="no channel 99"):
        top_crops(model, images, 3, 99, count=1)
    for work in (
        lambda: activations(model, images, 3, chunk=0),
        lambda: visualize_many(model, 3, [0], chunk=0),
        lambda: top_crops_many(model, images, 3, [0], count=1, chunk=0),
    ):
        with pytest.raises(ValueError, match="chunk must be a whole number from 1 up, not 0"):
            work()
    with pytest.raises(TypeError, match="divide by 255"):
        activations(model, (255 * images).byte(), 3)


def test_layers_without_maps_and_damaged_weights():
    class Odd(nn.Module):
        def forward(self, maps: Tensor) -> tuple[Tensor, int]:
            return maps, 1

    model = Net(nn.Conv2d(3, 2, 3), nn.Flatten(2), nn.Unflatten(2, (30, 30)))
    model.idle, model.features.odd = nn.Conv2d(3, 2, 3), Odd()
    model.forward = lambda images: model.features.odd(model.features[:3](images))[0]
    with pytest.raises(RuntimeError, match="'idle' takes no part in the model's forward pass"):
        activations(model, pictures(1), "idle")
    with pytest.raises(ValueError, match=r"layer 1 returns \(1, 2, 900\): choose one with maps"):
        activations(model, pictures(1), 1)
    with pytest.raises(ValueError, match=r"'features.odd' returns tuple"):
        activations(model, pictures(1), "features.odd")
    model.features[0].weight.data[0, 0, 0, 0] = math.nan
    for work in (
        lambda: activations(model, pictures(1), 0),
        lambda: visualize(model, 0, 0, size=SIDE, steps=1),
        lambda: top_crops(model, pictures(1), 0, 0, count=1),
    ):
        with pytest.raises(ValueError, match=r"NaN or infinite .* weights are damaged"):
            work()


def test_no_warning_and_no_memory_kept():
    model = compact()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        visualize_many(model, 3, [0, 1], size=SIDE, steps=2)
    with up_to(model, 3) as run:
        assert run(pictures(1)).shape == (1, 48, 16, 16)
    assert not model.features[3]._forward_hooks
