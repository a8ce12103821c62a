"""Tests for the tests: models and maps with known answers, and controls that must score what a test gives away."""

import copy

import captum.attr
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from hw9.vision import lime, trust
from hw9.vision.attribution import heatmap, integrated_gradients, saliency, smoothgrad
from hw9.vision.classifier import CompactCNN, CourseCNN
from hw9.vision.evaluation import deletion_curve, inside_share


class Planted(nn.Module):
    """A linear model that reads a planted mask alone: logit of class 1 = sharp * (mean brightness there - 1/2)."""

    def __init__(self, mask: Tensor, sharp: float = 8.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(sharp * mask.double() / mask.sum())
        self.sharp = sharp

    def forward(self, images: Tensor) -> Tensor:
        score = (images.mean(1) * self.weight).sum((1, 2)) - self.sharp / 2
        return torch.stack([-score, score], 1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def planted() -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """Model, bright pictures of class 1, targets, masks."""
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[3:8, 5:12] = True
    images = 0.4 + 0.2 * draw(6, 3, 16, 16).double()
    images[:, :, mask] = 1 - 0.1 * draw(6, 3, int(mask.sum()), seed=1).double()
    return Planted(mask), images, torch.ones(6, dtype=torch.long), mask.expand(6, -1, -1)


def test_above_is_paired_and_by_more_than_two_standard_errors():
    pictures = np.array([0.1, 0.5, 0.9, np.nan])
    ahead = pictures + np.array([0.02, 0.03, 0.04, 1])  # little, but on every picture
    assert trust.above(ahead, pictures) and not trust.above(pictures, ahead) and not trust.above(pictures, pictures)
    assert trust.above([0, 1, 1, 1], [0, 0, 0, 0])  # the mean 0.75 is 3 standard errors
    assert not trust.above([0, 0, 1, 1], [0, 0, 0, 0])  # 0.5 is 1.73
    assert not trust.above([0.9, 0.5, 0.1], [0.1, 0.5, 0.8])  # 0.8, 0, -0.7: ahead in the mean, by chance
    assert not trust.above([1.0], [0.0])


# ---- SRG


@pytest.mark.parametrize("baseline", ["mean", "black"])
def test_the_oracle_has_the_best_srg_its_reverse_the_negative_and_chance_none(planted, baseline):
    model, images, targets, masks = planted
    maps = {"oracle": masks.double()} | trust.controls(images)
    maps["beside"] = maps["oracle"].roll((1, 2), (1, 2))
    maps["gradient x input"] = (model.weight * images.mean(1)).detach()
    found = {name: trust.srg(model, images, targets, m, baseline=baseline) for name, m in maps.items()}
    reverse = trust.srg(model, images, targets, -maps["oracle"], baseline=baseline)
    assert torch.equal(reverse, -found["oracle"])  # exactly, though most pixels of a mask are equal
    assert torch.equal(trust.srg(model, images, targets, -maps["random"], baseline=baseline), -found["random"])
    assert found["oracle"].shape == (6,) and (found["oracle"] > found["beside"]).all() and (found["beside"] > 0).all()
    many = [trust.srg(model, images, targets, draw(6, 16, 16, seed=s), baseline=baseline).mean() for s in range(20)]
    assert abs(np.mean(many)) < 0.03 < float(found["beside"].mean()) / 3
    assert torch.equal(found["uniform"], torch.zeros(6))
    torch.testing.assert_close(found["gradient x input"], found["oracle"], rtol=0, atol=0.08)


def test_the_reverse_has_the_negative_srg_where_a_picture_is_ten_times_as_wide_as_high():
    class Sum(nn.Module):
        def forward(self, images):
            score = (images * torch.linspace(0, 1, 240)).mean((1, 2, 3))
            return torch.stack([score, -score], 1)

    maps = torch.zeros(1, 24, 240)
    maps[0, 12, 5] = 1
    image, target = draw(1, 3, 24, 240, seed=0).float(), torch.tensor([0])
    assert torch.equal(trust.srg(Sum(), image, target, -maps), -trust.srg(Sum(), image, target, maps))


def test_srg_is_the_area_between_the_curves(planted):
    model, images, targets, _ = planted
    maps = draw(6, 16, 16, seed=5)
    options = {"steps": 7, "baseline": "blur"}
    most = deletion_curve(model, images, targets, maps, **options)
    least = deletion_curve(model, images, targets, maps, least_first=True, **options)
    wanted = np.trapezoid(least.numpy(), dx=1 / 7, axis=1) - np.trapezoid(most.numpy(), dx=1 / 7, axis=1)
    np.testing.assert_allclose(trust.srg(model, images, targets, maps, **options), wanted, atol=1e-6)
    torch.testing.assert_close(
        trust.srg(model, images, targets, maps.numpy(), chunk=5, **options).numpy(), wanted.astype(np.float32)
    )
    torch.testing.assert_close(least, deletion_curve(model, images, targets, -maps, **options))
    flat = torch.ones(6, 16, 16)  # no order: the mean of both ways, twice
    both = [deletion_curve(model, images, targets, flat, least_first=flag, **options) for flag in (False, True)]
    for curve in trust.both_ways(model, images, targets, flat, **options):
        torch.testing.assert_close(curve, sum(both) / 2)


# ---- weights randomised


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(3)
    net = CompactCNN().eval()
    for part in net.modules():  # as after training: no block is the identity, no bias is zero
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.3)
            nn.init.normal_(part.bias, 0.0, 0.3)
    return net


def test_randomised_goes_from_the_input_upwards_and_leaves_the_model(network):
    before = copy.deepcopy(network.state_dict())
    stages = list(trust.randomised(network))
    names = [name for name, _ in stages]
    assert names == [f"features.{k}" for k in (0, 3, 4, 5, 6, 7)] + ["head.3"]
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    for number, (_, model) in enumerate(stages):
        for key, value in model.state_dict().items():
            if "weight" not in key or value.ndim < 2:
                continue
            owner = ".".join(key.split(".")[:2])
            fresh = names.index("features.0" if owner == "features.1" else owner) <= number
            assert torch.equal(value, before[key]) != fresh, (number, key)
    assert torch.equal(stages[0][1].features[1].bias, torch.zeros(24))  # the norm goes with its convolution
    again = dict(trust.randomised(network))["features.4"].state_dict()
    assert all(torch.equal(value, again[key]) for key, value in stages[2][1].state_dict().items())
    other = dict(trust.randomised(network, seed=1))["features.0"].features[0].weight
    assert not torch.equal(other, stages[0][1].features[0].weight)


def test_stages_of_other_networks_and_what_cannot_be_randomised():
    assert len(list(trust.randomised(nn.Sequential(CompactCNN())))) == 7  # wrapped
    course = CourseCNN()
    course.fc[0] = nn.Linear(8, 8)
    assert [name for name, _ in trust.randomised(course)][::6] == ["cnn.0", "cnn.20", "fc.3"]

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

    with pytest.raises(ValueError, match=r"stage '0' cannot be randomised: Own .* no reset_parameters"):
        list(trust.randomised(nn.Sequential(Own(), nn.Linear(2, 2))))
    with pytest.raises(ValueError, match="no weights"):
        list(trust.randomised(nn.Sequential(nn.ReLU())))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 2))
    model.gain = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="the parameter 'gain' cannot be randomised, it lies in no layer: put it into"):
        next(trust.randomised(model))


