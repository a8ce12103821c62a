"""LIME finds the weights of black boxes whose weights are known, and what the lime package finds on the same masks."""

import numpy as np
import pytest
import torch
from lime.lime_image import LimeImageExplainer
from scipy.stats import spearmanr
from skimage.segmentation import slic
from torch import nn

from hw9.vision import perturbation
from hw9.vision.lime import explain, explain_each, segment_map, stability
from hw9.vision.superpixels import superpixels


def grid(size=24, cells=4):
    """Square superpixels, (size, size), numbered from 0."""
    row = np.arange(size) * cells // size
    return row[:, None] * cells + row[None]


def scene(size=32, seed=0):
    """A textured picture (3, size, size) with smooth colours under fine noise, and its superpixels."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 4, 4, generator=random)
    smooth = nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)[0]
    return (0.7 * smooth + 0.3 * torch.rand(3, size, size, generator=random)).clamp(0, 1)


class Additive(nn.Module):
    """P(class 1) = 0.05 + sum of coefficient x mean of the superpixel; class 0 has the rest."""

    def __init__(self, segments, coefficients):
        super().__init__()
        numbers = torch.arange(int(segments.max()) + 1)
        masks = torch.from_numpy(segments)[None] == numbers[:, None, None]  # (K, H, W)
        self.register_buffer("share", masks / masks.sum((1, 2), keepdim=True).clamp(min=1))
        self.register_buffer("coefficients", torch.as_tensor(coefficients, dtype=torch.float32))

    def probability(self, images):
        means = (images.mean(1)[:, None] * self.share).sum((2, 3))  # (N, K)
        return 0.05 + (means * self.coefficients).sum(1)

    def forward(self, images):
        p = self.probability(images)
        return torch.stack([(1 - p).log(), p.log()], 1)


class Identity(Additive):
    """Scores of class 1 are `Additive`'s probability itself: for the recipe that regresses logits."""

    def forward(self, images):
        p = self.probability(images)
        return torch.stack([1 - p, p], 1)


