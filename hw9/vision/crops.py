"""The real crops that excite a filter most, to be seen beside the picture made for it."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hw9.vision.ascent import climbable
from hw9.vision.chunks import at_first, in_chunks, memory_of
from hw9.vision.gradients import differentiable
from hw9.vision.inference import check_images, device_of, gradient
from hw9.vision.layers import finite, up_to
from hw9.vision.precision import held


@dataclass
class Crops:
    """The real crops that excite one filter most, the strongest first, at most one of each picture."""

    crops: Tensor  # (count, 3, s, s), as they are in the pictures
    values: Tensor  # (count,) the filter's activation there
    pictures: Tensor  # (count,) index of the picture
    places: Tensor  # (count, 2) row and column in the activation map
    boxes: Tensor  # (count, 4) top, left, bottom, right of the crop in its picture, px; the last two exclusive
    field: int  # side of the square the filter sees, px (or more, where that is wider than the picture)


def top_crops_many(
    model: nn.Module,
    images: Tensor,
    layer: int | str,
    channels: Sequence[int],
    *,
    count: int = 9,
    chunk: int | None = None,
) -> list[Crops]:
    """For each of `channels` the crops of `images` (N, 3, H, W) in [0, 1] that excite it most, in one pass.

    A crop is a square around the strongest place of a picture, as wide as the filter's receptive field, but at least
    a quarter of the picture (to be legible) and at most all of it; at an edge it is moved inside. Of equal values the
    earlier picture comes first (patches beside filters: Zeiler & Fergus 2014, section 4).
    Raises ValueError when `count` is more than the pictures.
    """
    check_images(images)
    if not 1 <= count <= len(images):
        raise ValueError(f"count is {count}: one crop is taken of a picture, so choose 1 to {len(images)}")
    channels = [operator.index(channel) for channel in channels]
    device = device_of(model)

    def work(start: int, stop: int) -> tuple[Tensor, Tensor]:
        maps = finite(run(images[start:stop].to(device, held(images.dtype, device)))[:, channels])  # (B, K, h, w)
        best = maps.flatten(2).max(2)
        rows = best.indices // maps.shape[3], best.indices % maps.shape[3]
        return best.values.cpu(), torch.stack(rows, 2).cpu()

    with differentiable(model, exact=False) as model, up_to(model, layer, channels) as run:
        with torch.no_grad():
            begin = at_first(*images.shape[2:])
            parts = in_chunks(work, len(images), chunk, begin=begin, memory=memory_of(device))
        field, centre = _receptive_field(model, run, images.shape[2:])
    values, places = (torch.cat(part) for part in zip(*parts, strict=True))  # (N, K), (N, K, 2)
    height, width = images.shape[2:]
    side = min(max(field, math.ceil(min(height, width) / 4)), height, width)
    limits, found = torch.tensor([height - side, width - side]), []
    for k in range(len(channels)):
        order = values[:, k].sort(descending=True, stable=True).indices[:count]  # (count,)
        corners = (centre(places[order, k]) - side / 2).round().long().clamp(min=0).minimum(limits)  # (count, 2)
        boxes = torch.cat([corners, corners + side], 1)
        crops = [images[i, :, y:b, x:r] for i, (y, x, b, r) in zip(order, boxes.tolist(), strict=True)]
        found.append(Crops(torch.stack(crops).cpu(), values[order, k], order, places[order, k], boxes, field))
    return found


def _receptive_field(model: nn.Module, run: Callable, size: Sequence[int]) -> tuple[int, Callable[[Tensor], Tensor]]:
    """Side (px) of the square a unit sees, and where its centre lies: places (n, 2) -> row and column (n, 2) in px."""
    with climbable(model):
        noise = torch.rand(4, 3, *size, generator=torch.Generator().manual_seed(0)).to(device_of(model))
        noise.requires_grad_()
        maps = run(noise)
        middle = [side // 2 for side in maps.shape[2:]]
        before = [max(0, place - 1) for place in middle]
        # Two of the pictures for the unit in the middle, two for the one before it, a stride away.
        own = maps[:2, :, middle[0], middle[1]].sum() + maps[2:, :, before[0], before[1]].sum()
        slopes = gradient(own, noise, "the layer's activations")
    reached = (slopes != 0).unflatten(0, (2, 2)).any(1).any(1)  # (2, H, W): of the one unit and of the other
    spans, centres, strides = [], [], []
    for axis, length in enumerate(size):
        seen = [part.any(1 - axis).nonzero().flatten().tolist() or [0, length - 1] for part in reached]
        first, last = seen[0][0], seen[0][-1] + 1
        inside = first > 0 and last < length
        # Cut off, a field does not tell: a padded network has a map for so many pixels.
        stride = max(1, seen[0][-1] - seen[1][-1] if inside else round(length / maps.shape[2 + axis]))
        # A field cut off by the picture's edge tells of its half only: a padded network has its centre over the unit.
        centre = (first + last) / 2 if inside else (middle[axis] + 0.5) * stride
        spans.append(math.ceil(2 * max(centre - first, last - centre)))
        centres.append(centre - middle[axis] * stride)
        strides.append(stride)
    return max(spans), lambda places: torch.tensor(centres) + places * torch.tensor(strides)
