"""Text in figures is text: no mathematics, no box for a letter that the fonts lack, no title wider than its figure."""

import functools
import re
import unicodedata
from collections.abc import Callable

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from hw9.notebook import cjk_font

# Used after DejaVu Sans and the Chinese font where they are installed. Colour fonts are none that matplotlib draws.
FALLBACKS = ("Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola", "Noto Sans Thai", "Noto Sans Devanagari")
FALLBACKS += ("Arial Unicode MS", "Unifont", "STIXGeneral")
TITLE_LINES = 4
LONGEST_NAME = 30  # letters of a stand-in


def plain(width: float) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """For a function that draws a figure `width` inches wide: all it writes is text, and its `title` fits."""

    def decorate(draw: Callable[..., Figure]) -> Callable[..., Figure]:
        @functools.wraps(draw)
        def drawn(*args, **options) -> Figure:
            if options.get("title"):
                options["title"] = wrapped(options["title"], width)
            with mpl.rc_context({"text.parse_math": False, "font.family": list(families())}):
                figure = draw(*args, **options)
            for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
                form = axis.get_major_formatter()
                if isinstance(form, FixedFormatter | FuncFormatter):  # labels given, and written when it is drawn
                    labels = [str(form(place, k)) for k, place in enumerate(axis.get_majorticklocs())]
                    if labels != (drawable := [readable(label) for label in labels]):
                        axis.set_ticklabels(drawable)
            for text in figure.findobj(Text):
                text.set_parse_math(False)
                text.set_text(readable(text.get_text()))
            return figure

        return drawn

    return decorate


@functools.cache
def families() -> tuple[str, ...]:
    """The fonts to draw with, each for what those before it lack."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *filter(None, [cjk_font()]), *(name for name in FALLBACKS if name in known))


def readable(text: str) -> str:
    """The text with a stand-in for what no font here draws: ‹red apple› for an emoji, ‹U+20BB7› for a rare letter.

    Joiners and variation selectors, which are no letters, are left out; lines stay, other white space is a space.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_stand_in, text))


def wrapped(title: str, width: float, size: float = 11) -> str:
    """A title in lines that fit into `width` inches at `size` points, four at most: what is too long ends in …"""
    room = int(1.8 * width * 72 / size)  # columns, of which a Han character takes two
    lines = [line for part in readable(title).split("\n") for line in _lines(part, room)]
    return "\n".join(lines if len(lines) <= TITLE_LINES else [*lines[: TITLE_LINES - 1], lines[TITLE_LINES - 1] + "…"])


def _lines(text: str, room: int) -> list[str]:
    """Broken between words, between Han characters, and inside a word only where it fills a line alone."""
    lines, used = [""], 0
    for atom in re.findall(rf"[!-\u2e7f]{{1,{room}}} *|.", text):
        columns = sum(_columns(letter) for letter in atom.rstrip())
        if lines[-1] and used + columns > room:
            lines.append("")
            used = 0
        lines[-1] += atom
        used += sum(map(_columns, atom))
    return [line.strip() for line in lines]


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


@functools.cache
def _stand_in(letter: str) -> str:
    """The letter itself where a font has it; an empty box for a Chinese one where there is no Chinese font at all."""
    if letter == "\n":
        return letter
    kind = unicodedata.category(letter)
    if kind == "Zs" or letter.isspace():
        return " "
    if kind in ("Cc", "Cf") or "\ufe00" <= letter <= "\ufe0f":
        return ""
    if any(font_manager.get_font(font_manager.findfont(name)).get_char_index(ord(letter)) for name in families()):
        return letter
    name = unicodedata.name(letter, "").lower()
    if _columns(letter) == 2 and kind == "Lo" and cjk_font() is None:
        return "□"
    return f"‹{name}›" if kind == "So" and 0 < len(name) <= LONGEST_NAME else f"‹U+{ord(letter):X}›"
