"""What the food of the scenes lies on: painted tables and cloths, plates and bowls, made once and then cut from.

A variant is a number; the same number gives the same surface everywhere. Nothing here knows about classes.
"""

from functools import cache

import numpy as np
from PIL import Image

SIDE = 192  # pixels of a painted surface; pictures show a part of it
Y, X = (np.mgrid[0:SIDE, 0:SIDE] / SIDE).astype(np.float32)  # (SIDE, SIDE) each, in [0, 1)

WOODS = (
    ("#c99a62", "#8a5a2e"),
    ("#6e4527", "#3a2213"),
    ("#e6c591", "#b98a52"),
    ("#d8d0c2", "#a89c8b"),
    ("#4a3a33", "#241b18"),
)
CLOTHS = ("#c0392b", "#2f6fb3", "#3f8f5a", "#d9a520", "#7a5aa6", "#3b4a5a", "#d97a9a", "#4aa5a5")
PLAIN = (
    "#f4f1ea",
    "#e9dcc6",
    "#cfd9df",
    "#f0c9b8",
    "#a9c8b2",
    "#8fb0d0",
    "#3a4250",
    "#d8b26a",
    "#fdfcfa",
    "#2a2d31",
    "#b8a6c9",
    "#59706a",
)
STONES = (("#f3f1ee", "#9a9aa2"), ("#2e3a38", "#8fa39c"), ("#efe6da", "#b08e6c"), ("#23252b", "#7b7f8c"))


def rgb(code: str) -> np.ndarray:
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def clouds(rng: np.random.Generator, across: int, down: int, octaves: int = 4) -> np.ndarray:
    """Smooth noise (SIDE, SIDE), mean about 0 and standard deviation about 1; `across` x `down` bumps at first."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for k in range(octaves):
        cells = rng.standard_normal((min(down << k, SIDE) + 1, min(across << k, SIDE) + 1)).astype(np.float32)
        total += np.asarray(Image.fromarray(cells).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) * 0.55**k
    return total / total.std()


def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return a + (b - a) * np.clip(share, 0, 1)[..., None]


def weave(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Threads and soft folds on a cloth of the given colours (SIDE, SIDE, 3)."""
    threads = 0.03 * np.sin(2 * np.pi * 64 * X) * np.sign(np.sin(2 * np.pi * 64 * Y)) + 0.02 * clouds(rng, 64, 64, 2)
    return colour * (1 + threads + 0.05 * clouds(rng, 2, 2, 2))[..., None]


def wood(rng: np.random.Generator, tint: int) -> np.ndarray:
    light, dark = map(rgb, WOODS[tint % len(WOODS)])
    planks = int(rng.integers(3, 7))
    plank = (Y * planks).astype(int)
    warp = clouds(rng, 2, 2 * planks, 3) + rng.uniform(0, 9, planks)[plank]
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (Y * planks * rng.uniform(1.0, 2.2) + 0.4 * warp))
    grain = 0.42 * rings + 0.15 * clouds(rng, 4, 70, 2) + rng.uniform(0, 0.35, planks)[plank].astype(np.float32)
    groove = 1 - 0.55 * (np.abs((Y * planks) % 1 - 0.5) > 0.485)
    return mix(light, dark, grain) * groove[..., None]


def checked_cloth(rng: np.random.Generator, tint: int) -> np.ndarray:
    k = rng.integers(3, 8)
    stripes = ((X * k % 1 < 0.5).astype(np.float32) + (Y * k % 1 < 0.5)) / 2
    return weave(rng, mix(rgb("#f7f3ec"), rgb(CLOTHS[tint % len(CLOTHS)]), stripes * 0.9))


def striped_cloth(rng: np.random.Generator, tint: int) -> np.ndarray:
    k, tint = rng.integers(3, 9), rgb(CLOTHS[tint % len(CLOTHS)])
    phase = X * k % 1
    wide, thin = (phase < rng.uniform(0.2, 0.5)), np.abs(phase - rng.uniform(0.6, 0.85)) < 0.05
    return weave(rng, mix(rgb("#f3ede2"), tint, wide * 0.95 + thin * 0.6))


def linen(rng: np.random.Generator, tint: int) -> np.ndarray:
    colour = rgb((PLAIN + CLOTHS)[tint * 5 % 20]) * np.full((SIDE, SIDE, 1), 0.94, np.float32)
    return weave(rng, colour) * (1 + 0.04 * clouds(rng, 40, 40, 2))[..., None]


def marble(rng: np.random.Generator, tint: int) -> np.ndarray:
    ground, vein = map(rgb, STONES[tint % len(STONES)])
    slant = rng.uniform(-1, 1)
    veins = [np.exp(-np.abs(np.sin(2 * np.pi * (X + slant * Y) * k + 1.1 * clouds(rng, 2, 2))) * 9) for k in (1, 2)]
    return mix(ground, vein, 0.85 * veins[0] + 0.4 * veins[1] + 0.09 * clouds(rng, 3, 3))


def stone(rng: np.random.Generator, tint: int) -> np.ndarray:
    base = rgb(("#3a3d42", "#8f9196", "#b9b2a6", "#55504c")[tint % 4])
    return base * (1 + 0.05 * clouds(rng, 3, 3, 5) + 0.05 * clouds(rng, 80, 80, 1))[..., None]


def tiles(rng: np.random.Generator, tint: int) -> np.ndarray:
    k = int(rng.integers(3, 6))
    shade = rng.normal(1, 0.05, (k, k, 1))[(Y * k).astype(int), (X * k).astype(int)]
    edge = np.maximum(np.abs(X * k % 1 - 0.5), np.abs(Y * k % 1 - 0.5))
    glaze = rgb(PLAIN[tint % len(PLAIN)]) * shade * (1 + 0.03 * clouds(rng, 3, 3))[..., None]
    bevel = 1 + 0.10 * (edge > 0.44)[..., None] * np.sign(1 - X * k % 1 - Y * k % 1)[..., None]
    return np.where((edge > 0.475)[..., None], rgb("#a9a49b"), glaze * bevel)


