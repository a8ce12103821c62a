"""Lay pictograms on a table and photograph them: one scene -> picture, exact food mask, and words for what is seen.

Everything about a scene but the pictogram of the food comes from `Scene`, which is drawn without knowing the class; so
background, light, layout and distractors say nothing about the label. Lengths are parts of the picture's side, so the
same scene can be painted at any size.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from hw9.vision import surfaces

HIDDEN_AT_MOST = 0.2  # share of the food that distractors in front of it may cover


@dataclass(frozen=True)
class Sprite:
    """A pictogram with premultiplied alpha at full size, a half, a quarter ... (no aliasing when drawn small)."""

    name: str
    levels: tuple[Image.Image, ...]
    pixels: int  # opaque pixels of levels[0]

    @classmethod
    def of(cls, name: str, picture: Image.Image) -> "Sprite":
        margin = 8  # transparent, so that interpolation never meets the border
        full = Image.new("RGBA", (picture.width + 2 * margin, picture.height + 2 * margin))
        full.paste(picture, (margin, margin))
        levels = [full.convert("RGBa")]
        while min(levels[-1].size) > 24:
            levels.append(levels[-1].reduce(2))
        return cls(name, tuple(levels), int((np.asarray(full)[..., 3] > 127).sum()))


@dataclass(frozen=True)
class Spot:
    """Where and how one object lies: centre, area (part of the picture), turn in degrees, mirrored."""

    x: float
    y: float
    area: float
    turn: float
    mirrored: bool
    longest: float  # its longest side is at most this part of the picture's


@dataclass(frozen=True)
class Scene:
    """One scene without its food: all random choices that must not depend on the class."""

    style: str  # of the pictograms: "fluent3d" or "noto"
    ground: tuple[int, int]  # kind and variant of the surface
    crop: tuple[float, float, float, int]  # left, top, side of the part of it that is shown; number of quarter turns
    dish: int | None
    dish_spot: Spot
    foods: tuple[Spot, ...]
    things: tuple[tuple[int, Spot, bool], ...]  # distractor number, where, in front of the food if it may
    light: tuple[float, float, float, float]  # direction in radians, slope, vignette, depth of shadows
    camera: tuple[float, ...]  # brightness, contrast, red, green, blue, noise, blur, softness
    seed: int  # of the sensor noise

    @classmethod
    def draw(cls, rng: np.random.Generator, distractors: int) -> "Scene":
        u = rng.uniform
        style = "fluent3d" if u() < 0.6 else "noto"
        ground = (int(rng.integers(len(surfaces.SURFACES))), int(rng.integers(surfaces.VARIANTS)))
        side = u(0.5, 1.0)
        crop = (u(0, 1 - side), u(0, 1 - side), side, int(rng.integers(4)))
        count = int(rng.choice(3, p=(0.70, 0.20, 0.10))) + 1
        area = rng.triangular(0.13, 0.28, 0.46) if count == 1 else rng.triangular(0.24, 0.34, 0.48) / count
        axis, away = u(0, 2 * np.pi), (0.0, 0.23, 0.25)[count - 1]
        cx, cy = u(0.42, 0.58), u(0.44, 0.58)
        foods = tuple(
            Spot(
                cx + away * np.cos(axis + 2 * np.pi * k / count),
                cy + 0.8 * away * np.sin(axis + 2 * np.pi * k / count),
                area * u(0.85, 1.15),
                rng.triangular(-35, 0, 35),
                bool(u() < 0.5),
                0.90 if count == 1 else 0.62,
            )
            for k in range(count)
        )
        dish = int(rng.integers(len(surfaces.DISHES))) if u() < 0.5 else None
        dish_spot = Spot(cx + u(-0.03, 0.03), cy + u(0, 0.06), np.pi / 4 * u(0.75, 1.15) ** 2, 0.0, False, 1.3)
        chosen = rng.permutation(distractors)[: rng.choice(5, p=(0.16, 0.30, 0.27, 0.17, 0.10))]
        start, things = u(0, 2 * np.pi), []
        for k, number in enumerate(chosen):
            angle = start + 2 * np.pi * (k + u(-0.25, 0.25)) / len(chosen)
            reach = u(0.36, 0.46) / max(abs(np.cos(angle)), abs(np.sin(angle)))  # along the frame
            x, y = 0.5 + reach * np.cos(angle), 0.5 + reach * np.sin(angle)
            spot = Spot(x, y, u(0.03, 0.085), rng.triangular(-45, 0, 45), bool(u() < 0.5), 0.5)
            things.append((int(number), spot, bool(u() < 0.6)))
        light = (u(-0.9 * np.pi, -0.1 * np.pi), u(0.05, 0.28), u(0.0, 0.35), u(0.3, 0.6))
        warmth = u(-0.06, 0.06)
        camera = (u(0.88, 1.10), u(0.88, 1.14), 1 + warmth, 1 + u(-0.02, 0.02), 1 - warmth)
        noise = u(0.004, 0.025) if u() < 0.5 else 0.0
        blur = u(0.003, 0.008) if u() < 0.2 else 0.0
        soft = u(0.6, 0.85) if u() < 0.2 else 1.0
        camera = (*camera, noise, blur, soft)
        return cls(style, ground, crop, dish, dish_spot, foods, tuple(things), light, camera, int(rng.integers(2**31)))


class Layer:
    """A sprite at its spot: colour and alpha for a window of the picture, and its solid part in the whole picture."""

    def __init__(self, sprite: Sprite, spot: Spot, size: int, *, keep_inside: bool = False) -> None:
        full = sprite.levels[0]
        scale = min(size * np.sqrt(spot.area / sprite.pixels), size * spot.longest / (max(full.size) - 16))
        level = min(int(np.log2(max(1 / scale, 1.0))), len(sprite.levels) - 1)
        source = sprite.levels[level]
        sx, sy = scale * full.width / source.width, scale * full.height / source.height
        c, s = np.cos(np.radians(spot.turn)), np.sin(np.radians(spot.turn))
        half_w = scale * (abs(c) * full.width + abs(s) * full.height) / 2
        half_h = scale * (abs(s) * full.width + abs(c) * full.height) / 2
        cx, cy = spot.x * size, spot.y * size
        if keep_inside:  # the slack is mostly the sprite's own transparent margin
            cx, cy = (_inside(centre, half - 0.06 * size, size) for centre, half in ((cx, half_w), (cy, half_h)))
        left, top = int(np.floor(cx - half_w)), int(np.floor(cy - half_h))
        w, h = int(np.ceil(cx + half_w)) - left, int(np.ceil(cy + half_h)) - top
        flip = -1 if spot.mirrored else 1
        a, b, d, e = flip * c / sx, flip * s / sx, -s / sy, c / sy  # picture -> sprite
        dx, dy = left - cx, top - cy
        matrix = (a, b, source.width / 2 + a * dx + b * dy, d, e, source.height / 2 + d * dx + e * dy)
        smooth = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BILINEAR
        placed = source.transform((w, h), Image.Transform.AFFINE, matrix, smooth)
        self.name, self.left, self.top, self.alpha = sprite.name, left, top, placed.getchannel("a")
        self.colour = np.asarray(placed, np.float32) / 255  # (h, w, 4), premultiplied
        self.solid = np.zeros((size, size), bool)
        if (cut := window(left, top, w, h, size)) is not None:
            self.solid[cut[0]] = self.colour[cut[1]][..., 3] > 0.5

    def paint(self, canvas: np.ndarray, light: float, depth: float) -> None:
        """Shadow, then the sprite, onto canvas (size, size, 3)."""
        size = len(canvas)
        blur = 0.022 * size
        pad = int(np.ceil(3 * blur))
        shade = Image.new("L", (self.alpha.width + 2 * pad, self.alpha.height + 2 * pad))
        shade.paste(self.alpha, (pad, pad))
        shade = np.asarray(shade.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
        reach = 0.035 * size
        left, top = self.left - pad - round(reach * np.cos(light)), self.top - pad - round(reach * np.sin(light))
        if (cut := window(left, top, shade.shape[1], shade.shape[0], size)) is not None:
            canvas[cut[0]] *= 1 - depth * shade[cut[1]][..., None]
        if (cut := window(self.left, self.top, *self.alpha.size, size)) is not None:
            part = self.colour[cut[1]]
            canvas[cut[0]] = canvas[cut[0]] * (1 - part[..., 3:]) + part[..., :3]


def _inside(centre: float, half: float, size: int) -> float:
    return min(max(centre, half), size - half) if 2 * half < size else size / 2


def window(left: int, top: int, w: int, h: int, size: int) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """The part of a w x h patch at (left, top) that lies in the picture: slices of the picture and of the patch."""
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + w, size), min(top + h, size)
    if x0 >= x1 or y0 >= y1:
        return None
    return (slice(y0, y1), slice(x0, x1)), (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))


def paint(scene: Scene, foods: list[Sprite], things: list[Sprite], size: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Picture uint8 (size, size, 3), mask bool (size, size) of the visible food, and words for what is seen.

    `foods` has one sprite per spot of the scene, `things` one per distractor.
    """
    placed = [Layer(sprite, spot, size, keep_inside=True) for sprite, spot in zip(foods, scene.foods, strict=True)]
    food = np.logical_or.reduce([layer.solid for layer in placed])  # (size, size)
    behind, front, covered = [], [], np.zeros_like(food)
    for sprite, (_, spot, in_front) in zip(things, scene.things, strict=True):
        layer = Layer(sprite, spot, size)
        if in_front and (food & (covered | layer.solid)).sum() <= HIDDEN_AT_MOST * food.sum():
            covered |= layer.solid
            front.append(layer)
        else:
            behind.append(layer)

    canvas = ground(scene, size)
    angle, slope, vignette, depth = scene.light
    if scene.dish is not None:
        Layer(dish(scene.dish), scene.dish_spot, size).paint(canvas, angle, depth)
    for layer in (*behind, *placed, *front):
        layer.paint(canvas, angle, depth)

    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / (size - 1) - 0.5
    canvas *= (1 + slope * (x * np.cos(angle) + y * np.sin(angle)) - vignette * 2 * (x * x + y * y))[..., None]
    return develop(canvas, scene), food & ~covered, words(scene, placed, behind, front, food)


