"""What may lie on the table and where: cut-outs of real food, and scenes drawn at random; `painting` makes pictures.

Everything about a scene but the food itself comes from `Scene`, which is drawn without knowing the class; so table,
light, layout and distractors say nothing about the label. Two things follow from the look of the food, as in a kitchen:
soup lies in a bowl (as a quarter of all other food does), and a plate is chosen that the food stands out from. Lengths
are parts of the picture's side, so the same scene can be painted at any size.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.color import rgb2lab

from hw9.vision import surfaces

MARGIN = 8  # transparent pixels around a sprite, so that interpolation never meets the border
PHOTOGRAPHED = -1  # kind of a ground that is a photograph of a table, not painted


@dataclass(frozen=True)
class Sprite:
    """A cut-out with premultiplied alpha at full size, a half, a quarter ... (no aliasing when drawn small)."""

    name: str
    levels: tuple[Image.Image, ...]
    pixels: int  # opaque pixels of levels[0]
    lab: np.ndarray  # (3,) mean colour of the opaque pixels in CIELAB
    label: int | None = None  # class, for food
    bowl: bool = False  # must lie in a bowl
    cut: str = ""  # the side that the frame of the photograph cut off: "left", "right", "top", "bottom" or ""

    @classmethod
    def of(cls, name: str, picture: Image.Image, **facts) -> "Sprite":
        full = Image.new("RGBA", (picture.width + 2 * MARGIN, picture.height + 2 * MARGIN))
        full.paste(picture, (MARGIN, MARGIN))
        levels = [full.convert("RGBa")]
        while min(levels[-1].size) > 24:
            levels.append(levels[-1].reduce(2))
        pixels = np.asarray(full)
        opaque = pixels[..., 3] > 127
        mean = pixels[opaque][:, :3].mean(0) / 255 if opaque.any() else np.zeros(3)
        return cls(name, tuple(levels), int(opaque.sum()), rgb2lab(mean), **facts)

    @property
    def content(self) -> tuple[int, int]:
        """Width and height without the margin."""
        width, height = self.levels[0].size
        return width - 2 * MARGIN, height - 2 * MARGIN


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

    ground: tuple[int, int]  # kind and variant of the surface; kind PHOTOGRAPHED: number of a photographed table
    crop: tuple[float, float, float, int]  # left, top, side of the part of it that is shown; number of quarter turns
    serve: str  # "" on the table, "plate" or "bowl"
    plates: tuple[int, ...]  # in the order in which they are tried
    bowls: tuple[int, ...]
    dish_spot: Spot
    foods: tuple[Spot, ...]
    side: Spot | None  # of a smaller food of another class
    things: tuple[tuple[int, Spot, bool], ...]  # distractor number, where, in front of the food if it may
    light: tuple[float, float, float, float]  # direction in radians, slope, vignette, depth of shadows
    camera: tuple[float, ...]  # brightness, contrast, red, green, blue, noise, blur, softness
    seed: int  # of the sensor noise

    @classmethod
    def draw(cls, rng: np.random.Generator, things: int, tables: int) -> "Scene":
        """A scene with up to four of `things` distractors, on a painted ground or one of `tables` photographed ones."""
        u = rng.uniform
        ground = (int(rng.integers(len(surfaces.SURFACES))), int(rng.integers(surfaces.VARIANTS)))
        if (table := int(rng.integers(2 * tables))) < tables:
            ground = (PHOTOGRAPHED, table)
        side = u(0.5, 1.0)
        crop = (u(0, 1 - side), u(0, 1 - side), side, int(rng.integers(4)))
        count = int(rng.choice(3, p=(0.75, 0.18, 0.07))) + 1
        area = rng.triangular(0.16, 0.34, 0.58) if count == 1 else rng.triangular(0.30, 0.40, 0.56) / count
        axis, away = u(0, 2 * np.pi), (0.0, 0.24, 0.26)[count - 1]
        cx, cy = u(0.42, 0.58), u(0.44, 0.58)
        foods = tuple(
            Spot(
                cx + away * np.cos(axis + 2 * np.pi * k / count),
                cy + 0.8 * away * np.sin(axis + 2 * np.pi * k / count),
                area * u(0.85, 1.15),
                rng.triangular(-35, 0, 35),
                bool(u() < 0.5),
                0.98 if count == 1 else 0.66,
            )
            for k in range(count)
        )
        serve = str(rng.choice(("", "plate", "bowl"), p=(0.40, 0.35, 0.25)))
        plates = tuple(int(k) for k in rng.permutation(len(surfaces.PLATES)))
        bowls = tuple(int(k) for k in rng.permutation(len(surfaces.BOWLS)))
        dish_spot = Spot(cx + u(-0.03, 0.03), cy + u(0, 0.05), np.pi / 4 * u(0.80, 1.15) ** 2, 0.0, False, 1.3)
        chosen = rng.permutation(things)[: rng.choice(5, p=(0.20, 0.32, 0.26, 0.14, 0.08))]
        start, placed = u(0, 2 * np.pi), []
        for k, number in enumerate(chosen):
            x, y = _along_the_frame(start + 2 * np.pi * (k + u(-0.25, 0.25)) / len(chosen), u(0.36, 0.46))
            spot = Spot(x, y, u(0.03, 0.075), rng.triangular(-45, 0, 45), bool(u() < 0.5), 0.5)
            placed.append((int(number), spot, bool(u() < 0.6)))
        other = None
        if u() < 0.15:
            x, y = _along_the_frame(u(0, 2 * np.pi), u(0.34, 0.42))
            other = Spot(x, y, u(0.08, 0.14), rng.triangular(-45, 0, 45), bool(u() < 0.5), 0.55)
        light = (u(-0.9 * np.pi, -0.1 * np.pi), u(0.05, 0.28), u(0.0, 0.35), u(0.3, 0.6))
        warmth = u(-0.06, 0.06)
        camera = (u(0.88, 1.10), u(0.90, 1.12), 1 + warmth, 1 + u(-0.02, 0.02), 1 - warmth)
        noise = u(0.004, 0.020) if u() < 0.4 else 0.0
        blur = u(0.003, 0.007) if u() < 0.15 else 0.0
        soft = u(0.65, 0.85) if u() < 0.15 else 1.0
        camera = (*camera, noise, blur, soft)
        things = tuple(placed)
        seed = int(rng.integers(2**31))
        return cls(ground, crop, serve, plates, bowls, dish_spot, foods, other, things, light, camera, seed)


def _along_the_frame(angle: float, reach: float) -> tuple[float, float]:
    """A point of the square around the picture's middle whose half side is `reach`, in direction `angle`."""
    away = reach / max(abs(np.cos(angle)), abs(np.sin(angle)))
    return 0.5 + away * np.cos(angle), 0.5 + away * np.sin(angle)
