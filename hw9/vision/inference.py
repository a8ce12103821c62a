"""What every explanation needs of a model: a frozen state, its fastest layout, checked inputs and scores."""

import contextlib
import traceback
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel

from hw9.vision.chunks import at_first, in_chunks, memory_of, out_of_memory
from hw9.vision.precision import held, tensor_cores

SHELLS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)  # what they hold is `.module`


class Refused(RuntimeError):
    """The model's own forward pass failed on the pictures; the message says with what."""


def unwrapped(model: nn.Module) -> nn.Module:
    """The network itself, out of DataParallel and its like and of torch.compile, whose graph runs no later hook."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model must be a torch.nn.Module, not {type(model).__name__}: put it into one's forward")
    while isinstance(model, SHELLS) or "_orig_mod" in model._modules:
        model = model.module if isinstance(model, SHELLS) else model._orig_mod
    return model


@contextlib.contextmanager
def frozen(model: nn.Module) -> Iterator[nn.Module]:
    """The network itself (see `unwrapped`) as explanations want it; on leaving everything is as it was.

    Evaluation mode, no parameter gradients (which saves a third of the backward pass), no compiled graph, and half
    precision raised to float32, in which small gradients do not vanish. It gets its own copy of the pictures, in the
    precision of its weights, and may work in place. An error within its forward pass is raised as `Refused`. Warns of a
    BatchNorm that has no statistics of its own.
    """
    model = unwrapped(model)
    if isinstance(model, torch.jit.ScriptModule):
        model = nn.Sequential(model)  # it takes no hooks itself
    if any(isinstance(module, _BatchNorm) and module.running_mean is None for module in model.modules()):
        what = "a BatchNorm of the model has no running statistics: its pictures are judged by others of the same chunk"
        warnings.warn(f"{what}, so results depend on `chunk`; train it with them", RuntimeWarning, stacklevel=1)
    modes = [(module, module.training, vars(module).get("_compiled_call_impl")) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    values = [value for value in (*model.parameters(), *model.buffers()) if value.is_floating_point()]
    halves = [(value, value.data) for value in values if value.dtype.itemsize < 4]
    hook = None
    try:
        model.eval()
        for module, _, compiled in modes:
            if compiled:
                module._compiled_call_impl = None
        for parameter, _ in wanted:
            parameter.requires_grad_(False)
        for value, data in halves:
            value.data = data.float()
        dtype = next((value.dtype for value in values), None)
        hook = model.register_forward_pre_hook(lambda _, inputs: tuple(part.to(dtype, copy=True) for part in inputs))
        yield model
    except RuntimeError as error:
        raise (_told(error) or error) from error.__cause__
    finally:
        if hook:
            hook.remove()
        for module, training, compiled in modes:
            module.training = training
            if compiled:
                module._compiled_call_impl = compiled
        for parameter, requires_grad in wanted:
            parameter.requires_grad_(requires_grad)
        for value, data in halves:
            value.data = data


def _told(error: RuntimeError) -> Refused | None:
    """For an error of torch's within the model's forward pass: the same, with what was given and what to do."""
    calls = [
        frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code is nn.Module._call_impl.__code__
    ]
    if not calls or isinstance(error, Refused) or out_of_memory(error):
        return None
    shape = next((tuple(part.shape) for part in calls[0].f_locals["args"] if isinstance(part, Tensor)), "no")
    reason = str(error).strip().split("\n")[0]
    advice = "does it take RGB pictures (N, 3, H, W) of this size, in this precision? If not, resize them or wrap it"
    return Refused(f"{type(calls[0].f_locals['self']).__name__} fails on pictures {shape} ({reason}): {advice}")


def device_of(model: nn.Module) -> torch.device:
    """The device of the model's parameters (the CPU if it has none)."""
    return next((parameter.device for parameter in unwrapped(model).parameters()), torch.device("cpu"))


def fastest_layout(model: nn.Module, picture: Tensor) -> torch.memory_format:
    """The memory layout in which `model` is to get its pictures: channels_last where it takes it, else contiguous.

    On a CPU convolutions are a fifth faster in channels_last, and so are a GPU's tensor cores; without these (a GPU
    before Ampere, or float32 without TF32) cuDNN is at its best in contiguous memory. A model that flattens its maps
    with `.view` refuses channels_last: one pass of `picture` (1, 3, H, W), on the model's device, tells.
    """
    if picture.device.type == "cuda" and not tensor_cores(picture.device):
        return torch.contiguous_format
    try:
        with frozen(model) as model, torch.no_grad():
            model(picture.clone(memory_format=torch.channels_last))  # of one picture .contiguous may be no copy
    except RuntimeError:  # whatever else is wrong shows again, to the caller, in the contiguous layout
        return torch.contiguous_format
    return torch.channels_last


