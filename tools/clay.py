"""Soft clay, the toolkit of `draw_sprites.py`: a shape's distance to its edge becomes a height, its slope a light.

Colours are (red, green, blue) in [0, 1], lengths are parts of half the sheet's side, y points down.
"""

from itertools import pairwise

import numpy as np
from PIL import Image
from scipy import ndimage

SIZE = 320  # drawn at this size, reduced to half at the end
Y, X = np.mgrid[0:SIZE, 0:SIZE] * (2 / (SIZE - 1)) - 1.0  # the square [-1, 1]^2, y downwards
LIGHT = np.array([-0.45, -0.62, 0.64])
PX = 2 / SIZE

WHITE, LEAF = (0.98, 0.97, 0.95), (0.22, 0.58, 0.20)


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
    for (ax, ay), (bx, by) in pairwise(points):
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

    def add(
        self, mask, colour, *, bevel=0.12, gloss=0.35, bump=0.0, seed=0, cells=26, drop=0.35, within=None, alpha=1.0
    ):
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
    ends = [
        (cx - size * 0.8 * np.cos(t), cy - size * 0.8 * np.sin(t)),
        (cx + size * 0.8 * np.cos(t), cy + size * 0.8 * np.sin(t)),
    ]
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
