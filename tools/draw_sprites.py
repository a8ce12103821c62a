"""Our own pictograms, for the classes that the two emoji sets leave nearly empty (see data/sprites/README.md).

Each is drawn as soft clay: a shape's distance to its edge becomes a height, the height's slope a light.
`tools/build_sprites.py` calls `DRAWINGS[name]()` -> PIL RGBA picture; needs SciPy (development only).
"""

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

SIZE = 320  # drawn at this size, reduced to half at the end
Y, X = np.mgrid[0:SIZE, 0:SIZE] * (2 / (SIZE - 1)) - 1.0  # the square [-1, 1]^2, y downwards
LIGHT = np.array([-0.45, -0.62, 0.64])
PX = 2 / SIZE

WHITE, CREAM, GOLD, CRUST = (0.98, 0.97, 0.95), (0.97, 0.90, 0.75), (0.90, 0.60, 0.18), (0.80, 0.47, 0.12)
YOLK, LEAF, NOODLE = (1.0, 0.70, 0.10), (0.22, 0.58, 0.20), (0.98, 0.86, 0.55)


# -- shapes: float masks (SIZE, SIZE), 1 inside ----------------------------------------------------------------


def cover(distance: np.ndarray) -> np.ndarray:
    return np.clip(0.5 - distance / PX, 0, 1)  # one pixel of soft edge


def turned(cx: float, cy: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (X - cx) * c + (Y - cy) * s, (Y - cy) * c - (X - cx) * s


def ellipse(cx, cy, rx, ry, degrees=0.0):
    u, v = turned(cx, cy, degrees)
    return cover((np.hypot(u / rx, v / ry) - 1) * min(rx, ry))


def box(cx, cy, w, h, degrees=0.0, r=0.05):
    u, v = turned(cx, cy, degrees)
    du, dv = np.abs(u) - w + r, np.abs(v) - h + r
    return cover(np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0) - r)


