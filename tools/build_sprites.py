"""Rebuild data/sprites from the two npm packages, so that anyone can see where every pictogram comes from.

    npm pack @lobehub/fluent-emoji-3d@1.1.0          # Microsoft Fluent Emoji 3D, MIT
    npm pack emoji-datasource-google@16.0.0          # Google Noto Emoji, images Apache-2.0
    mkdir fluent noto && tar xzf lobehub-*.tgz -C fluent --strip 1 && tar xzf emoji-*.tgz -C noto --strip 1
    python tools/build_sprites.py fluent noto

Pictograms are cut to what is visible, made at most 144 px large (Noto's 64 px originals: enlarged to 128) and saved
as WebP with alpha. The third style, `drawn`, is our own (tools/draw_sprites.py). Licences and README stay untouched.
"""

import argparse
import csv
import shutil
from pathlib import Path

from draw_sprites import DRAWINGS, drawing
from PIL import Image, ImageFilter

# class folder: (pictograms seen in training, pictograms kept for the split "unseen"); a food is on one side in every
# style. "code name" = emoji of both sets, "code+fluent3d name" or "code+noto name" = of one set (the other's drawing is
# ambiguous), a bare name = our own drawing.
FOODS = {
    "Bread": (
        "1f32d hot dog, 1f354 hamburger, 1f355 slice of pizza, 1f35e bread, 1f956 baguette, "
        "1f959 stuffed flatbread, 1f968 pretzel, 1f96f+noto bagel, 1fad3+noto flatbread",
        "1f950 croissant, 1f96a sandwich",
    ),
    "Dairy": (
        "1f95b+noto glass of milk, 1f9c0 cheese wedge, 1f9c8 butter, yogurt, milk carton",
        "milk bottle, camembert",
    ),
    "Dessert": (
        "1f366 soft ice cream, 1f367 shaved ice, 1f368 ice cream, 1f369 doughnut, 1f36a cookie, "
        "1f36b chocolate bar, 1f36c candy, 1f36e custard, 1f370 shortcake, 1f382 birthday cake, "
        "1f96e moon cake",
        "1f9c1 cupcake, 1f36d lollipop, 1f967 pie",
    ),
    "Egg": ("1f373 fried egg in a pan, 1f95a egg, fried egg, boiled egg", "egg in cup, omelette"),
    "Fried": (
        "1f35f french fries, 1f364 fried shrimp, 1f9c6 falafel, onion rings, nuggets",
        "spring rolls, samosa",
    ),
    "Meat": (
        "1f356 meat on bone, 1f953 bacon, 1f969 cut of meat, sausages",
        "1f357 poultry leg, kebab",
    ),
    "Noodle": ("1f35c bowl of noodles, 1f35d spaghetti, udon, penne", "spaghetti nest, farfalle"),
    "Rice": (
        "1f359 rice ball, 1f35a cooked rice, 1f35b curry and rice, fried rice, rice dome",
        "rice from above, rice and peas",
    ),
    "Seafood": (
        "1f419 octopus, 1f41f fish, 1f990 shrimp, 1f991 squid, 1f99e lobster",
        "1f980 crab, 1f9aa oyster",
    ),
    "Soup": (
        "1f372 pot of soup, tomato soup, pea soup, miso soup, mushroom soup",
        "pumpkin soup, borscht",
    ),
    "VegFruit": (
        "1f336 hot pepper, 1f33d ear of maize, 1f345 tomato, 1f347 grapes, 1f348 melon, 1f349 watermelon, "
        "1f34a tangerine, 1f34b lemon, 1f34c banana, 1f34d pineapple, 1f34e red apple, 1f34f green apple, "
        "1f352 cherries, 1f353 strawberry, 1f951 avocado, 1f952 cucumber, 1f954 potato, 1f955 carrot, "
        "1f957 green salad, 1f966 broccoli, 1f96d mango, 1f9c4 garlic, 1f9c5 onion, 1fad0 blueberries",
        "1f346 aubergine, 1f350 pear, 1f351 peach, 1f95d kiwifruit, 1f96c leafy green, 1fad1 bell pepper, "
        "1fadb pea pod",
    ),
}
DISTRACTORS = (
    "1f374 fork and knife, 1f944 spoon, 1f52a kitchen knife, 1f962 chopsticks, 1f37d empty plate, "
    "1fad9 jar, 1fad6 teapot, 1f964 cup with straw, 2615 cup of coffee, 1f963 empty bowl, "
    "1fab4 potted plant, 1f335 cactus, 1f337 tulip, 1f341 maple leaf, 1f4f1 phone, 1f511 key, "
    "1f5dd old key, 1f4d5 red book, 1f4d8 blue book, 1f4d3 notebook, 231a watch, 1f58a pen, 270f pencil, "
    "1f453 glasses, 1f576 sunglasses, 1f9f8 teddy bear, 1f3b2 die, 26bd football, 1f697 toy car, "
    "1f9e9 puzzle piece, 1f56f candle, 1f4f7 camera, 1f4b3 bank card, 2702 scissors, 1f45b purse, "
    "1f3a7 headphones, 1f5b1 computer mouse, 1f4a1 light bulb, 23f0 alarm clock, 2709 envelope, "
    "1f4cf ruler, 1f9f6 yarn"
)
SOURCES = {
    "fluent3d": "@lobehub/fluent-emoji-3d 1.1.0",
    "noto": "emoji-datasource-google 16.0.0",
    "drawn": "tools/draw_sprites.py",
}


