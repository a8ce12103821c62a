"""What every method relies on: the model comes back as it was, memory runs out gracefully, wrong input is named."""

import warnings

import pytest
import torch
from torch import nn

from hw9.vision.chunks import in_chunks
from hw9.vision.inference import (
    are_probabilities,
    check_images,
    check_logits,
    check_targets,
    device_of,
    fastest_layout,
    frozen,
    predict,
)


@pytest.fixture()
def model() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 5))
    model.train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[4].weight.grad = torch.ones_like(model[4].weight)
    return model


def state_of(model: nn.Module) -> list:
    return [[m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]]


class Broken(Exception):
    pass


def test_frozen_freezes_and_gives_back(model):
    before, gradient = state_of(model), model[4].weight.grad
    with frozen(model) as inside:
        assert inside is model
        assert not any(m.training for m in model.modules())
        assert not any(p.requires_grad for p in model.parameters())
    assert state_of(model) == before and model[4].weight.grad is gradient


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_a_batch_norm_that_judges_pictures_by_others_is_named(norm):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), norm(4, track_running_stats=False))
    with warnings.catch_warnings(record=True) as caught, frozen(model):
        pass
    told = "has no running statistics: its pictures are judged by others of the same chunk"
    assert [told in str(one.message) for one in caught] == [True] * (norm is nn.BatchNorm2d)


def test_frozen_gives_back_when_something_raises(model):
    before, gradient = state_of(model), model[4].weight.grad
    with pytest.raises(Broken), frozen(model):
        raise Broken
    assert state_of(model) == before and model[4].weight.grad is gradient
    with frozen(model), pytest.raises(Broken), frozen(model):
        raise Broken  # also nested
    assert state_of(model) == before


def test_frozen_leaves_statistics_and_gradients_alone(model):
    mean = model[1].running_mean.clone()
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    with frozen(model):
        model(images).sum().backward()
    assert torch.equal(model[1].running_mean, mean) and images.grad is not None
    assert (model[4].weight.grad == 1).all() and model[4].bias.grad is None


def test_device_of(model):
    assert device_of(model) == torch.device("cpu")
    assert device_of(nn.Flatten()) == torch.device("cpu")
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")


def run_in_chunks(count: int, chunk: int, limit: int, error: Exception) -> list[tuple[int, int]]:
    def work(start: int, stop: int) -> tuple[int, int]:
        if stop - start > limit:
            raise error
        return start, stop

    return in_chunks(work, count, chunk)


def test_chunks_cover_everything_once():
    assert run_in_chunks(7, 3, 99, Broken()) == [(0, 3), (3, 6), (6, 7)]
    assert run_in_chunks(2, 64, 99, Broken()) == [(0, 2)]
    assert run_in_chunks(0, 64, 99, Broken()) == []


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    ],
)
def test_out_of_memory_halves_the_chunk(error):
    with pytest.warns(RuntimeWarning) as warned:
        done = run_in_chunks(10, 16, 3, error)
    # Halved until it fits, and kept so.
    assert [str(w.message) for w in warned] == [f"out of memory: going on with chunks of {n}" for n in (5, 2)]
    assert done == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]


def test_out_of_memory_with_one_picture_is_an_error():
    with pytest.warns(RuntimeWarning), pytest.raises(MemoryError):
        run_in_chunks(4, 4, 0, MemoryError())