def line(points, r):
    """A stroke of half width r through the points."""
    best = np.full_like(X, 9.0)
    for (ax, ay), (bx, by) in zip(points, points[1:], strict=False):
        dx, dy = bx - ax, by - ay
        t = np.clip(((X - ax) * dx + (Y - ay) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        np.minimum(best, np.hypot(X - ax - t * dx, Y - ay - t * dy), out=best)
    return cover(best - r)


def polygon(points, r=0.05):
    """Convex polygon (clockwise on the screen), corners rounded by r."""
    inside = np.full_like(X, -9.0)
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        n = np.hypot(bx - ax, by - ay)
        np.maximum(inside, ((X - ax) * (by - ay) - (Y - ay) * (bx - ax)) / n, out=inside)
    return np.clip(0.5 - (ndimage.gaussian_filter(inside, r / PX * 0.4) + r * 0.3) / PX, 0, 1)


def lathe(*profile):
    """Symmetric about x = 0; profile: (y, half width) pairs from the top down."""
    ys, widths = np.transpose(profile)
    width = ndimage.gaussian_filter1d(np.interp(Y[:, 0], ys, widths), 5)
    return cover(np.maximum(np.abs(X) - width[:, None], np.maximum(ys[0] - Y, Y - ys[-1])))


def blob(cx, cy, r, seed, wobble=0.15, squash=1.0):
    rng = np.random.default_rng(seed)
    angle = np.arctan2((Y - cy) / squash, X - cx)
    edge = r * (1 + sum(wobble / k * np.sin(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5)))
    return cover((np.hypot(X - cx, (Y - cy) / squash) - edge) * 0.8)


def noise(seed, cells):
    rough = np.random.default_rng(seed).normal(size=(cells + 3, cells + 3))
    return ndimage.zoom(rough, SIZE / (cells + 2), order=3)[:SIZE, :SIZE]


# -- paint -----------------------------------------------------------------------------------------------------


class Clay:
    """A transparent sheet (SIZE, SIZE, 4), premultiplied, on which lit shapes are laid."""

    def __init__(self) -> None:
        self.sheet = np.zeros((SIZE, SIZE, 4))

    def add(self, mask, colour, *, bevel=0.12, gloss=0.35, bump=0.0, seed=0, cells=26, drop=0.35, within=None, alpha=1.0):
        """Lay one shape. bevel: width of the rounded edge; bump: rough surface; drop: shadow it casts below."""
        if within is not None:
            mask = mask * within
        if drop:
            shade = ndimage.gaussian_filter(np.roll(mask, (7, 5), (0, 1)), 7) * drop * (1 - mask)
            self.sheet[..., :3] *= (1 - shade)[..., None]
        depth = ndimage.distance_transform_edt(mask > 0.5) * PX
        rise = 1 - np.clip(depth / bevel, 0, 1)
        height = bevel * np.sqrt(np.maximum(1 - rise**2, 0))
        if bump:
            height = height + bump * noise(seed, cells) * np.clip(depth / bevel, 0, 1)
        gy, gx = np.gradient(ndimage.gaussian_filter(height, 2.0 + 20 * bevel) / PX)
        normal = np.stack([-gx, -gy, np.ones_like(gx)], -1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        lit = np.clip(normal @ LIGHT, 0, 1)[..., None]
        shine = np.clip(normal @ (np.array([-0.28, -0.38, 0.88])), 0, 1)[..., None] ** 40
        colour = np.asarray(colour, float) * np.ones((SIZE, SIZE, 1))
        dark = colour * np.array([0.50, 0.40, 0.48])  # shadows lean to violet, as in the 3D set
        out = np.clip(dark + (colour - dark) * (0.25 + 1.17 * lit) + gloss * 0.55 * shine * (lit > 0), 0, 1)
        a = (mask * alpha)[..., None]
        self.sheet = self.sheet * (1 - a) + np.concatenate([out * a, a], -1)
        return mask

    def picture(self) -> Image.Image:
        a = self.sheet[..., 3:]
        rgb = np.divide(self.sheet[..., :3], a, out=np.zeros_like(self.sheet[..., :3]), where=a > 1e-4)
        full = Image.fromarray((np.concatenate([rgb, a], -1) * 255 + 0.5).clip(0, 255).astype(np.uint8), "RGBA")
        return full.resize((SIZE // 2, SIZE // 2), Image.Resampling.LANCZOS)


def bowl(c: Clay, colour, content, *, cy=-0.15, tilt=0.42, r=0.88, gloss=0.25, inside=None):
    """A bowl seen from an angle (tilt = height/width of its rim), filled with `content`; returns the surface."""
    body = cover(np.maximum(np.hypot(X / (r * 0.98), (Y - cy) / (0.55 + 0.45 * tilt)) - 1, cy - Y) * 0.5)
    c.add(box(0, cy + 0.52 + 0.40 * tilt, 0.38 * r, 0.10, r=0.05), np.array(colour) * 0.85, bevel=0.1)
    c.add(body, colour, bevel=0.45, gloss=0.5, drop=0)
    c.add(ellipse(0, cy, r, r * tilt), colour, bevel=0.05, drop=0)
    c.add(ellipse(0, cy, r * 0.90, r * 0.88 * tilt), np.array(inside or colour) * 0.72, bevel=0.02, drop=0, gloss=0)
    surface = ellipse(0, cy + 0.03, r * 0.84, r * 0.82 * tilt)
    if content is not None:
        c.add(surface, content, bevel=0.07, gloss=gloss, drop=0.2)
    return surface


def plate(c: Clay, colour=WHITE, *, cy=0.0, tilt=0.8, r=0.95):
    c.add(ellipse(0, cy, r, r * tilt), colour, bevel=0.06)
    c.add(ellipse(0, cy + 0.01, r * 0.72, r * 0.70 * tilt), np.array(colour) * 0.95, bevel=0.03, drop=0.1)


def leaf(c: Clay, cx, cy, degrees, size=0.2, within=None):
    c.add(ellipse(cx, cy, size, size * 0.48, degrees), LEAF, bevel=0.08, within=within)
    t = np.radians(degrees)
    ends = [(cx - size * 0.8 * np.cos(t), cy - size * 0.8 * np.sin(t)), (cx + size * 0.8 * np.cos(t), cy + size * 0.8 * np.sin(t))]
    c.add(line(ends, 0.012), (0.45, 0.75, 0.35), bevel=0.02, drop=0)


def strands(c: Clay, seed, colour, within, *, cy=0.0, squash=0.5, reach=0.6, count=26, r=0.032):
    """Noodles: arcs of circles of random size and centre, newest on top."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        a0, span, radius = rng.uniform(0, 6.3), rng.uniform(1.5, 4.0), rng.uniform(0.25, 1.0) * reach
        ox, oy = rng.uniform(-0.35, 0.35, 2) * reach
        t = np.linspace(a0, a0 + span, 22)
        path = np.stack([ox + radius * np.cos(t), cy + (oy + radius * np.sin(t)) * squash], -1)
        shade = np.array(colour) * rng.uniform(0.88, 1.04)
        c.add(line(path, r), np.minimum(shade, 1), bevel=r, gloss=0.25, drop=0.45, within=within)


def grains(c: Clay, seed, within, *, cy, rx, ry, count=170, colour=WHITE, extras=()):
    """Rice: many small capsules; extras: (colour, how many, radius) round bits among them."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        a, d = rng.uniform(0, 6.3), np.sqrt(rng.uniform(0, 1))
        x, y, t = rx * d * np.cos(a), cy + ry * d * np.sin(a), rng.uniform(0, 3.2)
        dx, dy = 0.05 * np.cos(t), 0.05 * np.sin(t)
        tone = np.minimum(np.array(colour) * rng.uniform(0.93, 1.03), 1)
        c.add(line([(x - dx, y - dy), (x + dx, y + dy)], 0.030), tone, bevel=0.03, gloss=0.2, drop=0.22, within=within)
        for tint, number, radius in extras:
            if k % max(count // number, 1) == 3:
                c.add(ellipse(x + 0.06, y, radius, radius), tint, bevel=radius, within=within)


# -- the drawings ----------------------------------------------------------------------------------------------


def yogurt(c: Clay):
    c.add(ellipse(0.30, -0.55, 0.52, 0.26, -24), (0.80, 0.84, 0.90), bevel=0.03, gloss=0.8)  # foil lid, peeled back
    c.add(polygon([(-0.70, -0.28), (0.70, -0.28), (0.50, 0.92), (-0.50, 0.92)]), WHITE, bevel=0.35)
    c.add(polygon([(-0.63, 0.10), (0.63, 0.10), (0.56, 0.55), (-0.56, 0.55)], 0.01), (0.36, 0.62, 0.90), bevel=0.3, drop=0)
    c.add(ellipse(0, 0.32, 0.20, 0.20), (0.95, 0.97, 1.0), bevel=0.04, drop=0)
    c.add(ellipse(0, -0.28, 0.72, 0.26), (0.90, 0.92, 0.95), bevel=0.04)
    c.add(ellipse(0, -0.28, 0.64, 0.21), (0.99, 0.97, 0.93), bevel=0.08, drop=0)
    t = np.linspace(0, 10, 60)
    c.add(line(np.stack([(0.48 - 0.04 * t) * np.cos(t), -0.30 - 0.012 * t + (0.15 - 0.012 * t) * np.sin(t)], -1), 0.055), (1, 0.99, 0.96), bevel=0.06)


def milk_carton(c: Clay):
    blue = (0.20, 0.48, 0.85)
    c.add(box(0, -0.86, 0.42, 0.10, r=0.02), (0.88, 0.92, 0.97), bevel=0.04)
    c.add(polygon([(-0.42, -0.78), (0.42, -0.78), (0.56, -0.36), (-0.56, -0.36)], 0.02), blue, bevel=0.06)
    body = c.add(box(0, 0.30, 0.56, 0.68, r=0.04), WHITE, bevel=0.08)
    wave = cover(0.50 + 0.07 * np.sin(7 * X) - Y)
    c.add(wave, blue, bevel=0.05, drop=0, within=body)
    taper = np.clip((Y + 0.22) / 0.36, 0, 1)  # a drop: a point above, a round belly below
    c.add(np.maximum(cover(np.abs(X) - 0.17 * taper**1.2) * (Y < 0.14) * (Y > -0.22), ellipse(0, 0.14, 0.17, 0.16)), blue, bevel=0.1, drop=0.1)
    c.add(ellipse(0.26, -0.56, 0.13, 0.10), (0.93, 0.28, 0.28), bevel=0.05)


def milk_bottle(c: Clay):
    shape = ((-0.90, 0.20), (-0.45, 0.20), (-0.05, 0.50), (0.86, 0.50), (0.96, 0.44))
    c.add(lathe(*shape), (0.76, 0.87, 0.95), bevel=0.10, gloss=0.8, alpha=0.92)
    milk = ((-0.38, 0.14), (-0.02, 0.43), (0.82, 0.43), (0.88, 0.38))
    c.add(lathe(*milk), WHITE, bevel=0.30, drop=0)
    c.add(ellipse(0, -0.38, 0.16, 0.035), (1, 1, 1), bevel=0.03, drop=0)
    c.add(box(0, -0.84, 0.27, 0.12, r=0.05), (0.25, 0.50, 0.88), bevel=0.1)
    c.add(line([(-0.31, 0.10), (-0.31, 0.55)], 0.03), (1, 1, 1), bevel=0.05, drop=0, alpha=0.9)
    c.add(polygon([(-0.43, 0.30), (0.43, 0.30), (0.43, 0.62), (-0.43, 0.62)], 0.01), (0.40, 0.66, 0.93), bevel=0.25, drop=0)
    c.add(ellipse(0, 0.46, 0.11, 0.11), WHITE, bevel=0.05, drop=0)


def camembert(c: Clay):
    rind, cream = (0.96, 0.94, 0.90), (0.99, 0.89, 0.58)
    face = box(0, 0.36, 0.92, 0.34, r=0.16)  # half a wheel: the cut face, the flat white top behind it
    top = ellipse(0, 0.10, 0.92, 0.72) * (Y < 0.16)
    c.add(np.maximum(top, face), np.array(rind) * 0.95, bevel=0.10, bump=0.004, gloss=0.1)
    c.add(ellipse(0, 0.08, 0.86, 0.64) * (Y < 0.06), rind, bevel=0.08, bump=0.008, gloss=0.1, drop=0)
    c.add(box(0, 0.38, 0.86, 0.26, r=0.13), cream, bevel=0.07, gloss=0.2, drop=0)
    for x, y, r in ((-0.5, 0.40, 0.05), (-0.1, 0.30, 0.035), (0.22, 0.46, 0.06), (0.60, 0.34, 0.04), (-0.28, 0.52, 0.03)):
        c.add(ellipse(x, y, r, r * 0.8), np.array(cream) * 0.86, bevel=0.02, drop=0, gloss=0)


def fried_egg(c: Clay):
    white = c.add(blob(0, 0, 0.85, 11, 0.13), (0.99, 0.98, 0.96), bevel=0.16, gloss=0.5)
    brown = np.clip(noise(3, 14) - 0.2, 0, 1) * ndimage.gaussian_filter(1 - white, 9) * white
    c.add(brown * 0.9, (0.80, 0.52, 0.22), bevel=0.02, drop=0, gloss=0)
    c.add(ellipse(0.06, 0.02, 0.38, 0.37), YOLK, bevel=0.34, gloss=0.9)


def boiled_egg(c: Clay):
    for cx, cy, turn in ((-0.36, -0.28, -25), (0.34, 0.30, 15)):
        c.add(ellipse(cx, cy, 0.50, 0.62, turn), (0.97, 0.96, 0.94), bevel=0.22)
        c.add(ellipse(cx, cy, 0.43, 0.55, turn), WHITE, bevel=0.05, drop=0)
        c.add(ellipse(cx, cy + 0.06, 0.27, 0.28), (1.0, 0.74, 0.18), bevel=0.12, gloss=0.5, drop=0.15)


def egg_in_cup(c: Clay):
    cup = (0.30, 0.58, 0.86)
    c.add(ellipse(0, 0.84, 0.46, 0.13), cup, bevel=0.08)
    c.add(lathe((0.45, 0.13), (0.62, 0.11), (0.84, 0.24)), cup, bevel=0.12, drop=0)
    c.add(ellipse(0, -0.18, 0.52, 0.72) * (Y < 0.3), (0.97, 0.80, 0.63), bevel=0.48, gloss=0.6)
    c.add(ellipse(0, 0.12, 0.62, 0.46) * cover(0.12 - Y + 0.06 * (X / 0.6) ** 2 - 0.06), cup, bevel=0.28, gloss=0.6, drop=0.5)


def omelette(c: Clay):
    plate(c, (0.93, 0.95, 0.98), tilt=0.72, r=0.98)
    half = ellipse(0, 0.22, 0.74, 0.66) * cover(Y - 0.24 - 0.06 * np.sin(4 * X))
    c.add(ellipse(0.02, 0.16, 0.72, 0.20), (0.95, 0.72, 0.22), bevel=0.1)
    toast = np.clip(noise(8, 9) * 0.5, 0, 1)[..., None]
    c.add(half, np.array([1.0, 0.80, 0.22]) * (1 - toast) + np.array([0.86, 0.52, 0.14]) * toast, bevel=0.22, bump=0.012)
    rng = np.random.default_rng(5)
    for _ in range(11):
        x, y, t = rng.uniform(-0.45, 0.45), rng.uniform(-0.25, 0.12), rng.uniform(0, 3)
        c.add(line([(x, y), (x + 0.07 * np.cos(t), y + 0.07 * np.sin(t))], 0.024), (0.30, 0.62, 0.22), bevel=0.03)


def onion_rings(c: Clay):
    for k, (cx, cy, r) in enumerate(((-0.34, -0.38, 0.52), (0.38, -0.22, 0.48), (-0.06, 0.38, 0.54))):
        d = np.hypot(X - cx, (Y - cy) / 0.88) + 0.020 * noise(k, 18)
        ring = cover(np.abs(d - r * 0.74) - r * 0.27)
        c.add(ring, np.array(GOLD) * (1 + 0.06 * noise(k + 9, 30))[..., None], bevel=0.14, bump=0.014, seed=k)


def spring_rolls(c: Clay):
    for k, (y, x) in enumerate(((-0.48, -0.05), (0.02, 0.08), (0.54, -0.04))):
        tone = np.array((0.88, 0.58, 0.20)) * (1 + 0.05 * noise(k + 3, 30))[..., None]
        c.add(line([(-0.66 + x, y + 0.12), (0.62 + x, y - 0.10)], 0.23), tone, bevel=0.22, bump=0.007, seed=k)
        c.add(ellipse(0.70 + x, y - 0.11, 0.10, 0.19, -8), (0.74, 0.42, 0.12), bevel=0.04, drop=0)
        for s in (0.05, 0.0):
            c.add(ellipse(0.70 + x, y - 0.11, 0.03 + s, 0.08 + s * 1.4, -8), (0.95, 0.80, 0.45) if s else (0.45, 0.60, 0.2), bevel=0.03, drop=0)
        c.add(line([(-0.25 + x, y - 0.13), (-0.05 + x, y + 0.22)], 0.012), CRUST, bevel=0.02, drop=0)


def nuggets(c: Clay):
    for k, (cx, cy, r) in enumerate(((-0.38, -0.40, 0.46), (0.44, -0.22, 0.44), (-0.10, 0.46, 0.48))):
        tone = np.array((0.86, 0.55, 0.18)) * (1 + 0.10 * noise(k + 5, 40))[..., None]
        c.add(blob(cx, cy, r, k + 20, 0.13, 0.86), tone, bevel=0.26, bump=0.022, seed=k + 1, cells=34, gloss=0.15)


def samosa(c: Clay):
    for k, points in enumerate(([(-0.32, -1.00), (0.36, 0.18), (-1.05, 0.28)], [(0.30, -0.46), (1.02, 0.92), (-0.54, 0.96)])):
        tone = np.array((0.87, 0.60, 0.26)) * (1 + 0.06 * noise(k + 15, 24))[..., None]
        body = c.add(polygon(points, 0.12), tone, bevel=0.26, bump=0.009, seed=k)
        (ax, ay), (bx, by), (dx, dy) = points
        seam = [(0.35 * dx + 0.65 * ax, 0.35 * dy + 0.65 * ay), (0.55 * bx + 0.45 * dx, 0.55 * by + 0.45 * dy)]
        c.add(line(seam, 0.035), (0.93, 0.70, 0.36), bevel=0.04, drop=0.4, within=body)


def sausages(c: Clay):
    for k, cy in enumerate((-0.42, 0.12, 0.60)):
        t = np.linspace(-0.68, 0.68, 20)
        path = np.stack([t, cy + 0.22 * t**2 - 0.08 + 0.05 * k * t], -1)
        c.add(line([(-0.86, path[0, 1] - 0.06), (0.86, path[-1, 1] - 0.06)], 0.03) * (np.abs(X) > 0.6), (0.55, 0.25, 0.12), bevel=0.03)
        body = c.add(line(path, 0.21), (0.74, 0.30, 0.17), bevel=0.2, gloss=0.7)
        for x in (-0.45, -0.15, 0.15, 0.45):
            y = cy + 0.22 * x**2 - 0.08
            c.add(line([(x - 0.07, y + 0.12), (x + 0.07, y - 0.13)], 0.028), (0.33, 0.12, 0.07), bevel=0.03, drop=0, within=body)


def kebab(c: Clay):
    c.add(line([(-0.92, 0.92), (0.92, -0.92)], 0.035), (0.85, 0.68, 0.42), bevel=0.04)
    for k, s in enumerate((-0.58, -0.20, 0.18, 0.56)):
        tone = np.array((0.56, 0.27, 0.14)) * (1 + 0.14 * noise(k, 12))[..., None]
        c.add(box(s, -s, 0.27, 0.31, 45 + 6 * (-1) ** k, r=0.12), tone, bevel=0.16, bump=0.016, seed=k)
        for o in (-0.10, 0.06):
            c.add(line([(s - 0.16 + o, -s - 0.02 + o), (s + 0.06 + o, -s + 0.20 + o)], 0.026), (0.24, 0.10, 0.06), bevel=0.03, drop=0)


def udon(c: Clay):
    inside = bowl(c, (0.18, 0.24, 0.42), (0.80, 0.58, 0.30), tilt=0.62, cy=-0.20, inside=(0.9, 0.9, 0.9))
    strands(c, 2, (0.99, 0.95, 0.84), inside, cy=-0.17, squash=0.58, reach=0.72, count=34, r=0.048)
    rng = np.random.default_rng(3)
    for _ in range(9):
        x, y = rng.uniform(-0.28, 0.42), rng.uniform(-0.38, 0.02)
        ring = cover(np.abs(np.hypot(X - x, (Y - y) / 0.8) - 0.055) - 0.024)
        c.add(ring, (0.45, 0.74, 0.28), bevel=0.02)


def spaghetti_nest(c: Clay):
    plate(c, (0.45, 0.66, 0.80), tilt=0.92, r=0.97)
    nest = ellipse(0, 0, 0.74, 0.68)
    c.add(ellipse(0, 0.02, 0.66, 0.58), np.array(NOODLE) * 0.8, bevel=0.2)
    strands(c, 7, NOODLE, nest, squash=0.9, reach=0.60, count=46, r=0.030)
    c.add(blob(0.0, -0.04, 0.34, 6, 0.14, 0.85), (0.80, 0.16, 0.08), bevel=0.18, bump=0.014, gloss=0.7)
    leaf(c, -0.10, -0.14, -30, 0.17)
    leaf(c, 0.12, -0.10, 40, 0.16)


def penne(c: Clay):
    rng = np.random.default_rng(12)
    places = [(-0.48, -0.52, 30), (0.42, -0.55, -40), (-0.55, 0.18, -55), (0.55, 0.20, 50), (-0.05, -0.12, 8), (0.02, 0.58, -14)]
    for cx, cy, turn in places:
        a = np.radians(turn)
        dx, dy, tone = 0.41 * np.cos(a), 0.41 * np.sin(a), np.array((0.97, 0.80, 0.42)) * rng.uniform(0.94, 1.03)
        u, v = turned(cx, cy, turn)
        tube = cover(np.maximum(np.abs(v) - 0.17, np.abs(u + 0.6 * v) - 0.42))  # cut aslant
        c.add(tube, np.minimum(tone, 1), bevel=0.16)
        for o in (-0.09, 0.0, 0.09):
            c.add(tube * cover(np.abs(v - o) - 0.010), tone * 0.86, bevel=0.02, drop=0, gloss=0)
        c.add(ellipse(cx + dx, cy + dy, 0.195, 0.085, turn + 121), tone * 0.95, bevel=0.03, drop=0)
        c.add(ellipse(cx + dx, cy + dy, 0.14, 0.055, turn + 121), tone * 0.55, bevel=0.03, drop=0, gloss=0)


def farfalle(c: Clay):
    for cx, cy, turn, tone in ((-0.36, -0.46, -18, (1.0, 0.84, 0.46)), (0.38, 0.02, 24, (0.98, 0.80, 0.40)), (-0.32, 0.54, -6, (1.0, 0.86, 0.50))):
        u, v = turned(cx, cy, turn)
        waist = 0.13 + 0.34 * np.abs(u / 0.52) ** 0.8
        zigzag = 0.50 + 0.035 * (2 * np.abs((v / 0.13) % 1 - 0.5))
        c.add(cover(np.maximum(np.abs(v) - waist, np.abs(u) - zigzag) * 0.9), tone, bevel=0.12, gloss=0.25)
        for o in (-0.09, 0.0, 0.09):
            fold = cover(np.abs(v - o * (0.5 + 1.4 * np.abs(u))) - 0.016) * (np.abs(u) < 0.30)
            c.add(fold, np.array(tone) * 0.84, bevel=0.02, drop=0, gloss=0)
        c.add(ellipse(cx, cy, 0.09, 0.14, turn), np.array(tone) * 0.97, bevel=0.09, drop=0.25)


def fried_rice(c: Clay):
    inside = bowl(c, (0.85, 0.22, 0.18), (0.85, 0.66, 0.36), tilt=0.50, cy=-0.05, inside=(0.95, 0.9, 0.85))
    mound = np.maximum(ellipse(0, -0.12, 0.68, 0.42), inside * 0)
    c.add(mound, (0.86, 0.68, 0.38), bevel=0.3)
    extras = (((0.35, 0.70, 0.22), 9, 0.062), ((0.95, 0.50, 0.12), 8, 0.056), ((1.0, 0.84, 0.25), 6, 0.066))
    grains(c, 5, mound, cy=-0.14, rx=0.66, ry=0.38, colour=(0.95, 0.80, 0.50), extras=extras)


def rice_from_above(c: Clay):
    inside = bowl(c, (0.20, 0.22, 0.26), (0.93, 0.92, 0.90), tilt=0.92, cy=-0.04, r=0.94)
    grains(c, 9, inside, cy=0, rx=0.76, ry=0.70, count=230)
    rng = np.random.default_rng(4)
    for _ in range(26):
        x, y, t = rng.normal(0, 0.26), rng.normal(0, 0.24), rng.uniform(0, 180)
        c.add(ellipse(x, y, 0.035, 0.018, t), (0.12, 0.10, 0.10), bevel=0.02, drop=0.2, within=inside)


def rice_dome(c: Clay):
    plate(c, (0.30, 0.50, 0.62), cy=0.46, tilt=0.40, r=0.97)
    dome = np.maximum(ellipse(0, 0.34, 0.62, 0.86) * (Y < 0.40), ellipse(0, 0.40, 0.62, 0.20))
    c.add(dome, (0.95, 0.94, 0.91), bevel=0.5)
    grains(c, 3, dome, cy=0.02, rx=0.62, ry=0.56, count=190)
    leaf(c, -0.06, -0.42, -25, 0.15)
    leaf(c, 0.14, -0.40, 30, 0.13)


def rice_and_peas(c: Clay):
    plate(c, (0.97, 0.93, 0.86), tilt=0.86, r=0.97)
    heap = blob(0, 0, 0.66, 17, 0.07, 0.88)
    c.add(heap, (0.93, 0.91, 0.84), bevel=0.3)
    grains(c, 21, heap, cy=0, rx=0.66, ry=0.58, count=200, extras=(((0.36, 0.68, 0.20), 22, 0.068),))


def soup(c: Clay, bowl_colour, liquid, *, tilt=0.62, inside=None):
    cy = -0.22 + 0.10 * tilt
    tone = np.array(liquid) * (1 + 0.03 * noise(1, 7))[..., None]
    return bowl(c, bowl_colour, tone, tilt=tilt, cy=cy, gloss=0.6, inside=inside), cy + 0.03


def tomato_soup(c: Clay):
    inside, cy = soup(c, WHITE, (0.86, 0.20, 0.08))
    t = np.linspace(0.6, 9.5, 70)
    swirl = np.stack([0.052 * t * np.cos(t), cy + 0.030 * t * np.sin(t)], -1)
    c.add(line(swirl, 0.028), (0.99, 0.93, 0.86), bevel=0.04, drop=0.1, within=inside)
    leaf(c, -0.08, cy - 0.06, -30, 0.18)
    leaf(c, 0.14, cy - 0.02, 35, 0.16)


def pumpkin_soup(c: Clay):
    inside, cy = soup(c, (0.24, 0.28, 0.32), (0.97, 0.58, 0.08), tilt=0.85)
    for k in range(5):
        c.add(ellipse(-0.40 + 0.2 * k, cy + 0.22 * np.sin(2.2 * k) + 0.05, 0.11, 0.07, 40 * k), (1.0, 0.93, 0.78), bevel=0.05, drop=0.1, within=inside)
    for k in range(7):
        c.add(ellipse(0.33 * np.cos(k * 0.9), cy - 0.05 + 0.26 * np.sin(k * 0.9), 0.075, 0.040, 70 * k), (0.42, 0.55, 0.20), bevel=0.04)


def pea_soup(c: Clay):
    _, cy = soup(c, (0.95, 0.90, 0.80), (0.50, 0.68, 0.16), tilt=0.66)
    for x, y, t in ((-0.30, -0.10, 15), (0.02, 0.10, 50), (0.30, -0.12, 30), (-0.10, -0.20, 70), (0.38, 0.14, 5), (-0.40, 0.16, 35)):
        c.add(box(x, cy + y, 0.10, 0.085, t, r=0.025), (0.88, 0.62, 0.28), bevel=0.06, bump=0.008)


def miso_soup(c: Clay):
    inside, cy = soup(c, (0.62, 0.10, 0.08), (0.74, 0.50, 0.22), tilt=0.58, inside=(0.15, 0.12, 0.12))
    c.add(np.clip(noise(5, 6) - 0.3, 0, 1) * 0.6, (0.88, 0.68, 0.38), bevel=0.05, drop=0, within=inside, gloss=0)
    for x, y, t in ((-0.32, -0.06, 12), (0.06, 0.12, 40), (0.34, -0.08, 25), (-0.06, -0.20, 60)):
        c.add(box(x, cy + y, 0.13, 0.10, t, r=0.03), (0.99, 0.96, 0.88), bevel=0.06)
    for x, y in ((-0.14, 0.06), (0.22, 0.16), (0.18, -0.20), (-0.42, 0.14), (0.50, 0.06), (-0.28, -0.24)):
        c.add(cover(np.abs(np.hypot(X - x, (Y - cy - y) / 0.8) - 0.048) - 0.022), (0.36, 0.66, 0.24), bevel=0.02)


def borscht(c: Clay):
    _, cy = soup(c, (0.36, 0.58, 0.84), (0.66, 0.06, 0.24), tilt=0.72, inside=(0.95, 0.95, 0.97))
    c.add(blob(0.04, cy - 0.02, 0.25, 9, 0.12, 0.7), (1.0, 0.97, 0.96), bevel=0.14)
    rng = np.random.default_rng(8)
    for _ in range(16):
        x, y, t = rng.uniform(-0.5, 0.5), cy + rng.uniform(-0.28, 0.28), rng.uniform(0, 3.1)
        c.add(line([(x, y), (x + 0.09 * np.cos(t), y + 0.06 * np.sin(t))], 0.015), (0.30, 0.62, 0.20), bevel=0.02, drop=0.2)


def mushroom_soup(c: Clay):
    _, cy = soup(c, (0.55, 0.34, 0.20), (0.86, 0.74, 0.55), tilt=0.60, inside=(0.92, 0.86, 0.76))
    for x, y, t in ((-0.28, -0.08, -20), (0.22, 0.06, 25), (0.10, -0.22, 70), (-0.12, 0.16, 10)):
        a = np.radians(t)
        c.add(line([(x, cy + y), (x - 0.13 * np.sin(a), cy + y + 0.13 * np.cos(a))], 0.042), (0.93, 0.86, 0.74), bevel=0.04)
        c.add(ellipse(x, cy + y, 0.14, 0.075, t), (0.62, 0.42, 0.26), bevel=0.06)
        c.add(ellipse(x, cy + y + 0.015, 0.10, 0.040, t), (0.93, 0.86, 0.74), bevel=0.04, drop=0)
    for x, y in ((0.42, -0.08), (-0.46, 0.08), (0.0, 0.02), (0.36, 0.20), (-0.02, -0.28)):
        c.add(ellipse(x, cy + y, 0.035, 0.022, 200 * x), LEAF, bevel=0.03)


def drawing(paint: Callable[[Clay], None]) -> Image.Image:
    clay = Clay()
    paint(clay)
    return clay.picture()


DRAWINGS = (yogurt, milk_carton, milk_bottle, camembert, fried_egg, boiled_egg, egg_in_cup, omelette, onion_rings,
            spring_rolls, nuggets, samosa, sausages, kebab, udon, spaghetti_nest, penne, farfalle, fried_rice,
            rice_from_above, rice_dome, rice_and_peas, tomato_soup, pumpkin_soup, pea_soup, miso_soup, borscht,
            mushroom_soup)