@cache
def dish(number: int) -> Sprite:
    return Sprite.of(surfaces.DISHES[number][0], surfaces.dish(number))


def ground(scene: Scene, size: int) -> np.ndarray:
    """The bare table: float32 (size, size, 3)."""
    left, top, side, turns = scene.crop
    box = np.array((left, top, left + side, top + side)) * surfaces.SIDE
    shown = surfaces.surface(*scene.ground).resize((size, size), Image.Resampling.BILINEAR, tuple(box))
    return np.rot90(np.asarray(shown, np.float32) / 255, turns).copy()


def develop(canvas: np.ndarray, scene: Scene) -> np.ndarray:
    """What a camera makes of the light: exposure, white balance, noise, blur; uint8 (size, size, 3)."""
    brightness, contrast, red, green, blue, noise, blur, soft = scene.camera
    size = len(canvas)
    canvas = (canvas - 0.5) * contrast + 0.5
    canvas *= np.array((red, green, blue), np.float32) * np.float32(brightness)
    if noise:
        grain = np.random.default_rng(scene.seed).standard_normal(canvas.shape, np.float32)
        canvas += np.float32(noise) * grain
    picture = (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
    if blur:
        picture = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(blur * size)))
    if soft < 1:
        small = Image.fromarray(picture).resize((round(size * soft),) * 2, Image.Resampling.BILINEAR)
        picture = np.asarray(small.resize((size, size), Image.Resampling.BICUBIC))
    return picture


def words(scene: Scene, placed: list[Layer], behind: list[Layer], front: list[Layer], food: np.ndarray) -> str:
    """For example "2 x shrimp, fork and knife, on white plate and wood"; things hardly seen are left out."""
    names = [name if n == 1 else f"{n} x {name}" for name, n in Counter(layer.name for layer in placed).items()]
    seen = 0.02 * food.size
    names += [layer.name for layer in front if layer.solid.sum() > seen]
    names += [layer.name for layer in behind if (layer.solid & ~food).sum() > seen]
    table = surfaces.NAMES[surfaces.SURFACES[scene.ground[0]]]
    where = table if scene.dish is None else f"{surfaces.DISHES[scene.dish][0]} and {table}"
    return f"{', '.join(names)}, on {where}"