def paper(rng: np.random.Generator, tint: int) -> np.ndarray:
    a, b = rgb(PLAIN[tint % len(PLAIN)]), rgb(PLAIN[rng.integers(len(PLAIN))])
    angle = rng.uniform(0, 2 * np.pi)
    ramp = 0.5 + (X - 0.5) * np.cos(angle) + (Y - 0.5) * np.sin(angle)
    return mix(a, mix(a, b, np.float32(0.5)), ramp) * (1 + 0.012 * clouds(rng, 90, 90, 1))[..., None]


# each painter takes a generator for the pattern and a number `tint` that walks through its palette
SURFACES = (wood, checked_cloth, striped_cloth, linen, marble, stone, tiles, paper)
VARIANTS = 12
NAMES = {
    wood: "wood",
    checked_cloth: "checked cloth",
    striped_cloth: "striped cloth",
    linen: "linen",
    marble: "marble",
    stone: "stone",
    tiles: "tiles",
    paper: "paper",
}


@cache
def surface(kind: int, variant: int) -> Image.Image:
    """Surface number `kind` of SURFACES as an RGB picture (SIDE, SIDE)."""
    painted = SURFACES[kind](np.random.default_rng((kind, variant)), variant)
    return Image.fromarray((np.clip(painted, 0, 1) * 255 + 0.5).astype(np.uint8))


PLATES = (  # name, colour of the rim, colour of the well
    ("white plate", "#f6f5f2", "#f6f5f2"),
    ("white plate", "#fbfaf7", "#e9e6e0"),
    ("blue plate", "#5f8fc0", "#dfe9f2"),
    ("dark plate", "#3d4047", "#4a4e56"),
    ("green plate", "#9db89a", "#dbe6d6"),
    ("pink plate", "#e2a9a0", "#f7e7e1"),
    ("yellow plate", "#dfb354", "#f5e7c4"),
    ("dark blue plate", "#27405f", "#35547a"),
    ("terracotta plate", "#a5583a", "#b86d4d"),
    ("wooden board", "", ""),
)
BOWLS = (
    ("white bowl", "#f4f2ee", "#dcd8d0"),
    ("blue bowl", "#4f7fb5", "#e6edf3"),
    ("black bowl", "#2f3136", "#3f4248"),
    ("clay bowl", "#9c5a3c", "#7d442c"),
    ("green bowl", "#7fa383", "#e3ebdd"),
    ("yellow bowl", "#dba93f", "#f6ead0"),
)
WELL = 0.78  # radius of a bowl's opening, in parts of its own


@cache
def plate(number: int) -> Image.Image:
    """Plate number `number` of PLATES, seen from above, lit from the upper left: RGBA (SIDE, SIDE)."""
    name, rim, well = PLATES[number]
    r, slope = _radius_and_slope()
    if name == "wooden board":
        colour = np.asarray(surface(0, 1), np.float32) / 255 * (1 + 0.25 * slope * (r > 0.93))[..., None]
    else:
        ring = np.exp(-(((r - 0.66) / 0.045) ** 2)) * -0.16 + np.exp(-(((r - 0.97) / 0.03) ** 2)) * 0.22
        colour = mix(rgb(rim), rgb(well), (0.72 - r) / 0.06) * (1 + ring * slope + 0.05 * slope * r)[..., None]
        gloss = np.exp(-(((r - 0.82) / 0.05) ** 2)) * np.clip(slope, 0, 1) ** 6
        colour = colour + 0.35 * gloss[..., None]
    return _rgba(colour, (1 - r) * SIDE / 2.5)


@cache
def bowl(number: int) -> tuple[Image.Image, Image.Image]:
    """Bowl number `number` of BOWLS from above: the whole of it, and its rim alone, to lay over what is in it."""
    _, outside, inside = BOWLS[number]
    r, slope = _radius_and_slope()
    lip = np.exp(-(((r - (1 + WELL) / 2) / 0.09) ** 2))
    rim = rgb(outside) * (1 + 0.30 * slope * (r - (1 + WELL) / 2) / (1 - WELL) + 0.12 * lip)[..., None]
    rim = rim + (0.3 * np.exp(-(((r - 0.88) / 0.03) ** 2)) * np.clip(slope, 0, 1) ** 6)[..., None]
    wall = rgb(inside) * (0.86 - 0.30 * slope * (r / WELL) ** 3)[..., None]
    whole = np.where((r < WELL)[..., None], wall, rim)
    shade = 0.45 * np.clip((r - WELL + 0.10) / 0.10, 0, 1) * (r < WELL)  # the rim's shadow on the soup
    over = np.where((r < WELL)[..., None], 0.0, rim)
    alpha = np.where(r < WELL, shade, np.clip((1 - r) * SIDE / 2.5, 0, 1))
    return _rgba(whole, (1 - r) * SIDE / 2.5), _rgba(over, alpha)


def _radius_and_slope() -> tuple[np.ndarray, np.ndarray]:
    x, y = X * 2 - 1, Y * 2 - 1
    r = np.hypot(x, y) / 0.98
    return r, -(x + 1.3 * y) / np.maximum(r, 0.05) / 1.64  # 1 where the outward normal looks to the light


def _rgba(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    both = np.concatenate([colour, np.clip(alpha, 0, 1)[..., None]], -1)
    return Image.fromarray((np.clip(both, 0, 1) * 255 + 0.5).astype(np.uint8), "RGBA")