def test_another_error_is_not_swallowed():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run_in_chunks(4, 4, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("chunk", [0, -3, 2.5])
def test_a_chunk_that_would_not_end_is_refused(model, chunk):
    with pytest.raises(ValueError, match=f"chunk must be a whole number from 1 up, not {chunk}"):
        run_in_chunks(7, chunk, 99, Broken())
    with pytest.raises(ValueError, match="chunk must be a whole number"):
        predict(model, torch.rand(5, 3, 8, 8), chunk=chunk)


@pytest.mark.parametrize(
    ("flatten", "wanted"),
    [
        (lambda maps: maps.flatten(1), torch.channels_last),
        (lambda maps: maps.view(len(maps), -1), torch.contiguous_format),
    ],
)
def test_the_layout_is_channels_last_unless_the_model_refuses(model, flatten, wanted):
    class Flattening(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, images):
            return self.model[4](flatten(self.model[:3](images)))

    mean, before = model[1].running_mean.clone(), state_of(model)
    model[1].train()  # a look must not move the statistics
    for picture in (torch.rand(1, 3, 8, 8), torch.rand(8, 8, 3).permute(2, 0, 1)[None]):
        assert fastest_layout(Flattening(), picture) == wanted
    model[1].eval()
    assert torch.equal(model[1].running_mean, mean) and state_of(model) == before


def test_predict(model):
    images = torch.rand(5, 3, 8, 8)
    before = state_of(model)
    probabilities = predict(model, images, chunk=2)
    assert state_of(model) == before
    assert probabilities.shape == (5, 5)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))
    torch.testing.assert_close(probabilities, predict(model, images), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(probabilities, model.eval()(images).softmax(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "kind", "words"),
    [
        ([[1.0]], TypeError, "torch tensor"),
        (torch.rand(3, 8, 8), ValueError, r"\(N, 3, H, W\)"),
        (torch.rand(2, 1, 8, 8), ValueError, r"not \(2, 1, 8, 8\)"),
        (torch.rand(0, 3, 8, 8), ValueError, "N, H, W > 0"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "divide by 255"),
        (torch.full((1, 3, 8, 8), torch.nan), ValueError, "NaN"),
        (torch.full((1, 3, 8, 8), torch.inf), ValueError, "infinite"),
        (255 * torch.ones(1, 3, 8, 8), ValueError, r"from 255 to 255: it must be in \[0, 1\]; divide them by 255"),
        (torch.linspace(-1, 1, 192).view(1, 3, 8, 8), ValueError, r"from -1 to 1: .* undo their normalisation"),
    ],
)
def test_wrong_pictures_are_named(images, kind, words):
    with pytest.raises(kind, match=words):
        check_images(images)


def test_pictures_a_little_outside_and_toys_of_a_few_pixels_pass():
    check_images(torch.linspace(-0.09, 1.09, 192).view(1, 3, 8, 8))
    check_images(torch.full((1, 3, 1, 2), 3.0))


def test_targets_are_checked():
    found = check_targets([0, 2], 2, 3)
    assert found.dtype == torch.int64 and found.tolist() == [0, 2]
    assert check_targets(torch.tensor([7], dtype=torch.int32), 1).tolist() == [7]
    for wrong, kind, words in (
        (torch.tensor([0.0, 1.0]), TypeError, "class numbers"),
        (torch.tensor([True, False]), TypeError, "class numbers"),
        (torch.tensor([0]), ValueError, r"shape \(2,\)"),
        (torch.tensor([[0], [1]]), ValueError, "one class per picture"),
        (torch.tensor([0, 3]), IndexError, "target 3 is out of range: the model has classes 0 to 2"),
        (torch.tensor([-1, 0]), IndexError, "target -1"),
    ):
        with pytest.raises(kind, match=words):
            check_targets(wrong, 2, 3)


def test_scores_are_checked():
    scores = torch.rand(2, 3)
    assert check_logits(scores) is scores
    with pytest.raises(ValueError, match=r"scores \(N, classes\), not \(2, 3, 4\)"):
        check_logits(torch.rand(2, 3, 4))
    with pytest.raises(ValueError, match="not tuple"):
        check_logits((scores, scores))
    with pytest.raises(ValueError, match="weights are damaged"):
        check_logits(scores * torch.nan)


def test_damaged_weights_are_named_by_predict(model):
    nn.init.constant_(model[4].bias, torch.nan)
    before = state_of(model)
    with pytest.raises(ValueError, match="load a good checkpoint"):
        predict(model, torch.rand(1, 3, 8, 8))
    assert state_of(model) == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_softmax_is_known_in_16_bits_too_and_a_sigmoid_is_none(dtype):
    scores = torch.randn(64, 11, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert are_probabilities(scores.softmax(1).float())
    assert not are_probabilities(scores.sigmoid().float()) and not are_probabilities(scores.float())