def check_images(images: Tensor) -> None:
    """Raise unless `images` is a floating-point (N, 3, H, W) tensor in [0, 1] with at least one picture.

    A tenth more on either side passes, as resizing and noise leave it; so do toys of a few pixels, which are numbers.
    """
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be a torch tensor (N, 3, H, W), not {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ValueError(f"images must have shape (N, 3, H, W) with N, H, W > 0, not {tuple(images.shape)}")
    if not images.is_floating_point():
        raise TypeError(f"images must be floating point in [0, 1], not {images.dtype}: divide by 255 first")
    if not torch.isfinite(images).all():
        raise ValueError("images contain NaN or infinite values: look at how they were loaded")
    check_range(images, "a picture")


def check_range(images: Tensor, name: str) -> None:
    """ValueError, in which they are `name`, unless pictures (N, 3, H, W) are in [0, 1] as `check_images` means it."""
    low, high = float(images.detach().min()), float(images.detach().max())
    if (low < -0.1 or high > 1.1) and images[0, 0].numel() >= 16:
        what = "divide them by 255" if low >= 0 else "undo their normalisation, or clamp(0, 1) what noise has added"
        raise ValueError(
            f"{name} has values from {low:.3g} to {high:.3g}: it must be in [0, 1]; {what} "
            "(a model that wants normalised input normalises inside its own forward)"
        )


def check_targets(targets: Tensor, count: int, classes: int | None = None) -> Tensor:
    """`targets` as an int64 (N,) tensor; raises unless there are `count` of them, each in 0..classes-1."""
    targets = torch.as_tensor(targets)
    if targets.is_floating_point() or targets.dtype == torch.bool:
        raise TypeError(f"targets must be class numbers (int64), not {targets.dtype}")
    if targets.shape != (count,):
        raise ValueError(f"targets must have shape ({count},), one class per picture, not {tuple(targets.shape)}")
    if classes is not None and count and (int(targets.min()) < 0 or int(targets.max()) >= classes):
        wrong = [int(t) for t in targets if not 0 <= t < classes]
        raise IndexError(f"target {wrong[0]} is out of range: the model has classes 0 to {classes - 1}")
    return targets.long()


def check_scores(scores: Tensor) -> Tensor:
    """The model's output, or an error when it is no (N, K) table, K > 1; looks at no value, so waits for no device."""
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        what = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"the model must return class scores (N, classes), not {what}: wrap it in a Module that does")
    if scores.shape[1] < 2:  # softmax makes 1 of any single score
        advice = "wrap it in a Module that returns two, for a logit s torch.cat([torch.zeros_like(s), s], 1)"
        raise ValueError(f"the model returns {scores.shape[1]} score per picture, it tells no classes apart: {advice}")
    return scores


def check_logits(logits: Tensor) -> Tensor:
    """The model's output, or an error when it is no finite (N, K) table of class scores; says if they are softmaxed."""
    finite, softmaxed, between = _judged(check_scores(logits))
    if not finite:
        raise damaged()
    # Of few classes, or of few pictures, scores may lie there by chance.
    if softmaxed or (between and logits.shape[1] >= 4 and logits.numel() >= 64):
        text = (
            "the model ends in a softmax: its outputs are taken as probabilities, not softmaxed again. Where it is "
            "sure they hardly change, and gradients fade: give the network without that layer for clear maps"
            if softmaxed
            else "all scores lie between 0 and 1, as after a sigmoid: give the network without that (softmax is taken)"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=1)  # one place: it is said once and not chunk by chunk
    return logits


def damaged() -> ValueError:
    """The error to raise where a model's scores are not finite."""
    return ValueError("the model returns NaN or infinite scores: its weights are damaged, load a good checkpoint")


def are_probabilities(outputs: Tensor) -> bool:
    """True when a model's outputs (N, K) come out of a softmax: rows that sum to 1, none negative, not all 0 or 1."""
    return _judged(outputs)[1]


def _judged(outputs: Tensor) -> list[bool]:
    """Whether outputs (N, K) are all finite, are probabilities, spread between 0 and 1; one wait for the device."""
    values = outputs.detach()
    # Probabilities in 16 bits add up to 1 within a few thousandths.
    sums = ((values.sum(1) - 1).abs() < 5e-3).all() & (values >= 0).all() & (values != values.round()).any()
    between = ((values > 0) & (values < 1)).all() & (values > 0.5).any()  # a sigmoid makes 0.5 of 0
    return torch.stack([torch.isfinite(values).all(), sums, between]).tolist()


def probabilities(outputs: Tensor) -> Tensor:
    """Class probabilities (N, K) of what a model returns: the softmax of scores; probabilities stay as they are."""
    return outputs.float() if are_probabilities(outputs) else outputs.float().softmax(1)


def gradient(value: Tensor, inputs: Tensor, what: str = "the model's scores") -> Tensor:
    """d value / d inputs; ValueError where `what` does not depend on the pixels in a way that has a gradient."""
    found = torch.autograd.grad(value, inputs, allow_unused=True)[0] if value.requires_grad else None
    if found is None:
        raise no_gradient(what)
    return found


def no_gradient(what: str) -> ValueError:
    """The error to raise where `what` has no gradient with respect to the pixels."""
    why = "does its forward run under no_grad, or detach them?"
    return ValueError(f"{what} have no gradient with respect to the pixels: {why} LIME needs none")


def predict(model: nn.Module, images: Tensor, *, chunk: int | None = None) -> Tensor:
    """Class probabilities (N, K), on the CPU, of `images` (N, 3, H, W) in [0, 1]."""
    check_images(images)

    def work(start: int, stop: int) -> Tensor:
        return check_scores(model(images[start:stop].to(device, held(images.dtype, device))))

    # Not inference_mode: what a model keeps of it (positions, a grid) could take part in no gradient later.
    with frozen(model) as model, torch.no_grad():
        device, begin = device_of(model), at_first(*images.shape[2:])
        logits = check_logits(torch.cat(in_chunks(work, len(images), chunk, begin=begin, memory=memory_of(device))))
        return probabilities(logits).cpu()
