"""`python -m hw9 run | notebooks | page | colab | data | explain`: execute, build, save, pack; Food-11; a folder."""

import argparse
import sys
import time
from pathlib import Path

from hw9.notebook import ROOT


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors a user can mend are one line on stderr and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m hw9", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="execute both notebooks; the executed copies and their figures go to runs/")
    commands.add_parser("notebooks", help="build and execute the notebooks at the top from notebooks/*.py")
    page = commands.add_parser("page", help="save notebooks as pages that stand alone, without network, in build/")
    page.add_argument("notebook", nargs="*", type=Path, help="executed notebooks (without any: those at the top)")
    commands.add_parser("colab", help="pack package, weights, small data and notebooks as build/hw9-colab.zip")
    data = commands.add_parser("data", help="find Food-11, or download it into data/food11")
    data.add_argument("--source", help="an address or archive to take it from instead of Kaggle")
    explain = commands.add_parser(
        "explain", help="maps and a table for a whole folder of pictures; with torchrun, on GPUs"
    )
    explain.add_argument("folder", help="the pictures, also in folders below it")
    explain.add_argument(
        "--model",
        default="checkpoints/compact-food11.safetensors",
        help="a file of weights (.safetensors, .pth) of CompactCNN or CourseCNN; other networks are explained from Python, "
        "where you build them: a file that holds a network as well holds code, which is not run",
    )
    explain.add_argument(
        "--methods", default="saliency,smoothgrad,integrated_gradients,lime", help="with commas between"
    )
    explain.add_argument("--out", default="runs/explain", help="where maps and table.csv go; run again, it goes on")
    explain.add_argument("--device", help="cpu, cuda, cuda:1 ... (by default a GPU where there is one)")
    chosen = parser.parse_args(arguments)
    call = {"run": _run, "notebooks": _notebooks, "page": _page, "colab": _colab, "data": _data, "explain": _explain}
    try:
        call[chosen.command](chosen)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _run(_: argparse.Namespace) -> None:
    from hw9.run import run

    start = time.perf_counter()
    seconds = run(keep=ROOT / "runs")
    print("\nDone.")
    for name, spent in seconds.items():
        print(f"  {name:30s} {spent / 60:5.1f} min   open runs/{name}")
    figures = [file for file in (ROOT / "runs" / "figures").iterdir() if file.suffix in {".png", ".jpg"}]
    print(f"  {len(figures)} figures are in runs/figures/; in all {(time.perf_counter() - start) / 60:.1f} min")


def _notebooks(_: argparse.Namespace) -> None:
    from hw9.run import run

    for name, spent in run().items():
        print(f"  {name}: built and executed in {spent / 60:.1f} min")


def _page(chosen: argparse.Namespace) -> None:
    from hw9.page import save_page
    from hw9.run import built, sources

    for notebook in chosen.notebook or map(built, sources()):
        target = save_page(notebook, ROOT / "build" / f"{notebook.stem}.html")
        print(f"{target.relative_to(ROOT)} ({target.stat().st_size / 2**20:.1f} MB)")


def _colab(_: argparse.Namespace) -> None:
    from hw9.pack import pack

    target = pack(ROOT / "build" / "hw9-colab.zip")
    size = target.stat().st_size / 2**20
    print(
        f"{target.relative_to(ROOT)} ({size:.1f} MB): upload it beside a notebook in Colab, or put it into your Drive"
    )


def _data(chosen: argparse.Namespace) -> None:
    from hw9.vision.food11 import download_food11, find_food11

    found = None if chosen.source else find_food11()
    print(f"Food-11 is at {found or download_food11(ROOT / 'data' / 'food11', source=chosen.source)}")


def _explain(chosen: argparse.Namespace) -> None:
    from hw9.vision.folder import explain_folder

    model = Path(chosen.model).expanduser()
    model = model if model.exists() else ROOT / model
    table = explain_folder(
        chosen.folder, chosen.out, model=model, methods=chosen.methods.split(","), device=chosen.device
    )
    print(f"Maps and table: {table.parent}")


if __name__ == "__main__":
    sys.exit(main())
