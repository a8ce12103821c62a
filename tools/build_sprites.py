"""Rebuild data/sprites: cut-outs of real food, tables, and pictograms of things that are no food.

    npm pack @lobehub/fluent-emoji-3d@1.1.0          # Microsoft Fluent Emoji 3D, MIT: the things
    mkdir fluent && tar xzf lobehub-*.tgz -C fluent --strip 1
    python tools/build_sprites.py CUTOUTS fluent

CUTOUTS is a folder with the cut-outs of cristeaioan/ffml_dataset (MIT) as WebP with alpha and their index.csv, and in
backgrounds/ pieces of bare table from free photographs with theirs. Pictures are made at most 192 px large. Left out
are cakes that show somebody's cartoon character or badge, or a child's name. Licence texts and README stay untouched.
"""

import argparse
import csv
import re
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 192  # pixels: scenes are at most 128 large, foods in them at most about 100
CUT = 0.3  # a straight side this long, in parts of the picture, was cut off by the photograph's frame

# Characters that belong to somebody, club badges, and names of children are no teaching material.
LEFT_OUT = {
    "ANTONIA'S MERMAID CAKE",
    "BARBIE'S CAKE",
    "BOOK CAKE",
    "DANA'S MERMAID CAKE",
    "DONALD DUCK CAKE",
    "HELLO KITTY CAKE",
    "LEGO CAKE",
    "MICKY MOUSE CAKE",
    "ORANGE HELLO KITTY CAKE",
    "PLANE CAKE",
    "STEAUA'S CAKE",
}
BRANDS = r"\b(7 DAY'S|CHIPICAO|KFC|OREO|SNICKERS|KINDER|GERARD|EUGENIA FOX|MAGURA|POLAR|WUDY|CREFEE|TEDI|BUSEURI|IGP)\b"
NAMES = {  # where the rule of `name` says too little or too much
    "BUTTER CREAM SANDWICH WITH PORK LOIN AND TOMATOES": "sandwich",
    "CARTABOS (TRADITIONAL ROMANIAN TRANSILVANIA BIG SAUSAGE)": "sausage",
    "CORNETTE CARAMEL ICE CREAM": "ice cream cone",
    "CORNETTI RIGATTI WITH SOURCREAM , TENDERLOIN, CORN AND CUCUMBER": "pasta salad",
    "CREMES": "cream slice",
    "DUO CHOCOLAT": "chocolate mousse",
    "GOGOSI (ROMANIAN DONUTS)": "filled doughnut",
    "GRILLED HOT DOG": "hot dog",
    "GöZLEME (TURKISH LAYERED PIE)": "gözleme",
    "KFC CRISPY": "crispy chicken",
    "LAMAITA CAKE": "lemon cake",
    "MICI (BEEF & PORK MEAT)": "minced meat roll",
    "PRAJITURA DESTEAPTA WITH VANILLA": "custard cake",
    "RADAUTEANA SOUP": "chicken soup",
    "SANDWICH WHOLEGRAIN BAGUETTE WITH FLAX SEEDS, KAIZER AND BUTTER": "wholegrain sandwich",
    "SCRAMBLED EGG WITH CROUTONS": "egg with croutons",
    "SOFT CAKE": "marble cake",
    "SOFT CAKE WITH MERINGUE ON TOP": "meringue cake",
    "STEAMED FISH (PASTRAV)": "steamed trout",
    "VERDENS BESTE": "meringue slice",
    "VERDENS BESTE CAKE": "meringue cake slice",
    "WHITE BREAD SLICE WITH VEGETABLE PASTE WITH MUSHROOMS": "bread with mushroom spread",
    "WUDY WURSTEL AL FORMAGGIO": "frankfurter",
    "YOGURT SAUCE (MOUSTARD, GARLIC, GINGER POWDER, FRESH DILL)": "yoghurt with dill",
}
THINGS = (
    "1f374 fork and knife, 1f944 spoon, 1f52a kitchen knife, 1f962 chopsticks, 1f37d empty plate, "
    "1fad9 jar, 1fad6 teapot, 1f964 cup with straw, 2615 cup of coffee, 1f963 empty bowl, "
    "1fab4 potted plant, 1f335 cactus, 1f337 tulip, 1f341 maple leaf, 1f4f1 phone, 1f511 key, "
    "1f5dd old key, 1f4d5 red book, 1f4d8 blue book, 1f4d3 notebook, 231a watch, 1f58a pen, 270f pencil, "
    "1f453 glasses, 1f576 sunglasses, 1f9f8 teddy bear, 1f3b2 die, 26bd football, 1f697 toy car, "
    "1f9e9 puzzle piece, 1f56f candle, 1f4f7 camera, 1f4b3 bank card, 2702 scissors, 1f45b purse, "
    "1f3a7 headphones, 1f5b1 computer mouse, 1f4a1 light bulb, 23f0 alarm clock, 2709 envelope, "
    "1f4cf ruler, 1f9f6 yarn"
)
COLUMNS = (
    "kind",
    "label",
    "split",
    "dish",
    "name",
    "serve",
    "cut",
    "file",
    "bytes",
    "source",
    "licence",
    "attribution",
)


