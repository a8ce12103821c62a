"""Our own pictograms, for the classes that the two emoji sets leave nearly empty (see data/sprites/README.md).

`tools/build_sprites.py` calls `drawing(paint)` for each paint of DRAWINGS; needs SciPy (development only).
"""

from collections.abc import Callable

import numpy as np
from clay import (
    LEAF,
    WHITE,
    Clay,
    X,
    Y,
    blob,
    bowl,
    box,
    cover,
    ellipse,
    grains,
    lathe,
    leaf,
    line,
    noise,
    plate,
    polygon,
    strands,
    turned,
)  # fmt: skip
from PIL import Image
from scipy import ndimage

GOLD, CRUST, YOLK, NOODLE = (0.90, 0.60, 0.18), (0.80, 0.47, 0.12), (1.0, 0.70, 0.10), (0.98, 0.86, 0.55)


def yogurt(c: Clay):
    c.add(ellipse(0.30, -0.55, 0.52, 0.26, -24), (0.80, 0.84, 0.90), bevel=0.03, gloss=0.8)  # foil lid, peeled back
    c.add(polygon([(-0.70, -0.28), (0.70, -0.28), (0.50, 0.92), (-0.50, 0.92)]), WHITE, bevel=0.35)
    c.add(
        polygon([(-0.63, 0.10), (0.63, 0.10), (0.56, 0.55), (-0.56, 0.55)], 0.01), (0.36, 0.62, 0.90), bevel=0.3, drop=0
    )
    c.add(ellipse(0, 0.32, 0.20, 0.20), (0.95, 0.97, 1.0), bevel=0.04, drop=0)
    c.add(ellipse(0, -0.28, 0.72, 0.26), (0.90, 0.92, 0.95), bevel=0.04)
    c.add(ellipse(0, -0.28, 0.64, 0.21), (0.99, 0.97, 0.93), bevel=0.08, drop=0)
    t = np.linspace(0, 10, 60)
    c.add(
        line(np.stack([(0.48 - 0.04 * t) * np.cos(t), -0.30 - 0.012 * t + (0.15 - 0.012 * t) * np.sin(t)], -1), 0.055),
        (1, 0.99, 0.96),
        bevel=0.06,
    )


def milk_carton(c: Clay):
    blue = (0.20, 0.48, 0.85)
    c.add(box(0, -0.86, 0.42, 0.10, r=0.02), (0.88, 0.92, 0.97), bevel=0.04)
    c.add(polygon([(-0.42, -0.78), (0.42, -0.78), (0.56, -0.36), (-0.56, -0.36)], 0.02), blue, bevel=0.06)
    body = c.add(box(0, 0.30, 0.56, 0.68, r=0.04), WHITE, bevel=0.08)
    wave = cover(0.50 + 0.07 * np.sin(7 * X) - Y)
    c.add(wave, blue, bevel=0.05, drop=0, within=body)
    taper = np.clip((Y + 0.22) / 0.36, 0, 1)  # a drop: a point above, a round belly below
    c.add(
        np.maximum(cover(np.abs(X) - 0.17 * taper**1.2) * (Y < 0.14) * (Y > -0.22), ellipse(0, 0.14, 0.17, 0.16)),
        blue,
        bevel=0.1,
        drop=0.1,
    )
    c.add(ellipse(0.26, -0.56, 0.13, 0.10), (0.93, 0.28, 0.28), bevel=0.05)


def milk_bottle(c: Clay):
    shape = ((-0.90, 0.20), (-0.45, 0.20), (-0.05, 0.50), (0.86, 0.50), (0.96, 0.44))
    c.add(lathe(*shape), (0.76, 0.87, 0.95), bevel=0.10, gloss=0.8, alpha=0.92)
    milk = ((-0.38, 0.14), (-0.02, 0.43), (0.82, 0.43), (0.88, 0.38))
    c.add(lathe(*milk), WHITE, bevel=0.30, drop=0)
    c.add(ellipse(0, -0.38, 0.16, 0.035), (1, 1, 1), bevel=0.03, drop=0)
    c.add(box(0, -0.84, 0.27, 0.12, r=0.05), (0.25, 0.50, 0.88), bevel=0.1)
    c.add(line([(-0.31, 0.10), (-0.31, 0.55)], 0.03), (1, 1, 1), bevel=0.05, drop=0, alpha=0.9)
    c.add(
        polygon([(-0.43, 0.30), (0.43, 0.30), (0.43, 0.62), (-0.43, 0.62)], 0.01),
        (0.40, 0.66, 0.93),
        bevel=0.25,
        drop=0,
    )
    c.add(ellipse(0, 0.46, 0.11, 0.11), WHITE, bevel=0.05, drop=0)


