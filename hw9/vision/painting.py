"""Lay a scene's food on its table and photograph it: the picture, and which pixel shows which object."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageFilter
from skimage.color import rgb2lab

from hw9.vision import surfaces
from hw9.vision.placing import Layer, place
from hw9.vision.scenes import PHOTOGRAPHED, Scene, Sprite

HIDDEN_AT_MOST = 0.2  # share of the food that things in front of it may cover
STANDS_OUT = 25.0  # CIELAB distance from which a food is told from what it lies on
DISH = -1  # "class" of plates and bowls


@dataclass
class Still:
    """A scene with its food, laid out: `layers` from the table up, and for each object its name and class or None.

    `food` (size, size) is True where food of the labelled class is visible, `visible` (objects, size, size) where each
    object is.
    """

    scene: Scene
    table: Image.Image
    layers: list[Layer]
    names: list[str]
    labels: list[int | None]
    size: int

    @property
    def visible(self) -> np.ndarray:
        shown = np.zeros((len(self.names), self.size, self.size), bool)
        covered = np.zeros((self.size, self.size), bool)
        for layer in reversed(self.layers):
            shown[layer.object] |= layer.solid & ~covered
            covered |= layer.solid
        return shown

    @property
    def food(self) -> np.ndarray:
        return self.visible[: len(self.scene.foods)].any(0)

    def paint(self, *, without: int | None = None) -> np.ndarray:
        """The picture, uint8 (size, size, 3); as if object number `without` had never lain there."""
        canvas = ground(self.scene, self.table, self.size)
        angle, slope, vignette, depth = self.scene.light
        for layer in self.layers:
            if layer.object != without:
                layer.paint(canvas, angle, depth)
        y, x = np.mgrid[0 : self.size, 0 : self.size].astype(np.float32) / (self.size - 1) - 0.5
        shade = 1 + slope * (x * np.cos(angle) + y * np.sin(angle)) - vignette * 2 * (x * x + y * y)
        canvas *= shade.astype(np.float32)[..., None]
        return develop(canvas, self.scene)

    def words(self) -> str:
        """For example "2 x shrimp, fork and knife, on white plate and wood"; things hardly seen are left out."""
        visible = self.visible
        seen = visible.reshape(len(visible), -1).sum(1) > 0.02 * self.size**2
        dishes = [n for n, of in zip(self.names, self.labels, strict=True) if of == DISH]
        others = [n for n, of, there in zip(self.names, self.labels, seen, strict=True) if of != DISH and there]
        counted = [name if n == 1 else f"{n} x {name}" for name, n in Counter(others).items()]
        return f"{', '.join(counted)}, on {' and '.join([*dict.fromkeys(dishes), self.ground_name])}"

    @property
    def ground_name(self) -> str:
        kind, _ = self.scene.ground
        return "a table" if kind == PHOTOGRAPHED else surfaces.NAMES[surfaces.SURFACES[kind]]


def lay(
    scene: Scene, foods: Sequence[Sprite], side: Sprite | None, things: Sequence[Sprite], table: Image.Image, size: int
) -> Still:
    """Lay out a scene: `foods` has one sprite per spot, `things` one per distractor, `side` the food of another class.

    Objects are numbered: the foods first, then the side, the things, and the dishes.
    """
    placed = [place(sprite, spot, size, keep_inside=True) for sprite, spot in zip(foods, scene.foods, strict=True)]
    food = np.logical_or.reduce([layer.solid for layer in placed])  # (size, size)
    names, labels = [sprite.name for sprite in foods], [sprite.label for sprite in foods]
    for number, layer in enumerate(placed):
        layer.object = number

    def number_of(name: str, label: int | None) -> int:
        names.append(name)
        labels.append(label)
        return len(names) - 1

    behind, front, covered = [], [], np.zeros_like(food)
    around = [place(sprite, spot, size) for sprite, (_, spot, _) in zip(things, scene.things, strict=True)]
    may_hide = [in_front for *_, in_front in scene.things]
    if side is not None and scene.side is not None:
        around.insert(0, place(side, scene.side, size, keep_inside=True))
        may_hide.insert(0, True)
    for layer, in_front in zip(around, may_hide, strict=True):
        layer.object = number_of(layer.sprite.name, layer.sprite.label)
        if in_front and (food & (covered | layer.solid)).sum() <= HIDDEN_AT_MOST * food.sum():
            covered |= layer.solid
            front.append(layer)
        else:
            behind.append(layer)

    below = _dish(scene, foods, table, size, number_of)
    for layer, sprite in zip(placed.copy(), foods, strict=True):
        if sprite.bowl:
            whole, rim = _own_bowl(scene, layer, size)
            whole.object = rim.object = number_of(whole.sprite.name, DISH)
            layer.shadow = 0.0  # a soup lies inside
            at = placed.index(layer)
            placed[at : at + 1] = [whole, layer, rim]
    return Still(scene, table, [*below, *behind, *placed, *front], names, labels, size)


def _dish(scene: Scene, foods: Sequence[Sprite], table: Image.Image, size: int, number_of: Callable) -> list[Layer]:
    """The plate or bowl below everything: as the scene has it, or a plate where the food would be lost on the table."""
    lab = foods[0].lab
    kind, order = scene.serve, scene.bowls if scene.serve == "bowl" else scene.plates
    if all(sprite.bowl for sprite in foods):
        if kind != "plate":
            return []
    elif not kind:
        left, top, part, _ = scene.crop
        box = [round(edge * table.width) for edge in (left, top, left + part, top + part)]
        bare = np.asarray(table.crop(box).resize((1, 1), Image.Resampling.BOX), np.float64)[0, 0] / 255
        if np.linalg.norm(rgb2lab(bare) - lab) >= STANDS_OUT:
            return []
    sprites = [(_bowl(k)[0] if kind == "bowl" else _plate(k)) for k in order]
    apart = [float(np.linalg.norm(_well(kind, k) - lab)) for k in order]
    chosen = next((k for k, far in enumerate(apart) if far >= STANDS_OUT), int(np.argmax(apart)))
    layer = place(sprites[chosen], scene.dish_spot, size)
    layer.object = number_of(sprites[chosen].name, DISH)
    return [layer]


def _own_bowl(scene: Scene, soup: Layer, size: int) -> tuple[Layer, Layer]:
    """A bowl whose opening is as wide and high as the soup in it: all of it, and its rim."""
    apart = [float(np.linalg.norm(_bowl(k)[0].lab - soup.sprite.lab)) for k in scene.bowls]
    chosen = scene.bowls[next((k for k, far in enumerate(apart) if far >= STANDS_OUT), int(np.argmax(apart)))]
    layers = []
    for sprite in _bowl(chosen):
        stretch = [
            0.96 * scale * inner / (surfaces.WELL * 0.98 * outer)
            for scale, inner, outer in zip(soup.scale, soup.sprite.content, sprite.content, strict=True)
        ]
        layers.append(Layer(sprite, soup.centre, stretch, soup.turn, False, size))
    layers[1].shadow = 0.0
    return layers[0], layers[1]


@cache
def _plate(number: int) -> Sprite:
    return Sprite.of(surfaces.PLATES[number][0], surfaces.plate(number))


@cache
def _bowl(number: int) -> tuple[Sprite, Sprite]:
    whole, rim = (Sprite.of(surfaces.BOWLS[number][0], picture) for picture in surfaces.bowl(number))
    return whole, rim


@cache
def _well(kind: str, number: int) -> np.ndarray:
    """Colour (3,) in CIELAB of what the food lies on."""
    if kind == "bowl":
        return rgb2lab(surfaces.rgb(surfaces.BOWLS[number][2]))
    well = surfaces.PLATES[number][2]
    return rgb2lab(surfaces.rgb(well)) if well else _plate(number).lab


def ground(scene: Scene, table: Image.Image, size: int) -> np.ndarray:
    """The bare table: float32 (size, size, 3)."""
    left, top, side, turns = scene.crop
    box = np.array((left, top, left + side, top + side)) * table.width
    shown = table.resize((size, size), Image.Resampling.BILINEAR, tuple(box))
    return np.rot90(np.asarray(shown, np.float32) / 255, turns).copy()


def develop(canvas: np.ndarray, scene: Scene) -> np.ndarray:
    """What a camera makes of the light: exposure, white balance, noise, blur; uint8 (size, size, 3)."""
    brightness, contrast, red, green, blue, noise, blur, soft = scene.camera
    size = len(canvas)
    canvas = (canvas - 0.5) * np.float32(contrast) + 0.5
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