def name(food: str) -> str:
    """A few plain words for a dish: "7 DAY's CROISSANT WITH OREO CREAM FILLING" -> "croissant"."""
    if food in NAMES:
        return NAMES[food]
    short = re.sub(r"\(.*?\)", "", food.upper())
    short = re.sub(BRANDS, "", short)
    short = re.split(r"\bWITH\b|\bIN\b|\bALLA\b|,", short)[0]
    return " ".join(short.split()).lower()


def cut_side(picture: Image.Image) -> str:
    """The side ("left", "top", ...) along which the photograph's frame cut the food off; "" where none did."""
    solid = np.asarray(picture.getchannel("A")) > 127
    lines = {"top": solid[1], "bottom": solid[-2], "left": solid[:, 1], "right": solid[:, -2]}
    side, line = max(lines.items(), key=lambda item: longest_run(item[1]))
    return side if longest_run(line) > CUT else ""


def longest_run(line: np.ndarray) -> float:
    """Length of the longest run of True, as a part of the line."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
    return float((edges[1::2] - edges[::2]).max(initial=0) / len(line))


def shrink(picture: Image.Image, most: int = SIDE) -> Image.Image:
    ratio = min(1.0, most / max(picture.size))
    return picture.resize([max(1, round(side * ratio)) for side in picture.size], Image.Resampling.LANCZOS)


def foods(folder: Path, out: Path) -> list[dict]:
    rows = []
    for row in csv.DictReader((folder / "index.csv").read_text(encoding="utf-8").splitlines()):
        if row["food"] in LEFT_OUT:
            continue
        picture = Image.open(folder / row["file"]).convert("RGBA")
        file = Path("food", row["file"])
        shrink(picture).save(out / file, quality=82, alpha_quality=90, method=6)
        rows.append(
            {
                "kind": "food",
                "label": row["class"],
                "split": {"train": "known", "heldout": "unseen"}[row["split"]],
                "dish": row["group"],
                "name": name(row["food"]),
                "serve": "bowl" if row["class"] == "9" else "",  # soups and stews need one
                "cut": cut_side(picture),
                "file": file.as_posix(),
                "source": f"{row['source_repository']}@{row['source_commit']} {row['source_path']}",
                "licence": row["licence"],
            }
        )
    return rows


def tables(folder: Path, out: Path) -> list[dict]:
    rows = []
    for row in csv.DictReader((folder / "index.csv").read_text(encoding="utf-8").splitlines()):
        file = Path("tables", row["file"])
        shrink(Image.open(folder / row["file"]).convert("RGB")).save(out / file, quality=85, optimize=True)
        rows.append(
            {
                "kind": "table",
                "split": {"train": "known", "heldout": "unseen"}[row["split"]],
                "dish": row["group"],
                "name": "table",
                "file": file.as_posix(),
                "source": f"{row['source_repository']}@{row['source_commit'][:7]} {row['source_path']}",
                "licence": row["licence"],
                "attribution": row["attribution"],
            }
        )
    return rows


def things(package: Path, out: Path) -> list[dict]:
    rows = []
    for code, words in (entry.split(" ", 1) for entry in THINGS.split(", ")):
        original = next(p for p in (package / "assets" / f"{c}.webp" for c in (code, f"{code}-fe0f")) if p.is_file())
        picture = Image.open(original).convert("RGBA")
        picture = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())
        file = Path("things", f"{code}.webp")
        shrink(picture, 144).save(out / file, quality=88, alpha_quality=95, method=6)
        source = f"@lobehub/fluent-emoji-3d 1.1.0 assets/{original.name}"
        rows.append({"kind": "thing", "name": words, "file": file.as_posix(), "source": source, "licence": "MIT"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cutouts", type=Path, help="folder with index.csv, the cut-outs, and backgrounds/")
    parser.add_argument("fluent3d", type=Path, help="unpacked package @lobehub/fluent-emoji-3d 1.1.0")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data" / "sprites")
    args = parser.parse_args()
    for part in ("food", "tables", "things"):
        shutil.rmtree(args.out / part, ignore_errors=True)
        (args.out / part).mkdir(parents=True)
    rows = foods(args.cutouts, args.out)
    rows += tables(args.cutouts / "backgrounds", args.out) + things(args.fluent3d, args.out)
    with open(args.out / "index.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"bytes": (args.out / row["file"]).stat().st_size} for row in rows)
    size = sum(file.stat().st_size for file in args.out.rglob("*") if file.is_file())
    print(f"{len(rows)} pictures, {size / 2**20:.2f} MiB in {args.out}")


if __name__ == "__main__":
    main()