def camembert(c: Clay):
    rind, cream = (0.96, 0.94, 0.90), (0.99, 0.89, 0.58)
    face = box(0, 0.36, 0.92, 0.34, r=0.16)  # half a wheel: the cut face, the flat white top behind it
    top = ellipse(0, 0.10, 0.92, 0.72) * (Y < 0.16)
    c.add(np.maximum(top, face), np.array(rind) * 0.95, bevel=0.10, bump=0.004, gloss=0.1)
    c.add(ellipse(0, 0.08, 0.86, 0.64) * (Y < 0.06), rind, bevel=0.08, bump=0.008, gloss=0.1, drop=0)
    c.add(box(0, 0.38, 0.86, 0.26, r=0.13), cream, bevel=0.07, gloss=0.2, drop=0)
    for x, y, r in (
        (-0.5, 0.40, 0.05),
        (-0.1, 0.30, 0.035),
        (0.22, 0.46, 0.06),
        (0.60, 0.34, 0.04),
        (-0.28, 0.52, 0.03),
    ):
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
    c.add(
        ellipse(0, 0.12, 0.62, 0.46) * cover(0.12 - Y + 0.06 * (X / 0.6) ** 2 - 0.06),
        cup,
        bevel=0.28,
        gloss=0.6,
        drop=0.5,
    )


def omelette(c: Clay):
    plate(c, (0.93, 0.95, 0.98), tilt=0.72, r=0.98)
    half = ellipse(0, 0.22, 0.74, 0.66) * cover(Y - 0.24 - 0.06 * np.sin(4 * X))
    c.add(ellipse(0.02, 0.16, 0.72, 0.20), (0.95, 0.72, 0.22), bevel=0.1)
    toast = np.clip(noise(8, 9) * 0.5, 0, 1)[..., None]
    c.add(
        half, np.array([1.0, 0.80, 0.22]) * (1 - toast) + np.array([0.86, 0.52, 0.14]) * toast, bevel=0.22, bump=0.012
    )
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
            c.add(
                ellipse(0.70 + x, y - 0.11, 0.03 + s, 0.08 + s * 1.4, -8),
                (0.95, 0.80, 0.45) if s else (0.45, 0.60, 0.2),
                bevel=0.03,
                drop=0,
            )
        c.add(line([(-0.25 + x, y - 0.13), (-0.05 + x, y + 0.22)], 0.012), CRUST, bevel=0.02, drop=0)


def nuggets(c: Clay):
    for k, (cx, cy, r) in enumerate(((-0.38, -0.40, 0.46), (0.44, -0.22, 0.44), (-0.10, 0.46, 0.48))):
        tone = np.array((0.86, 0.55, 0.18)) * (1 + 0.10 * noise(k + 5, 40))[..., None]
        c.add(blob(cx, cy, r, k + 20, 0.13, 0.86), tone, bevel=0.26, bump=0.022, seed=k + 1, cells=34, gloss=0.15)


def samosa(c: Clay):
    for k, points in enumerate(
        ([(-0.32, -1.00), (0.36, 0.18), (-1.05, 0.28)], [(0.30, -0.46), (1.02, 0.92), (-0.54, 0.96)])
    ):
        tone = np.array((0.87, 0.60, 0.26)) * (1 + 0.06 * noise(k + 15, 24))[..., None]
        body = c.add(polygon(points, 0.12), tone, bevel=0.26, bump=0.009, seed=k)
        (ax, ay), (bx, by), (dx, dy) = points
        seam = [(0.35 * dx + 0.65 * ax, 0.35 * dy + 0.65 * ay), (0.55 * bx + 0.45 * dx, 0.55 * by + 0.45 * dy)]
        c.add(line(seam, 0.035), (0.93, 0.70, 0.36), bevel=0.04, drop=0.4, within=body)


def sausages(c: Clay):
    for k, cy in enumerate((-0.42, 0.12, 0.60)):
        t = np.linspace(-0.68, 0.68, 20)
        path = np.stack([t, cy + 0.22 * t**2 - 0.08 + 0.05 * k * t], -1)
        c.add(
            line([(-0.86, path[0, 1] - 0.06), (0.86, path[-1, 1] - 0.06)], 0.03) * (np.abs(X) > 0.6),
            (0.55, 0.25, 0.12),
            bevel=0.03,
        )
        body = c.add(line(path, 0.21), (0.74, 0.30, 0.17), bevel=0.2, gloss=0.7)
        for x in (-0.45, -0.15, 0.15, 0.45):
            y = cy + 0.22 * x**2 - 0.08
            c.add(
                line([(x - 0.07, y + 0.12), (x + 0.07, y - 0.13)], 0.028),
                (0.33, 0.12, 0.07),
                bevel=0.03,
                drop=0,
                within=body,
            )


