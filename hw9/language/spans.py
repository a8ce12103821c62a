"""Which span of a text answers, from scores of where an answer starts and ends: for training and for reading alike."""

import torch
from torch import Tensor


def span_scores(start: Tensor, end: Tensor, penalty: float = 0.0) -> Tensor:
    """Scores (.., T, T) of the spans from each first token (row) to each last one, from scores (.., T) of both ends.

    The score of n tokens is the sum of both ends minus `penalty` times log n; minus infinity where a span would end
    before it starts.
    """
    place = torch.arange(start.shape[-1], device=start.device)
    length = place - place[:, None] + 1
    lost = (penalty * length.clamp(min=1).log()).masked_fill(length < 1, torch.inf)
    return start[..., :, None] + end[..., None, :] - lost


def best_span(start: Tensor, end: Tensor, longest: int, penalty: float = 0.0) -> tuple[int, int, int]:
    """Window, first and last token of the best span, given start and end scores (W, T) in W windows.

    A span has 1 to `longest` tokens; of equals the first wins.
    """
    size = start.shape[1]
    too_long = torch.ones(size, size, dtype=torch.bool).triu(longest)
    best, found = None, (0, 0, 0)
    for row, ends in enumerate(zip(start, end, strict=True)):  # a long text has a thousand windows of 1 MB each
        spans = span_scores(*ends, penalty).masked_fill(too_long, -torch.inf)
        if best is None or spans.max() > best:
            best, found = spans.max(), (row, *divmod(int(spans.argmax()), size))
    return found
