"""Pictures vary as promised: each its own way, the same for the same seed, nothing at strength 0 but a flip."""

import torch

from hw9.vision.augmentation import GREY, augmentation, cropped, noisy, recoloured


def pictures(count=6, side=32):
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_size_grows_with_progress():
    augment = augmentation(64, first_size=40)
    sizes = [augment(pictures(3, 64), p).shape[-1] for p in (0.0, 0.35, 0.7, 1.0)]
    assert sizes[0] == 40 and sizes == sorted(sizes) and sizes[2] == sizes[3] == 64
    for size in (4, 100, 127):  # no multiples of 8
        sizes = [augmentation(size, first_size=size // 2)(pictures(3, 64), p).shape[-1] for p in (0.0, 0.69, 0.7, 1.0)]
        assert max(sizes) == sizes[2] == sizes[3] == augmentation(size)(pictures(), 0.0).shape[-1] == size


def test_pictures_are_float_in_0_1_and_repeatable():
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(augmentation(32)(pictures(), 0.5))
    assert found[0].dtype == torch.float32 and found[0].min() >= 0 and found[0].max() <= 1
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_at_strength_0_a_picture_stays_or_is_mirrored():
    torch.manual_seed(0)
    images = pictures(40)
    varied, plain, kinds = augmentation(32, strength=0.0)(images, 1.0), images.float() / 255, set()
    for before, after in zip(plain, varied, strict=True):
        same, mirrored = (torch.allclose(after, other, atol=1e-4) for other in (before, before.flip(-1)))
        assert same or mirrored
        kinds.add(same)
    assert kinds == {True, False}


def test_equal_pictures_get_crops_and_colours_of_their_own():
    torch.manual_seed(0)
    one = pictures(1).expand(8, -1, -1, -1)
    for varied in (cropped(one, 32, 1.0), recoloured(one.float() / 255, 1.0)):
        distances = torch.cdist(varied.flatten(1), varied.flatten(1))
        assert (distances > 1e-3).sum() > 40  # of 56 pairs; half of the colours stay as they are
    ramp = torch.linspace(0, 255, 64).to(torch.uint8).expand(200, 3, 64, 64)
    shown = cropped(ramp, 64, 1.0)[:, 0, 32]
    spread = shown.amax(1) - shown.amin(1)
    assert spread.min() > 0.4 and 0.7 < spread.mean() < 0.95  # a crop of a ramp shows a part of it


def test_an_even_picture_stays_even_and_a_grey_one_grey():
    torch.manual_seed(0)
    even = torch.full((20, 3, 48, 48), 100, dtype=torch.uint8)
    assert (cropped(even, 32, 1.0) - 100 / 255).abs().max() < 1e-3  # reflection leaves no black corners
    images = torch.rand(400, 3, 8, 8)
    found = recoloured(images, 1.0)
    grey = (found - found.mean(1, keepdim=True)).abs().amax((1, 2, 3)) < 1e-6
    assert 5 <= grey.sum() <= 45  # one in twenty
    assert abs(sum(GREY) - 1) < 1e-6
    assert 100 < (found - images).abs().amax((1, 2, 3)).lt(1e-5).sum() < 300  # about half stay as they are


def test_half_of_the_pictures_get_noise_of_their_own_strength():
    torch.manual_seed(0)
    spread = (noisy(torch.full((400, 3, 16, 16), 0.5), 1.0) - 0.5).flatten(1).std(1)
    assert 150 < (spread < 1e-6).sum() < 250 and 0.25 < spread.max() < 0.32
    assert torch.equal(noisy(torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)), 0.0),
                       torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)))  # fmt: skip