def small_net(classes=4, seed=1):
    """Random convolutions whose probabilities move by a few hundredths between perturbed pictures of 32x32."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 12, 5, 2, 2),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 64, classes),
    )
    with torch.no_grad():
        net[-1].weight *= 6
    return net


class Pairs(np.random.RandomState):
    """Random numbers that give the lime package pairs of complementary masks after the whole picture, row by row."""

    def __init__(self, seed, samples):
        super().__init__(seed)
        self.samples = samples

    def randint(self, low, high=None, size=None):
        if size is None:
            return super().randint(low, high)
        rows = [np.ones(size // self.samples)]
        for row in super().randint(0, 2, (self.samples // 2, size // self.samples)):
            rows += [row, 1 - row]
        return np.concatenate(rows[: self.samples])


def package(net, image, segments, target, random, samples, hide_color=None, logits=False):
    """The lime package alone, picture by picture, as (weights, score, intercept, local prediction)."""

    def judge(pictures):
        with torch.inference_mode():
            scores = net(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous())
        return (scores if logits else scores.softmax(1)).numpy()

    found = LimeImageExplainer(random_state=random).explain_instance(
        image.permute(1, 2, 0).numpy(),
        judge,
        labels=(target,),
        top_labels=None,
        hide_color=hide_color,
        num_samples=samples,
        segmentation_fn=lambda _: segments,
    )
    weights = np.zeros(segments.max() + 1)
    for number, weight in found.local_exp[target]:
        weights[number] = weight
    return weights, found.score, found.intercept[target], found.local_pred[0]


# known answers


def test_additive_black_box_gets_its_coefficients_back():
    segments, coefficients = grid(), np.random.default_rng(0).uniform(0, 0.1, 16)
    image = scene(24)
    means = np.array([image.numpy().mean(0)[segments == k].mean() for k in range(16)])
    found = explain(Additive(segments, coefficients), image, target=1, segments=segments, hide_color=0.0)
    assert np.array_equal(np.argsort(found.weights), np.argsort(coefficients * means))
    # The ridge shrinks the weights by about one part in a hundred.
    np.testing.assert_allclose(found.weights, coefficients * means, rtol=0.03, atol=1e-4)
    assert found.score > 0.999
    assert found.intercept + found.weights.sum() == pytest.approx(found.local_prediction)
    assert found.local_prediction == pytest.approx(found.prediction, abs=0.005)


@pytest.mark.parametrize(
    ("recipe", "black_box", "low", "high"), [("paper", Additive, 0.9, 0.95), ("course", Identity, 0, 0)]
)
def test_last_superpixel_counts_in_the_paper_and_is_never_hidden_in_the_course(recipe, black_box, low, high):
    segments = grid() + (recipe == "course")
    coefficients = np.zeros(segments.max() + 1)
    coefficients[-1] = 0.94
    image = torch.ones(3, 24, 24)
    found = explain(
        black_box(segments, coefficients), image, target=1, segments=segments, hide_color=0.0, recipe=recipe
    )
    assert low <= found.weights[-1] <= high
    assert np.abs(found.weights[:-1]).max() < 1e-3


def test_course_spends_a_weight_on_no_pixel():
    found = explain(small_net(), scene(), target=1, samples=300, recipe="course")
    assert found.segments.min() == 1
    assert len(found.weights) == found.segments.max() + 1
    assert len(found.image_explanation.local_exp[1]) == found.segments.max()  # features 0..K-1 for labels 1..K


def test_part_the_model_ignores_gets_no_weight():
    segments = grid(32)
    seen = torch.ones(32, 32)
    seen[:, :16] = 0
    net = small_net()
    blind = nn.Sequential(Masked(seen), net)
    found = explain(blind, scene(), segments=segments, dtype=torch.float32)
    ignored = np.isin(np.arange(16) % 4, (0, 1))
    assert np.abs(found.weights[ignored]).max() < 0.05 * np.abs(found.weights[~ignored]).max()


class Masked(nn.Module):
    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, images):
        return images * self.mask


@pytest.mark.parametrize(
    ("recipe", "hide_color", "fill"),
    [
        ("paper", None, lambda image, part: image.mean((1, 2))),
        ("course", None, lambda image, part: image[:, part].mean(1)),
        ("paper", "superpixel", lambda image, part: image[:, part].mean(1)),
        ("course", "mean", lambda image, part: image.mean((1, 2))),
        ("paper", "black", lambda image, part: torch.zeros(3)),
        ("paper", 0.25, lambda image, part: torch.full((3,), 0.25)),
        ("paper", torch.tensor([0.2, 0.9, 0.4]).view(3, 1, 1), lambda image, part: torch.tensor([0.2, 0.9, 0.4])),
    ],
)
def test_hidden_superpixels_look_as_they_should(recipe, hide_color, fill):
    """A black box that sees how far superpixel 5 is from the picture: its weight is the distance of what hides it."""
    segments, image = grid() + (recipe == "course"), scene(24)
    part = torch.from_numpy(segments == 5)

    class Far({"paper": Additive, "course": Identity}[recipe]):
        def probability(self, images):
            return 0.05 + (images - image)[:, :, part].abs().mean((1, 2))

    black_box = Far(segments, np.zeros(17))
    found = explain(black_box, image, target=1, segments=segments, recipe=recipe, hide_color=hide_color)
    distance = (image[:, part] - fill(image, part)[:, None]).abs().mean().item()
    assert found.weights[5] == pytest.approx(-distance, rel=0.03)
    assert np.abs(np.delete(found.weights, 5)).max() < 1e-3


# the package as oracle


@pytest.mark.parametrize("recipe", ["paper", "course"])
def test_agrees_with_the_lime_package_on_the_same_masks(recipe):
    net, image = small_net().eval(), scene()
    found = explain(net, image, target=2, samples=300, seed=3, recipe=recipe, dtype=torch.float32)
    random = Pairs(3, 300) if recipe == "paper" else np.random.RandomState(16 + 3)
    fill = image.mean((1, 2)).numpy() if recipe == "paper" else None
    weights, score, intercept, local = package(
        net, image, found.segments, 2, random, 300, hide_color=fill, logits=recipe == "course"
    )
    assert np.corrcoef(found.weights, weights)[0, 1] > 0.999999
    np.testing.assert_allclose(found.weights, weights, atol=1e-5 * np.abs(weights).max())
    assert found.score == pytest.approx(score, abs=1e-5)
    assert found.intercept == pytest.approx(intercept, abs=1e-5)
    assert found.local_prediction == pytest.approx(local, abs=1e-5)


def test_image_explanation_is_the_packages_own():
    found = explain(small_net(), scene(), samples=200)
    picture, mask = found.image_explanation.get_image_and_mask(found.target, positive_only=False, num_features=3)
    assert picture.shape == (32, 32, 3)
    assert set(np.unique(found.segments[mask != 0])) == set(found.top(3))
    assert np.array_equal(np.sign(segment_map(found))[mask != 0], mask[mask != 0])


# masks, seeds, chunks


def hidden_parts(samples, seed, segments):
    """Which superpixels each perturbed picture hides (calls, K), read off the pictures the model sees."""
    seen = []

    class Recorder(Additive):
        def forward(self, images):
            seen.append(images[:, 0].numpy().copy())
            return super().forward(images)

    black_box = Recorder(segments, np.full(16, 0.01))
    explain(black_box, torch.ones(3, 24, 24), target=1, samples=samples, seed=seed, segments=segments, hide_color=0.0)
    pictures = np.concatenate(seen)[-samples:]
    return np.stack([pictures[:, segments == k].max(1) == 0 for k in range(16)], 1)


@pytest.mark.parametrize(("samples", "seeds"), [(1000, 1), (10, 50), (11, 50)])
@pytest.mark.filterwarnings("ignore:1. samples cannot tell 16 superpixels apart:RuntimeWarning")
def test_every_superpixel_is_hidden_in_half_of_the_samples(samples, seeds):
    for seed in range(seeds):
        hidden = hidden_parts(samples, seed, grid())
        assert not hidden[0].any()
        pairs = hidden[1 : 1 + (samples - 1) // 2 * 2]
        assert (pairs.sum(0) == len(pairs) // 2).all()
        assert np.array_equal(pairs[::2], ~pairs[1::2])


def test_too_few_samples_are_said_to_be_too_few():
    with pytest.warns(RuntimeWarning, match="16 samples cannot tell 16 superpixels apart: take at least twice"):
        explain(small_net(), scene(), samples=16, segments=grid(32))


def test_same_seed_same_result_and_chunks_do_not_matter():
    net, image = small_net(), scene()
    first = explain(net, image, samples=200, seed=5)
    assert np.array_equal(first.weights, explain(net, image, samples=200, seed=5).weights)
    assert np.array_equal(first.weights, explain(net, image, samples=200, seed=np.random.RandomState(5)).weights)
    assert not np.allclose(first.weights, explain(net, image, samples=200, seed=6).weights)
    for chunk in (7, 200):
        other = explain(net, image, samples=200, seed=5, chunk=chunk)
        np.testing.assert_allclose(other.weights, first.weights, atol=1e-6)


def test_one_random_state_runs_on_through_several_pictures():
    random, image = np.random.RandomState(16), scene()
    options = {"samples": 100, "recipe": "course", "segments": grid(32) + 1}
    course = [explain(small_net(), image, seed=random, **options) for _ in range(2)]
    assert np.array_equal(course[0].weights, explain(small_net(), image, **options).weights)
    assert not np.allclose(course[0].weights, course[1].weights)


def test_out_of_memory_halves_the_chunk():
    net, image = small_net(), scene()

    class Tight(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, images):
            if len(images) > 20:
                raise torch.OutOfMemoryError("out of memory")
            return self.net(images)

    with pytest.warns(RuntimeWarning, match="going on with chunks of 16"):
        found = explain(Tight(), image, samples=100, chunk=32)
    np.testing.assert_allclose(found.weights, explain(net, image, samples=100).weights, atol=1e-6)


# precision and memory layout


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_bfloat16_keeps_the_ranking(seed):
    net, image = small_net(seed=seed), scene(seed=seed)
    exact = explain(net, image, dtype=torch.float32)
    fast = explain(net, image, dtype=torch.bfloat16)
    assert fast.dtype == torch.bfloat16
    assert not np.array_equal(exact.weights, fast.weights)
    assert spearmanr(exact.weights, fast.weights).statistic > 0.995
    assert set(exact.top(5)) == set(fast.top(5))


def test_bfloat16_is_chosen_only_where_it_changes_little(monkeypatch):
    monkeypatch.setattr(perturbation, "fast_dtype", lambda device: torch.bfloat16)
    net, image = small_net(), scene()
    assert explain(net, image, samples=100).dtype == torch.bfloat16
    # The same scores on top of 1000: bfloat16, with 8 bits, cannot hold them.
    lifted = small_net()
    with torch.no_grad():
        lifted[-1].bias += 1000
    found = explain(lifted, image, samples=100)
    assert found.dtype == torch.float32
    exact = explain(net, image, samples=100, dtype=torch.float32)
    assert np.corrcoef(found.weights, exact.weights)[0, 1] > 0.999

    class Rigid(nn.Sequential):
        def forward(self, images):
            scores = super().forward(images)
            return scores.index_add(0, torch.zeros(1, dtype=torch.int64), torch.zeros(1, scores.shape[1]))

    assert explain(Rigid(net), image, samples=100).dtype == torch.float32  # it raises in bfloat16
    monkeypatch.setattr(perturbation, "fast_dtype", lambda device: None)
    assert explain(net, image, samples=100).dtype == torch.float32


def test_channels_last_unless_the_model_refuses():
    layouts = []

    class Viewing(nn.Module):
        def __init__(self, view):
            super().__init__()
            self.net, self.view = small_net(), view

        def forward(self, images):
            if len(images) == 64:
                layouts.append(images.is_contiguous(memory_format=torch.channels_last))
            maps = self.net[:-2](images)
            return self.net[-1](maps.view(len(maps), -1) if self.view else maps.flatten(1))

    flat = explain(Viewing(False), scene(), samples=128, dtype=torch.float32)
    assert layouts == [True, True]
    viewed = explain(Viewing(True), scene(), samples=128, dtype=torch.float32)
    assert layouts[2:] == [False, False]
    np.testing.assert_allclose(viewed.weights, flat.weights, atol=0.01 * np.abs(flat.weights).max())


# targets and state


def test_target_defaults_to_the_predicted_class():
    net, image = small_net().eval(), scene()
    found = explain(net, image[None], samples=100)
    with torch.inference_mode():
        probabilities = net(image[None]).softmax(1)[0]
    assert found.target == int(probabilities.argmax())
    assert found.prediction == pytest.approx(float(probabilities.max()), abs=0.01)
    other = explain(net, image, target=torch.tensor(int(probabilities.argmin())), samples=100)
    assert other.target == int(probabilities.argmin())


def test_two_classes_have_opposite_weights():
    net, image = small_net(classes=2), scene()
    one, other = (explain(net, image, target=t, samples=200, dtype=torch.float32) for t in (0, 1))
    np.testing.assert_allclose(one.weights, -other.weights, atol=1e-6)


def test_model_and_picture_are_left_as_found():
    net, image = small_net(), scene().requires_grad_()
    net[1].train()
    net[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes, picture = [m.training for m in net.modules()], image.detach().clone()

    def same():
        assert [m.training for m in net.modules()] == modes
        assert [p.requires_grad for p in net.parameters()] == [False] + [True] * 7
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
        assert torch.equal(image, picture)
        assert image.grad is None

    explain(net, image, samples=50, segments=grid(32))
    same()

    def fail(module, inputs):
        if len(inputs[0]) > 8:
            raise RuntimeError("boom")

    hook = net.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="boom"):
        explain(net, image, samples=50, segments=grid(32))
    hook.remove()
    same()


def test_model_that_does_not_look_gives_zero_weights():
    found = explain(Additive(grid(), np.zeros(16)), scene(24), target=1, samples=100, segments=grid())
    assert np.abs(found.weights).max() < 1e-6
    assert found.prediction == pytest.approx(0.05)


# superpixels, maps, stability


@pytest.mark.parametrize("size", [64, 128])
def test_superpixels_are_numbered_from_zero_and_sensible(size):
    segments = superpixels(scene(size))
    counts = np.bincount(segments.ravel())
    assert segments.shape == (size, size)
    assert 40 <= len(counts) <= 70
    assert counts.min() >= 16
    assert counts.max() < size * size / 8


def test_course_superpixels_are_the_courses():
    image = scene(128)
    expected = slic(image.permute(1, 2, 0).double().numpy(), n_segments=200, compactness=1, sigma=1, start_label=1)
    assert np.array_equal(superpixels(image, recipe="course"), expected)


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("recipe", ["paper", "course"])
def test_noise_is_cut_as_well(size, recipe):
    image = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    assert len(np.unique(superpixels(image, recipe=recipe))) >= 2


def test_segment_map_paints_what_the_recipe_draws():
    net, image = small_net(), scene(32)
    paper = explain(net, image, samples=200)
    painted = segment_map(paper)
    assert painted.shape == (32, 32)
    for number in range(len(paper.weights)):
        assert set(painted[paper.segments == number]) == {paper.weights[number]}
    net[-1].weight.data *= 100
    course = explain(net, image, samples=400, recipe="course")
    weak = explain(Identity(course.segments, np.full(len(course.weights), 1e-4)), image, samples=400, recipe="course")
    assert not segment_map(weak).any()
    _, mask = course.image_explanation.get_image_and_mask(
        course.target, positive_only=False, num_features=11, min_weight=0.05
    )
    assert np.array_equal(np.sign(segment_map(course)), mask)
    assert len(np.unique(course.segments[mask != 0])) == 11


def test_stability_is_the_mean_overlap_of_the_strongest():
    segments = grid()
    steps = np.linspace(0, 0.1, 16)
    sure = stability(Additive(segments, steps), torch.ones(3, 24, 24), target=1, segments=segments, hide_color=0.0)
    assert sure.overlap == 1.0
    assert min(one.score for one in sure.explanations) > 0.999
    assert len(sure.explanations) == 5
    shaky = stability(small_net(), scene(), seeds=(0, 1, 2), top=5, samples=200)
    sets = [set(np.argsort(np.abs(e.weights))[-5:]) for e in shaky.explanations]
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert shaky.overlap == pytest.approx(np.mean([len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in pairs]))
    assert 0 < shaky.overlap < 1
    assert all(np.array_equal(e.segments, shaky.explanations[0].segments) for e in shaky.explanations)
    assert len({e.target for e in shaky.explanations}) == 1
    alone = explain(small_net(), scene(), seed=2, samples=200)
    np.testing.assert_allclose(shaky.explanations[2].weights, alone.weights)


# bad input


def damaged():
    net = small_net()
    net[0].weight.data[0] = torch.nan
    return net


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target": 4}, IndexError, "target 4 is out of range: the model has classes 0 to 3"),
        ({"target": -1}, IndexError, "out of range"),
        ({"target": 1.0}, TypeError, "class numbers"),
        ({"samples": 9}, ValueError, "samples=9"),
        ({"chunk": 0}, ValueError, "chunk must be a whole number from 1 up, not 0"),
        ({"recipe": "curse"}, ValueError, "no recipe 'curse'"),
        ({"hide_color": "pink"}, ValueError, "no baseline 'pink'"),
        ({"hide_color": torch.zeros(3, 5, 5)}, ValueError, "does not fit"),
        (
            {"hide_color": 255},
            ValueError,
            r"the baseline has values from 255 to 255: it must be in \[0, 1\]; divide them",
        ),
        ({"model": damaged()}, ValueError, "NaN"),
        ({"model": nn.Conv2d(3, 4, 1)}, ValueError, "class scores"),
        ({"image": torch.rand(3, 1, 1)}, ValueError, "one single superpixel"),
        ({"image": torch.full((3, 24, 24), 0.5), "segments": grid()}, ValueError, "hiding superpixels does not change"),
        ({"image": torch.rand(2, 3, 32, 32)}, ValueError, "one picture"),
        ({"image": torch.rand(1, 32, 32)}, ValueError, "shape"),
        ({"image": torch.rand(32, 32)}, ValueError, "shape"),
        ({"image": torch.zeros(3, 32, 32, dtype=torch.uint8)}, TypeError, "floating point"),
        ({"image": torch.full((3, 32, 32), torch.nan)}, ValueError, "NaN"),
        ({"image": np.zeros((3, 32, 32))}, TypeError, "torch tensor"),
        ({"segments": grid(24)}, ValueError, "size"),
        ({"segments": grid(32) * 2}, ValueError, "without a gap"),
        ({"segments": grid(32) + 1}, ValueError, "numbered 0"),
        ({"segments": grid(32).astype(float)}, ValueError, "integer"),
    ],
)
def test_bad_input_gets_one_clear_line(change, error, message):
    arguments = {"model": pooled_net(), "image": scene(), "samples": 130} | change
    with pytest.raises(error, match=message) as caught:
        explain(arguments.pop("model"), arguments.pop("image"), **arguments)
    assert "\n" not in str(caught.value)


def pooled_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


def test_a_blank_picture_is_named_and_left_out_and_the_others_are_explained():
    net, blank = pooled_net(), torch.full((3, 32, 32), 0.5)
    images = torch.stack([scene(seed=1), blank, scene(seed=2)])
    with pytest.warns(RuntimeWarning, match="LIME leaves out picture 1: ") as caught:
        found = explain_each(net, images, torch.tensor([1, 2, 0]), samples=130)
    assert len([w for w in caught if "leaves out" in str(w.message)]) == 1
    for number in (0, 2):
        alone = explain(net, images[number], target=found[number].target, samples=130)
        np.testing.assert_array_equal(found[number].weights, alone.weights)
    assert [e.target for e in found] == [1, 2, 0]
    assert np.isnan(found[1].score) and not segment_map(found[1]).any() and found[1].segments.shape == (32, 32)
    with pytest.warns(RuntimeWarning, match=r"leaves out white.png"):
        (empty,) = explain_each(net, blank[None], names=["white.png"], samples=130, recipe="course")
    assert empty.target == int(net.eval()(blank[None]).argmax()) and not segment_map(empty).any()
    for other in (blank.bfloat16(), blank.clone().requires_grad_()):
        with pytest.warns(RuntimeWarning, match="leaves out picture 0"):
            assert np.isnan(explain_each(net, other[None], torch.tensor([0]), samples=130)[0].score)
    with pytest.raises(ValueError, match="NaN"):  # no fault of a picture's
        explain_each(damaged(), images, samples=130)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_stability_of_a_picture_with_few_superpixels(count):
    stripes = np.arange(32 * 32).reshape(32, 32) * count // (32 * 32)
    assert len(np.unique(stripes)) == count
    found = stability(pooled_net(), scene(), samples=50, segments=stripes)
    assert found.top == min(5, count - 1) and 0 <= found.overlap <= 1


@pytest.mark.parametrize(
    ("change", "message"), [({"seeds": (1,)}, "two seeds"), ({"top": 0}, "top=0"), ({"top": 16}, "top=16")]
)
def test_stability_refuses_what_cannot_be_compared(change, message):
    with pytest.raises(ValueError, match=message):
        stability(pooled_net(), scene(), samples=50, segments=grid(32), **change)