def test_statistics_of_a_norm_without_weights_go_too_and_no_other_device_is_seeded(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ReLU(), nn.Linear(4, 2))
    model[1].running_mean.fill_(3.0)
    stages = list(trust.randomised(model))
    assert [name for name, _ in stages] == ["0", "3"] and not seeded
    assert not stages[0][1][1].running_mean.any() and (model[1].running_mean == 3).all()


def test_limes_ceiling_is_below_one_and_far_above_a_network_without_weights():
    """LIME of one network with two seeds is alike, but not the same; of a randomised one it is like nothing."""
    segments = np.kron(np.arange(16).reshape(4, 4), np.ones((4, 4), int))
    torch.manual_seed(7)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(8 * 49, 3))
    with torch.no_grad():
        model[3].weight.mul_(12)  # so that superpixels work together, and samples matter
    images, targets = draw(10, 3, 16, 16), torch.zeros(10, dtype=torch.long)

    def maps(network, seed=0):
        found = lime.explain_each(network, images, targets, samples=40, seed=seed, segments=segments)
        return torch.stack([torch.as_tensor(lime.segment_map(e)) for e in found])

    first = maps(model)
    np.testing.assert_array_equal(first, maps(model))  # one seed, one map
    ceiling = trust.alike(first, maps(model, seed=1)).mean()
    without = [trust.alike(first, maps(network)).mean() for _, network in trust.randomised(model)]
    assert max(without) + 0.2 < ceiling < 0.99


