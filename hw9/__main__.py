"""`python -m hw9 run | notebooks | page | colab | data | explain`: execute, build, save, pack; Food-11; a folder;
`grade | key | quiz`: the teacher's side of the quiz."""

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
    page = commands.add_parser("page", help="save notebooks as pages that stand alone, without network")
    page.add_argument("notebook", nargs="*", type=Path, help="executed notebooks (without any: those at the top)")
    page.add_argument("--out", type=Path, default=ROOT / "build", help="the folder for the pages (by default build/)")
    commands.add_parser("colab", help="pack package, weights, small data and notebooks as build/hw9-colab.zip")
    data = commands.add_parser("data", help="find Food-11, or download it into data/food11")
    data.add_argument("--source", help="an address or archive to take it from instead of Kaggle")
    explain = commands.add_parser(
        "explain", help="maps and a table for a whole folder of pictures; with torchrun, on GPUs"
    )
    explain.add_argument("folder", help="a folder; pictures in the folders below it count as well")
    explain.add_argument(
        "--model",
        default="checkpoints/compact-food11.safetensors",
        help="weights (.safetensors, .pth) of CompactCNN or CourseCNN (by default %(default)s); a file that holds a "
        "pickled network is refused, as it contains code: explain other networks from Python",
    )
    explain.add_argument(
        "--methods",
        default="saliency,smoothgrad,integrated_gradients,lime",
        help="separated by commas (by default %(default)s; saliency alone is quick, LIME takes longest)",
    )
    explain.add_argument(
        "--out",
        default="runs/explain",
        help="where maps and table.csv go (by default %(default)s); the same command again continues there",
    )
    explain.add_argument("--device", help="cpu, cuda, cuda:1 ... (by default a CUDA GPU where there is one)")
    _add_quiz(commands)
    chosen = parser.parse_args(arguments)
    call = {"run": _run, "notebooks": _notebooks, "page": _page, "colab": _colab, "data": _data, "explain": _explain}
    call |= {"grade": _grade, "key": _key, "quiz": _quiz}
    if hasattr(sys.stdout, "reconfigure"):  # a terminal without Chinese characters shows marks instead of stopping
        sys.stdout.reconfigure(errors="replace")
    try:
        call[chosen.command](chosen)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _add_quiz(commands: argparse._SubParsersAction) -> None:
    grade = commands.add_parser("grade", help="grade hand-ins: a table, feedback for each, and what to look into")
    grade.add_argument("folder", type=Path, help="a folder, also as a platform exports it, a .zip, or one .json")
    grade.add_argument(
        "--out", type=Path, default=Path("grades.csv"), help="the table, or a folder; the rest is written beside it"
    )
    key = commands.add_parser("key", help="print the key of the last run, with the number behind each answer")
    key.add_argument("--student", default="", metavar="NUMBER", help="in the variant of this student")
    key.add_argument("--out", type=Path, help="a file for the key, in UTF-8 (by default it is printed)")
    quiz = commands.add_parser("quiz", help="write the questions about the last run for a learning platform")
    quiz.add_argument("--to", choices=("gift", "qti", "md"), required=True, help="Moodle, Canvas, or Markdown")
    quiz.add_argument("--out", type=Path, help="the file, or a folder that exists (by default build/)")
    for one in (key, quiz):
        one.add_argument(
            "--facts", type=Path, nargs="+", metavar="FILE", help="facts of a run (by default the newest in runs/facts)"
        )


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
        target = save_page(notebook, chosen.out.expanduser() / f"{notebook.stem}.html")
        print(f"{target} ({target.stat().st_size / 2**20:.1f} MB)")


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
    model = ROOT / model if not model.exists() and (ROOT / model).exists() else model
    table = explain_folder(
        chosen.folder, chosen.out, model=model, methods=chosen.methods.split(","), device=chosen.device
    )
    print(f"Maps and table: {table.parent}")


def _grade(chosen: argparse.Namespace) -> None:
    from hw9.quiz.bank import load_bank
    from hw9.quiz.grading import grade
    from hw9.quiz.reports import write

    grades = grade(chosen.folder, load_bank())
    for where, line in grades.problems:
        print(f"{where}: {line}")
    if not grades.students:
        raise ValueError(f"{chosen.folder}: no hand-in that can be graded; those are the .json files of quiz.hand_in")
    for student in grades.students:
        if student.notes:
            print(f"{student.number} {student.name}: {'; '.join(student.notes)}")
    out = chosen.out.expanduser()
    folder = out.is_dir() or not out.suffix  # "results/" may be one that is to be made
    written = write(grades, out / "grades.csv" if folder else out)
    print(f"{len(grades.students)} students graded, {len(grades.problems)} files not. Written:")
    print("\n".join(f"  {path}" for path in written))


def _facts(chosen: argparse.Namespace) -> list:
    from hw9.quiz import facts
    from hw9.quiz.keypage import newest_facts

    return [facts.load(path) for path in chosen.facts] if chosen.facts else newest_facts(facts.runs_folder() / "facts")


def _key(chosen: argparse.Namespace) -> None:
    from hw9.quiz.bank import load_bank
    from hw9.quiz.handin import tidy
    from hw9.quiz.keypage import key_page

    page = key_page(load_bank(), _facts(chosen), tidy(chosen.student))
    if chosen.out is None:
        print(page, end="")
        return
    out = chosen.out.expanduser()
    out.write_text(page, encoding="utf-8")
    print(out)


def _quiz(chosen: argparse.Namespace) -> None:
    from hw9.quiz.bank import load_bank
    from hw9.quiz.export import ENDINGS, asked_of_all, export

    name = f"hw9-quiz{ENDINGS[chosen.to]}"
    target = (chosen.out or ROOT / "build" / name).expanduser()
    target = target / name if target.is_dir() else target
    found, left_out = asked_of_all(load_bank(), _facts(chosen))
    left_out += export(chosen.to, found, target)
    print("\n".join([*(f"left out, {line}" for line in left_out), f"{target}"]))


if __name__ == "__main__":
    sys.exit(main())
