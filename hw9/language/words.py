"""Where a word stands: in a text, among the tokens that a BERT reads, in the table of all; how tokens are written."""

import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence

from torch.nn.functional import normalize

from hw9.language.bert import Bert, Reading

# Scripts that put no space between words, by how Unicode names their letters; Korean puts its particles to a word.
UNSPACED = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HALFWIDTH", "HANGUL", "BOPOMOFO")
UNSPACED += ("THAI", "LAO", "KHMER", "MYANMAR")
DROPPED = ("Mn", "Cc", "Cf")  # accents, control and format characters: some tokenizers leave them out


def spans(text: str, word: str) -> list[tuple[int, int]]:
    """Start and end of every occurrence of `word` in `text`, in characters, whatever its capitals and composition.

    A character of a script without spaces, or a mark, is found anywhere; a word in letters only where no letter or
    digit of such a script is its neighbour ("apple" neither in "apples" nor in "pineapple"). "é" is one word whether
    it is stored as one character or as two.
    """
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"the token to look for must be a character or a word, not {word!r}")
    folded, places = _folded(text)
    places.append(len(text))
    found = []
    for match in re.finditer(re.escape(_folded(word.strip())[0]), folded):
        start, end = places[match.start()], places[match.end()]
        whole = match.start() == 0 or places[match.start() - 1] < start  # and no part of a character
        if whole and places[match.end() - 1] < end and not unicodedata.combining(text[end : end + 1] or " "):
            found.append((start, end))
    return [
        (start, end)
        for start, end in found
        if not (_joined(text[start - 1 : start], text[start]) or _joined(text[end - 1], text[end : end + 1]))
    ]


def positions(reading: Reading, word: str, occurrence: int = 0) -> list[int]:
    """The tokens that make up one occurrence of `word` in the text of a reading (not in its pair).

    They are found by the tokenizer's offsets and checked to cover the word and nothing else. Raises ValueError where
    the word is missing, occurs less often, is unknown or cut differently by the tokenizer: the line says which.
    """
    found = spans(reading.text, word)
    if not found:
        raise ValueError(
            f"{word!r} is not in {_short(reading.text)!r}: give a word of the text "
            "(traditional and simplified characters are different tokens)"
        )
    if not 0 <= occurrence < len(found):
        many = "once: occurrence must be 0" if len(found) == 1 else f"{len(found)} times: occurrence must be below that"
        raise ValueError(f"{word!r} is in {_short(reading.text)!r} {many}, from 0 on, not {occurrence}")
    start, end = found[occurrence]
    inside = [
        k
        for k, (first, last) in enumerate(reading.offsets)
        if reading.segments[k] == 0 and not reading.special[k] and first < end and last > start
    ]
    if any(reading.unknown[k] for k in inside):
        raise ValueError(f"the model does not know {word!r} and reads {reading.tokens[inside[0]]}: take another token")
    # Some tokenizers count the space before a word to its first token.
    covered = {place for k in inside for place in range(*reading.offsets[k]) if not reading.text[place].isspace()}
    needed = {k for k in range(start, end) if not reading.text[k].isspace() and _kept(reading.text[k])}
    if not inside or not needed <= covered <= set(range(start, end)):
        tokens = [reading.tokens[k] for k in inside]
        raise ValueError(f"the tokens {tokens} are not {word!r} and nothing else, in {_short(reading.text)!r}")
    return inside


def most_alike(bert: Bert, reading: Reading, top: int = 4) -> list[list[str]]:
    """For each token of a reading the `top` others whose vectors in the table of tokens are most alike (cosine).

    The table is what layer 0 starts from, before position and segment are added. A token that the model does not know,
    and [CLS] and [SEP], have none.
    """
    weights = bert.model.embeddings.word_embeddings.weight.detach()[: bert.vocabulary]  # a model may have rows to spare
    table = normalize(weights, dim=-1)  # (V, D)
    similar = table[reading.ids.to(table.device)] @ table.T  # (T, V)
    found = similar.topk(top + 1).indices.tolist()
    names = bert.tokenizer.convert_ids_to_tokens
    known = [
        not special and token != bert.tokenizer.unk_token
        for token, special in zip(reading.tokens, reading.special, strict=True)
    ]
    return [
        names([k for k in row if k != own][:top]) if here else []
        for row, own, here in zip(found, reading.ids.tolist(), known, strict=True)
    ]


def units(reading: Reading, together: Collection[int] = ()) -> list[list[int]]:
    """The tokens of each written word, in order: a Han character, a word with all its pieces, a special token.

    The tokens `together`, a word that is looked at as one, are one unit.
    """
    found: list[list[int]] = []
    for k in range(len(reading.tokens)):
        if k and (_continues(reading, k) or {k - 1, k} <= set(together)) and (k in together) == (k - 1 in together):
            found[-1].append(k)
        else:
            found.append([k])
    return found


def spelled(tokens: Sequence[str]) -> str:
    """Tokens as they are written: ["天", "氣"] is 天氣, ["un", "##known"] is unknown, ["new", "york"] is new york."""
    text = tokens[0]
    for before, token in itertools.pairwise(tokens):
        apart = _joined(before[-1], token[0]) and max(len(before), len(token)) > 1  # letters one by one are one word
        text += token.removeprefix("##") if token.startswith("##") or not apart else f" {token}"
    return text


def snippet(text: str, word: str, around: int = 6) -> str:
    """The first occurrence of `word` marked as 【word】 with a little of its text on either side: a label for a figure.

    `around` counts characters, or twice as many in letters, where no word is cut.
    """
    start, end = spans(text, word)[0]
    letters = text[start:end].isascii()
    reach = 2 * around if letters else around
    left, right = text[max(0, start - reach) : start], text[end : end + reach]
    if letters and start > reach:
        left = left.partition(" ")[2]
    if letters and end + reach < len(text):
        right = right.rpartition(" ")[0]
    before, after = "…" * (len(left) < start), "…" * (end + len(right) < len(text))
    return before + left.lstrip("，、,") + f"【{text[start:end]}】" + right.rstrip("，、。,.") + after


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours ("" at either end of a text) belong to one word of letters."""
    return bool(left and right) and all(
        # Vowel signs, and accents stored apart, are marks.
        (c.isalnum() or unicodedata.category(c)[0] == "M") and not unicodedata.name(c, "").startswith(UNSPACED)
        for c in (left, right)
    )


def _continues(reading: Reading, k: int) -> bool:
    """Whether token k goes on with the word, or the character, that the token before it began."""
    if reading.special[k] or reading.special[k - 1] or reading.segments[k] != reading.segments[k - 1]:
        return False
    text = reading.pair if reading.segments[k] else reading.text
    end, start = reading.offsets[k - 1][1], reading.offsets[k][0]
    return start < end or (start == end and _joined(text[end - 1], text[start]))


def _folded(text: str) -> tuple[str, list[int]]:
    """The text without capitals and with its accents apart, and which character of it each of these comes from."""
    parts = [unicodedata.normalize("NFD", c).lower() for c in text]
    return "".join(parts), [k for k, part in enumerate(parts) for _ in part]


def _kept(letter: str) -> bool:
    return unicodedata.category(letter) not in DROPPED


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