def test_gradients_fall_near_zero_and_the_controls_do_what_they_must():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 256, 10))
    hill = torch.exp(-((torch.arange(16) - 6.0) ** 2) / 18)
    with torch.no_grad():
        model[0].bias.fill_(1.0)
        model[3].weight.mul_((hill[:, None] * hill).expand(4, -1, -1).reshape(-1))
    images, targets = draw(10, 3, 16, 16), torch.arange(10)
    whole = heatmap(saliency(model, images, targets))
    after = [trust.alike(whole, heatmap(saliency(m, images, targets))).mean() for _, m in trust.randomised(model)]
    assert after[0] > 0.3 and abs(after[1]) < 0.1  # the place is in the last layer's weights
    blind, again = trust.controls(images), trust.controls(images, seed=1)
    np.testing.assert_allclose(trust.alike(blind["edges"], again["edges"]), 1)  # must fail the test
    assert abs(trust.alike(blind["random"], again["random"]).mean()) < 0.05  # and this one must pass it
    assert np.isnan(trust.alike(blind["uniform"], blind["edges"])).all()
    np.testing.assert_allclose(trust.alike(whole, -whole), 1)  # of absolute values


# ---- masks


class Reader(nn.Module):
    """Built to read the square: its score is how magenta the most magenta pixel is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1, bias=False)
        self.conv.weight.data = torch.tensor([1.0, -1.0, 1.0]).view(1, 3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        score = 4 * torch.logsumexp(20 * self.conv(images)[:, 0].flatten(1), 1) / 20
        return torch.stack([12 - score, score], 1)


def test_a_network_that_reads_the_square_is_found_out():
    from hw9.vision import shortcut

    pictures = (255 * (0.3 + 0.2 * draw(8, 3, 64, 64))).byte().numpy()
    marked, masks = shortcut.stamp(pictures)
    images, targets = torch.from_numpy(marked).float() / 255, torch.ones(8, dtype=torch.long)
    found = heatmap(saliency(Reader(), images, targets))
    assert trust.hits(found, masks).all()
    assert trust.rank_accuracy(found, masks).tolist() == [1.0] * 8
    assert (inside_share(found, torch.from_numpy(masks)) > 0.9).all()
    blind = trust.controls(images)["random"]
    assert trust.rank_accuracy(blind, masks).mean() < 0.1
    labels = np.arange(8) % 2
    said = shortcut.caught(Reader(), pictures, labels, 1)
    assert said == shortcut.Caught(accuracy=0.5, of_class=0.0, called_clean=0.0, called_marked=1.0)


def test_hits_and_rank_accuracy_by_hand():
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[:, 2:4, 2:4] = True
    maps = torch.zeros(3, 8, 8)
    maps[0, 3, 3], maps[1, 5, 5], maps[2, 6, 3] = 1, 1, 1  # inside, two beside the corner, three below
    assert trust.hits(maps, masks).tolist() == [True, True, False]
    others = masks.bfloat16().requires_grad_()  # as a GPU's tensors, none that NumPy takes
    assert trust.hits(maps.bfloat16(), others).tolist() == [True, True, False]
    assert (trust.widened(others) == trust.widened(masks)).all()
    assert trust.object_sums(maps, others[:, None])[0].tolist() == [1.0]
    assert trust.controls(others[:, None].expand(-1, 3, -1, -1))["edges"].shape == (3, 8, 8)
    maps[0, 2, 2:4], maps[0, 7, 7] = 0.5, 0.7  # 4 highest: 3 of them inside
    maps[1:] = 0
    maps[1, :4, :4] = 1  # 4 of 16 equal ones are inside
    np.testing.assert_allclose(trust.rank_accuracy(maps, masks), [0.75, 0.25, 4 / 64])
    flat = torch.zeros(3, 8, 8)
    flat[0, :, 3], flat[1, 2:4, 2:4], flat[2, :, 0] = 1, 1, 1  # equally high pixels count in part
    wanted = [6 / 8, 1, 6 / 8]
    for turned in ((), (1,), (2,), (1, 2)):
        np.testing.assert_allclose(trust.hits(flat.flip(turned), masks.flip(turned)), wanted)
    with pytest.raises(ValueError, match="must both be"):
        trust.hits(maps, masks[:2])
    with pytest.raises(ValueError, match="mask is empty"):
        trust.rank_accuracy(maps, masks & False)


# ---- leave one object out


class Scenes:
    """A small renderer: grey table, rectangles of one brightness each, the later ones above the earlier."""

    def __init__(self, boxes: list[tuple[slice, slice, float]]) -> None:
        self.boxes = boxes

    def paint(self, without: int | None = None) -> Tensor:
        picture = torch.full((3, 16, 16), 0.5)
        for k, (rows, columns, value) in enumerate(self.boxes):
            if k != without:
                picture[:, rows, columns] = value
        return picture

    @property
    def masks(self) -> Tensor:
        seen, covered = torch.zeros(len(self.boxes), 16, 16, dtype=torch.bool), torch.zeros(16, 16, dtype=torch.bool)
        for k in reversed(range(len(self.boxes))):
            rows, columns, _ = self.boxes[k]
            seen[k, rows, columns] = True
            seen[k] &= ~covered
            covered |= seen[k]
        return seen


def test_single_deletion_of_a_linear_model(planted):
    model = planted[0]  # reads [3:8, 5:12]
    whole, half, beside = (slice(3, 8), slice(5, 12)), (slice(6, 14), slice(4, 8)), (slice(10, 16), slice(0, 16))
    scenes = [
        Scenes([(*whole, 1.0), (*half, 0.0), (*beside, 1.0)]),
        Scenes([(*beside, 1.0), (*half, 0.9)]),
        Scenes([(*beside, 1.0), (slice(0, 2), slice(0, 2), 0.0)]),  # nothing matters here
        Scenes([(*whole, 0.0)]),  # one object has no order
    ]
    images = torch.stack([scene.paint() for scene in scenes]).double()
    without = [torch.stack([scene.paint(k) for k in range(len(scene.boxes))]).double() for scene in scenes]
    falls = trust.score_falls(model, images, torch.ones(4, dtype=torch.long), without)
    assert [len(d) for d in falls] == [3, 2, 2, 1]
    weight = model.weight.detach()
    for image, rest, fall in zip(images, without, falls, strict=True):
        np.testing.assert_allclose(fall, ((image - rest).mean(1) * weight).sum((1, 2)), atol=1e-12)
    # integrated gradients from the empty table give every object what it adds, where none lies on another
    table = torch.full((1, 3, 16, 16), 0.5).double()
    maps = integrated_gradients(model, images, torch.ones(4, dtype=torch.long), baseline=table).sum(1)
    sums = trust.object_sums(maps, [scene.masks for scene in scenes])
    assert [len(m) for m in sums] == [3, 2, 2, 1]
    np.testing.assert_allclose(sums[1], falls[1], atol=1e-5)
    found = trust.single_deletion(falls, sums)
    np.testing.assert_array_equal(np.isnan(found), [False, False, True, True])
    rho = spearmanr(falls[0], sums[0]).statistic
    assert found[0] == pytest.approx(rho / 2 + 0.5) and found[1] == 1
    assert np.nanmean(trust.single_deletion(falls, falls)) == 1
    assert np.nanmean(trust.single_deletion(falls, [-d for d in falls])) == pytest.approx(0)
    assert trust.single_deletion(falls[:1], [np.ones(3)]) == [0.5]
    areas = trust.object_sums(trust.controls(images)["uniform"], [scene.masks for scene in scenes])
    assert areas[0].tolist() == [m.sum() for m in scenes[0].masks]


def test_scenes_that_do_not_fit(planted):
    model, images, targets, _ = planted
    with pytest.raises(ValueError, match="6 scenes and 1 sets"):
        trust.score_falls(model, images, targets, [images])
    with pytest.raises(ValueError, match="6 maps and masks of 1 scenes"):
        trust.object_sums(draw(6, 16, 16), [draw(2, 16, 16) > 0.5])
    with pytest.raises(ValueError, match="3 falls and 2 sums"):
        trust.single_deletion([np.arange(3)], [np.arange(2)])


# ---- which class


@pytest.mark.parametrize("method", [saliency, smoothgrad, integrated_gradients])
def test_contrast_explains_the_difference_of_two_scores(network, method):
    images, targets, others = draw(2, 3, 32, 32), torch.tensor([1, 4]), torch.tensor([7, 4])
    options = {} if method is saliency else {"samples": 3} if method is smoothgrad else {"steps": 4, "settle": False}
    found = trust.contrast(method, network, images, targets, others, **options)
    wanted = method(network, images, targets, **options) - method(network, images, others, **options)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)
    assert found[1].abs().max() == 0  # against itself
    with pytest.raises(IndexError, match="target 11 is out of range"):
        trust.contrast(method, network, images, targets + 7, others)


# ---- other people's maps


def test_maps_of_captum_go_through_every_test(planted):
    model, images, targets, masks = planted
    leaf = images.clone().requires_grad_()
    theirs = captum.attr.InputXGradient(model).attribute(leaf, target=targets).sum(1).detach().numpy()
    occluded = captum.attr.Occlusion(model).attribute(images, (3, 4, 4), (3, 2, 2), target=targets)[:, 0].numpy()
    chance = trust.srg(model, images, targets, trust.controls(images)["random"]).mean()
    for maps in (theirs, occluded):
        assert trust.srg(model, images, targets, maps).mean() > chance + 0.2
        assert trust.hits(maps, masks).all() and (trust.rank_accuracy(maps, masks) > 0.6).all()
        assert np.isfinite(trust.alike(maps, theirs)).all()
        assert trust.object_sums(maps, masks[:, None])[0][0] > 0
