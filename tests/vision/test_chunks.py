"""Chunks follow the memory of the device, here a pretended one; and no method waits for it chunk by chunk."""

import functools

import pytest
import torch
from torch import nn

from hw9.vision import chunks, gradients, perturbation, precision
from hw9.vision.attribution import integrated_gradients, saliency, smoothgrad
from hw9.vision.inference import predict
from hw9.vision.lime import explain

GIB = 2**30
MEANS = [functools.partial(smoothgrad, samples=6), functools.partial(integrated_gradients, steps=6)]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 11)).eval()


class Small:
    """A device of so many bytes, of which a copy of a picture takes `each`, and work beyond it an error."""

    def __init__(self, size: int, each: int) -> None:
        self.size, self.each, self.done, self.watched = size, each, [], 0

    def free(self) -> int:
        return self.size

    def watch(self) -> None:
        self.watched += 1

    def taken(self) -> int:
        return self.done[-1] * self.each

    def work(self, start: int, stop: int) -> None:
        if (stop - start) * self.each > self.size:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.done.append(stop - start)


def sizes(device: Small, count: int, chunk: int | None = None, begin: int = 16) -> list[int]:
    chunks.in_chunks(device.work, count, chunk, begin=begin, memory=device)
    assert sum(device.done) == count
    return device.done


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (80 * GIB, [16, *[61] * 7, 57]),  # at most 6 GiB
        (15 * GIB, [16, *[61] * 7, 57]),  # half of a T4's memory holds as many
        (4 * GIB, [16, *[20] * 24, 4]),
        (1700 * 2**20, [16, *[8] * 60, 4]),  # even fewer than it began with
    ],
)
def test_a_chunk_takes_half_of_what_is_free_and_no_more_than_pays(size, wanted):
    device = Small(size, 100 * 2**20)
    assert sizes(device, 500) == wanted and device.watched == 1


def test_chunks_are_alike_where_few_are_left():
    assert sizes(Small(4 * GIB, 100 * 2**20), 40) == [16, 12, 12]


def test_out_of_memory_at_the_first_chunk_is_halved_and_measured_then():
    device = Small(400, 100)
    with pytest.warns(RuntimeWarning, match="out of memory: going on with chunks of 4"):
        assert sizes(device, 10, begin=8) == [4, 2, 2, 2]


def test_out_of_memory_later_is_halved_and_stays_so():
    device = Small(1000, 100)
    device.free = lambda: 4000  # another program takes what was free
    with pytest.warns(RuntimeWarning, match="going on with chunks of 9"):
        assert sizes(device, 40, begin=4) == [4, 9, 9, 9, 9]


def test_a_chunk_that_is_asked_for_is_taken_and_nothing_measured():
    device = Small(80 * GIB, 1)
    assert sizes(device, 10, chunk=4) == [4, 4, 2] and device.watched == 0
    assert sizes(Small(80 * GIB, 1), 10) == [10]
    assert chunks.memory_of(torch.device("cpu")) is None
    assert isinstance(chunks.memory_of(torch.device("cuda")), chunks.CudaMemory)


def test_no_map_depends_on_the_memory(monkeypatch):
    model, images, targets = network(), torch.rand(30, 3, 32, 32), torch.arange(30) % 11
    wanted = [method(model, images, targets) for method in MEANS]
    told = explain(model, images[0], samples=200).weights
    device = Small(30 * GIB, GIB)  # afterwards 6 copies at a time
    device.taken = lambda: 256 * GIB  # of the first chunk: of 64x64x64 pixels
    for module in (gradients, perturbation):
        monkeypatch.setattr(module, "memory_of", lambda _: device)
    for method, maps in zip(MEANS, wanted, strict=True):
        torch.testing.assert_close(method(model, images, targets), maps, rtol=1e-3, atol=1e-7)
    found = torch.from_numpy(explain(model, images[0], samples=200).weights)
    torch.testing.assert_close(found, torch.from_numpy(told), rtol=1e-3, atol=1e-6)
    assert device.watched >= 2


# ---- no waiting


@pytest.mark.parametrize("method", [saliency, *MEANS])
def test_gradient_methods_wait_for_the_device_as_often_for_many_chunks_as_for_few(method, pretend):
    model, images, targets = network().to("meta"), torch.rand(8, 3, 32, 32), torch.arange(8)
    waits = []
    for chunk in (4, 2):
        with pretend() as device:
            method(model, images, targets, chunk=chunk)
        waits.append(device.waits)
    assert waits[0] == waits[1] and 2 <= waits[0].total() <= 20, waits


def test_lime_waits_for_the_device_as_often_for_many_chunks_as_for_few(pretend):
    waits = []
    for chunk in (50, 25):
        with pretend() as device:
            explain(network().to("meta"), torch.rand(3, 32, 32), samples=100, chunk=chunk)
        waits.append(device.waits)
    assert waits[0] == waits[1] and waits[0].total() > 2, waits


@pytest.mark.parametrize(("side", "wanted"), [(96, 64), (128, 64), (256, 16), (1024, 1), (5000, 1)])
def test_without_gradients_large_pictures_go_in_small_chunks(side, wanted):
    """A processor asks nobody for memory, and one that is full kills the program."""
    assert chunks.at_first(side, side) == wanted
    seen, model = [], nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    if side < 1000:
        predict(model, torch.rand(70, 3, side, side))
        assert max(seen) == wanted and sum(seen) == 70


# ---- exactness


@pytest.mark.parametrize("chosen", ["none", "tf32", "ieee"])
def test_saliency_is_exact_and_means_are_as_torch_is_set_and_all_is_given_back(chosen):
    conv, seen = torch.backends.cudnn.conv, []
    model, images, targets = network(), torch.rand(2, 3, 32, 32), torch.tensor([0, 1])
    hook = model.register_forward_hook(
        lambda *_: seen.append((conv.fp32_precision, torch.backends.cudnn.deterministic, torch.is_grad_enabled()))
    )
    before = torch.backends.fp32_precision
    try:
        torch.backends.fp32_precision = chosen
        own = conv.fp32_precision
        for method, means in ((saliency, False), (MEANS[0], True), (MEANS[1], True)):
            seen.clear()
            method(model, images, targets)
            passes = [(precision, deterministic) for precision, deterministic, graph in seen if graph]
            assert set(passes) == {(own if means else "ieee", True)}
            if method is MEANS[1]:  # F(x) - F(baseline), by which its completeness is judged
                assert seen[-1] == ("ieee", True, False)
            assert conv.fp32_precision == own and not torch.backends.cudnn.deterministic
    finally:
        torch.backends.fp32_precision = before
        hook.remove()


def test_a_gpu_without_tensor_cores_for_float32_gets_contiguous_pictures(monkeypatch):
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision
    try:
        for capability, chosen, wanted in (((9, 0), "tf32", True), ((9, 0), "ieee", False), ((7, 5), "tf32", False)):
            monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
            conv.fp32_precision = chosen
            assert precision.tensor_cores(torch.device("cuda")) is wanted
    finally:
        conv.fp32_precision = before


def test_the_16_bits_of_a_gpu_are_those_of_that_very_card(monkeypatch):
    cards = {0: (8, 0), 1: (7, 5)}  # an A100 and a T4 in one machine
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: cards[device.index])
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)  # of the current card, the first
    found = [precision.fast_dtype(torch.device("cuda", index)) for index in cards]
    assert found == [torch.bfloat16, torch.float16]
