"""Put one sprite into a picture: scaled, turned, mirrored, with its shadow."""

import numpy as np
from PIL import Image, ImageFilter

from hw9.vision.scenes import Spot, Sprite


class Layer:
    """A sprite in its place: colour and alpha for a window of the picture, and its solid part in the whole picture.

    `centre` and `scale` (pixels of the picture per pixel of the sprite, across and down) before the turn in degrees.
    """

    def __init__(
        self,
        sprite: Sprite,
        centre: tuple[float, float],
        scale: tuple[float, float],
        turn: float,
        flip: bool,
        size: int,
    ) -> None:
        full = sprite.levels[0]
        level = min(int(np.log2(max(1 / max(scale), 1.0))), len(sprite.levels) - 1)
        source = sprite.levels[level]
        sx, sy = scale[0] * full.width / source.width, scale[1] * full.height / source.height
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        half_w = (abs(c) * scale[0] * full.width + abs(s) * scale[1] * full.height) / 2
        half_h = (abs(s) * scale[0] * full.width + abs(c) * scale[1] * full.height) / 2
        cx, cy = centre
        # Only what lies in the picture (and near it, for the shadow) is drawn.
        reach = 0.12 * size
        left, right = (int(np.floor(max(cx - half_w, -reach))), int(np.ceil(min(cx + half_w, size + reach))))
        top, bottom = (int(np.floor(max(cy - half_h, -reach))), int(np.ceil(min(cy + half_h, size + reach))))
        w, h = max(right - left, 1), max(bottom - top, 1)
        mirror = -1 if flip else 1
        a, b, d, e = mirror * c / sx, mirror * s / sx, -s / sy, c / sy  # picture -> sprite
        dx, dy = left - cx, top - cy
        matrix = (a, b, source.width / 2 + a * dx + b * dy, d, e, source.height / 2 + d * dx + e * dy)
        smooth = Image.Resampling.BICUBIC if max(scale) > 1 else Image.Resampling.BILINEAR
        placed = source.transform((w, h), Image.Transform.AFFINE, matrix, smooth)
        self.sprite, self.centre, self.scale, self.turn = sprite, centre, scale, turn
        self.left, self.top, self.alpha = left, top, placed.getchannel("a")
        self.object, self.shadow = -1, 1.0  # number of the object it belongs to; depth of its shadow
        self.colour = np.asarray(placed, np.float32) / 255  # (h, w, 4), premultiplied
        self.solid = np.zeros((size, size), bool)
        if (cut := window(left, top, w, h, size)) is not None:
            self.solid[cut[0]] = self.colour[cut[1]][..., 3] > 0.5

    def paint(self, canvas: np.ndarray, light: float, depth: float) -> None:
        """Shadow, then the sprite, onto canvas (size, size, 3)."""
        size = len(canvas)
        if depth * self.shadow:
            blur = 0.022 * size
            pad = int(np.ceil(2.5 * blur))
            shade = Image.new("L", (self.alpha.width + 2 * pad, self.alpha.height + 2 * pad))
            shade.paste(self.alpha, (pad, pad))
            shade = np.asarray(shade.filter(ImageFilter.GaussianBlur(blur)), np.float32)
            reach = 0.035 * size
            left, top = self.left - pad - round(reach * np.cos(light)), self.top - pad - round(reach * np.sin(light))
            if (cut := window(left, top, shade.shape[1], shade.shape[0], size)) is not None:
                canvas[cut[0]] *= 1 - np.float32(depth * self.shadow / 255) * shade[cut[1]][..., None]
        if (cut := window(self.left, self.top, *self.alpha.size, size)) is not None:
            part = self.colour[cut[1]]
            canvas[cut[0]] *= 1 - part[..., 3:]
            canvas[cut[0]] += part[..., :3]


def window(left: int, top: int, w: int, h: int, size: int) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """The part of a w x h patch at (left, top) that lies in the picture: slices of the picture and of the patch."""
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + w, size), min(top + h, size)
    if x0 >= x1 or y0 >= y1:
        return None
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def place(sprite: Sprite, spot: Spot, size: int, *, keep_inside: bool = False) -> Layer:
    """A sprite at its spot. Soup stays level; a side that was cut off lies just beyond the picture's border."""
    scale = min(size * np.sqrt(spot.area / sprite.pixels), size * spot.longest / max(sprite.content))
    turn = 0.0 if sprite.cut else spot.turn * (0.2 if sprite.bowl else 1.0)
    c, s = abs(np.cos(np.radians(turn))), abs(np.sin(np.radians(turn)))
    w, h = (scale * side for side in sprite.content)
    half_w, half_h = (c * w + s * h) / 2, (s * w + c * h) / 2
    cx, cy = spot.x * size, spot.y * size
    if keep_inside:  # a little of it may lie outside
        cx, cy = (_inside(centre, half - 0.04 * size, size) for centre, half in ((cx, half_w), (cy, half_h)))
    beyond = 0.02 * size
    cut = {"left": "right", "right": "left"}.get(sprite.cut, sprite.cut) if spot.mirrored else sprite.cut
    cx = {"left": half_w - beyond, "right": size - half_w + beyond}.get(cut, cx)
    cy = {"top": half_h - beyond, "bottom": size - half_h + beyond}.get(cut, cy)
    return Layer(sprite, (cx, cy), (scale, scale), turn, spot.mirrored, size)


def _inside(centre: float, half: float, size: int) -> float:
    return min(max(centre, half), size - half) if 2 * half < size else size / 2
