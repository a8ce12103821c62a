"""Rebuild data/photos: the ten free photographs of the lesson with their food masks, others to train and measure with.

    python tools/build_photos.py PHOTOS

PHOTOS is a folder of free photographs of food: index.csv with class, source, licence, attribution and group of each,
photos/, lesson/ (ten of them, with masks drawn by hand) and licences/. Of the natural photographs `measure` takes those
whose group (one dish or one folder) no training has ever seen, `train` the others. Pictures are made 128 px large.
"""

import argparse
import csv
import hashlib
import shutil
from pathlib import Path

from PIL import Image

SIDE = 128
COLUMNS = ("file", "label", "use", "subject", "licence", "attribution", "source")
CUTOUTS = "cristeaioan/ffml_dataset"  # white cut-outs: their dishes are in the embedded scenes


def held_out(row: dict, lesson_groups: set[str]) -> bool:
    """Whether a photograph's group is kept from training: that of the lesson, and a quarter of the others."""
    digest = hashlib.md5(row["group"].encode(), usedforsecurity=False).hexdigest()
    return row["group"] in lesson_groups or int(digest, 16) % 4 == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder with index.csv, photos/, lesson/ and licences/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data" / "photos")
    chosen = parser.parse_args()
    rows = list(csv.DictReader((chosen.photos / "index.csv").read_text(encoding="utf-8").splitlines()))
    lesson = list(csv.DictReader((chosen.photos / "lesson" / "index.csv").read_text(encoding="utf-8").splitlines()))
    of = {row["file"]: row for row in rows}
    groups = {of[row["photo"]]["group"] for row in lesson}
    taken = {row["photo"] for row in lesson}
    for part in ("lesson", "train", "measure"):
        shutil.rmtree(chosen.out / part, ignore_errors=True)
        (chosen.out / part).mkdir(parents=True)
    pictures = [(f"lesson/{n}.jpg", of[row["photo"]]) for n, row in enumerate(lesson)]
    pictures += [
        (f"{'measure' if held_out(row, groups) else 'train'}/{row['file']}", row)
        for row in rows
        if row["background"] == "natural" and row["source_repository"] != CUTOUTS
        if row["file"] not in taken
    ]
    listed = []
    for file, row in pictures:
        picture = Image.open(chosen.photos / "photos" / row["file"]).convert("RGB")
        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(chosen.out / file, quality=88, optimize=True)
        source = f"{row['source_repository']}@{row['source_commit'][:7]} {row['source_path']}"
        facts = (file, row["class"], file.split("/")[0], row["subject"], row["licence"], row["attribution"], source)
        listed.append(dict(zip(COLUMNS, facts, strict=True)))
    for number in range(len(lesson)):
        mask = Image.open(chosen.photos / "lesson" / "masks" / f"{number}.png").convert("L")
        mask = mask.resize((SIDE, SIDE), Image.Resampling.BOX).point(lambda value: 255 * (value > 127))
        mask.convert("1").save(chosen.out / "lesson" / f"{number}.png", optimize=True)
    with open(chosen.out / "index.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    licences = {row["source"].split("@")[0].replace("/", "__") for row in listed}
    shutil.rmtree(chosen.out / "LICENSES", ignore_errors=True)
    (chosen.out / "LICENSES").mkdir()
    for name in sorted(licences):
        shutil.copyfile(chosen.photos / "licences" / f"{name}.txt", chosen.out / "LICENSES" / f"{name}.txt")
    size = sum(file.stat().st_size for file in chosen.out.rglob("*") if file.is_file())
    print(f"{len(listed)} photographs, {size / 2**20:.2f} MiB in {chosen.out}")


if __name__ == "__main__":
    main()