def original(folder: Path, style: str, code: str) -> tuple[Path, Image.Image]:
    """One emoji of an unpacked package, cut to its visible part."""
    place = folder / ("assets" if style == "fluent3d" else "img/google/64")
    for name in (code, f"{code}-fe0f"):
        path = place / f"{name}{'.webp' if style == 'fluent3d' else '.png'}"
        if path.is_file():
            return path.relative_to(folder), Image.open(path).convert("RGBA")
    raise SystemExit(f"{code} is not in {place}: is that the unpacked package {SOURCES[style]}?")


def shrink(picture: Image.Image, style: str) -> Image.Image:
    picture = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())
    if style == "noto":  # sharpened a little: 64 px originals are drawn up to 100 px large
        double = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.LANCZOS)
        return double.filter(ImageFilter.UnsharpMask(1.6, 70, 0))
    ratio = min(1.0, 144 / max(picture.size))
    return picture.resize([round(side * ratio) for side in picture.size], Image.Resampling.LANCZOS)


def entries(text: str) -> list[tuple[str, tuple[str, ...], str]]:
    """ "1f96f+noto bagel, yogurt" -> [("1f96f", ("noto",), "bagel"), ("yogurt", ("drawn",), "yogurt")]"""
    own, found = {paint.__name__.replace("_", " ") for paint in DRAWINGS}, []
    for entry in map(str.strip, text.split(",")):
        if entry in own:
            found.append((entry.replace(" ", "_"), ("drawn",), entry))
        else:
            code, name = entry.split(" ", 1)
            code, _, style = code.partition("+")
            found.append((code, (style,) if style else ("fluent3d", "noto"), name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fluent3d", type=Path, help="unpacked package @lobehub/fluent-emoji-3d 1.1.0")
    parser.add_argument("noto", type=Path, help="unpacked package emoji-datasource-google 16.0.0")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data" / "sprites")
    args = parser.parse_args()
    packages = {"fluent3d": args.fluent3d, "noto": args.noto}
    paints = {paint.__name__: paint for paint in DRAWINGS}

    wanted = []  # (kind, label, folder, split, code, styles, name)
    for label, (folder, sides) in enumerate(FOODS.items()):
        for split, text in zip(("known", "unseen"), sides, strict=True):
            wanted += [("food", label, folder, split, *entry) for entry in entries(text)]
    wanted += [("distractor", "", "", "known", *entry) for entry in entries(DISTRACTORS)]

    for part in ("food", "distractors"):
        shutil.rmtree(args.out / part, ignore_errors=True)
    rows = []
    for kind, label, folder, split, code, styles, name in wanted:
        for style in styles:
            if style == "drawn":
                source, picture = "", drawing(paints[code])
            else:
                source, picture = original(packages[style], style, code)
            file = (
                Path("food", style, folder, f"{code}.webp")
                if kind == "food"
                else Path("distractors", style, f"{code}.webp")
            )
            (args.out / file).parent.mkdir(parents=True, exist_ok=True)
            shrink(picture, style).save(args.out / file, quality=88, alpha_quality=95, method=6)
            where = f"{SOURCES[style]} {Path(source).as_posix()}" if source else SOURCES[style]
            rows.append((kind, label, style, split, name, file.as_posix(), where))

    with open(args.out / "index.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("kind", "label", "style", "split", "name", "file", "source"))
        writer.writerows(rows)
    size = sum(f.stat().st_size for f in args.out.rglob("*.webp"))
    print(f"{len(rows)} pictograms, {size / 2**20:.2f} MiB in {args.out}")


if __name__ == "__main__":
    main()