def kebab(c: Clay):
    c.add(line([(-0.92, 0.92), (0.92, -0.92)], 0.035), (0.85, 0.68, 0.42), bevel=0.04)
    for k, s in enumerate((-0.58, -0.20, 0.18, 0.56)):
        tone = np.array((0.56, 0.27, 0.14)) * (1 + 0.14 * noise(k, 12))[..., None]
        c.add(box(s, -s, 0.27, 0.31, 45 + 6 * (-1) ** k, r=0.12), tone, bevel=0.16, bump=0.016, seed=k)
        for o in (-0.10, 0.06):
            c.add(
                line([(s - 0.16 + o, -s - 0.02 + o), (s + 0.06 + o, -s + 0.20 + o)], 0.026),
                (0.24, 0.10, 0.06),
                bevel=0.03,
                drop=0,
            )


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
    places = [
        (-0.48, -0.52, 30),
        (0.42, -0.55, -40),
        (-0.55, 0.18, -55),
        (0.55, 0.20, 50),
        (-0.05, -0.12, 8),
        (0.02, 0.58, -14),
    ]
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
    for cx, cy, turn, tone in (
        (-0.36, -0.46, -18, (1.0, 0.84, 0.46)),
        (0.38, 0.02, 24, (0.98, 0.80, 0.40)),
        (-0.32, 0.54, -6, (1.0, 0.86, 0.50)),
    ):
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
        c.add(
            ellipse(-0.40 + 0.2 * k, cy + 0.22 * np.sin(2.2 * k) + 0.05, 0.11, 0.07, 40 * k),
            (1.0, 0.93, 0.78),
            bevel=0.05,
            drop=0.1,
            within=inside,
        )
    for k in range(7):
        c.add(
            ellipse(0.33 * np.cos(k * 0.9), cy - 0.05 + 0.26 * np.sin(k * 0.9), 0.075, 0.040, 70 * k),
            (0.42, 0.55, 0.20),
            bevel=0.04,
        )


def pea_soup(c: Clay):
    _, cy = soup(c, (0.95, 0.90, 0.80), (0.50, 0.68, 0.16), tilt=0.66)
    for x, y, t in (
        (-0.30, -0.10, 15),
        (0.02, 0.10, 50),
        (0.30, -0.12, 30),
        (-0.10, -0.20, 70),
        (0.38, 0.14, 5),
        (-0.40, 0.16, 35),
    ):
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
        c.add(
            line([(x, y), (x + 0.09 * np.cos(t), y + 0.06 * np.sin(t))], 0.015),
            (0.30, 0.62, 0.20),
            bevel=0.02,
            drop=0.2,
        )


def mushroom_soup(c: Clay):
    _, cy = soup(c, (0.55, 0.34, 0.20), (0.86, 0.74, 0.55), tilt=0.60, inside=(0.92, 0.86, 0.76))
    for x, y, t in ((-0.28, -0.08, -20), (0.22, 0.06, 25), (0.10, -0.22, 70), (-0.12, 0.16, 10)):
        a = np.radians(t)
        c.add(
            line([(x, cy + y), (x - 0.13 * np.sin(a), cy + y + 0.13 * np.cos(a))], 0.042),
            (0.93, 0.86, 0.74),
            bevel=0.04,
        )
        c.add(ellipse(x, cy + y, 0.14, 0.075, t), (0.62, 0.42, 0.26), bevel=0.06)
        c.add(ellipse(x, cy + y + 0.015, 0.10, 0.040, t), (0.93, 0.86, 0.74), bevel=0.04, drop=0)
    for x, y in ((0.42, -0.08), (-0.46, 0.08), (0.0, 0.02), (0.36, 0.20), (-0.02, -0.28)):
        c.add(ellipse(x, cy + y, 0.035, 0.022, 200 * x), LEAF, bevel=0.03)


def drawing(paint: Callable[[Clay], None]) -> Image.Image:
    clay = Clay()
    paint(clay)
    return clay.picture()


DRAWINGS = (
    yogurt,
    milk_carton,
    milk_bottle,
    camembert,
    fried_egg,
    boiled_egg,
    egg_in_cup,
    omelette,
    onion_rings,
    spring_rolls,
    nuggets,
    samosa,
    sausages,
    kebab,
    udon,
    spaghetti_nest,
    penne,
    farfalle,
    fried_rice,
    rice_from_above,
    rice_dome,
    rice_and_peas,
    tomato_soup,
    pumpkin_soup,
    pea_soup,
    miso_soup,
    borscht,
    mushroom_soup,
)
