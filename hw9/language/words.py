"""Where a word stands: in a text, among the tokens that a BERT reads, and in the table of all tokens."""

import re

from torch.nn.functional import normalize

from hw9.language.bert import Bert, Reading


def spans(text: str, word: str) -> list[tuple[int, int]]:
    """Start and end of every occurrence of `word` in `text`, in characters, whatever its capitals.

    A Han character or a mark is found anywhere; a word in letters only where no letter or digit of such a script is
    its neighbour ("apple" neither in "apples" nor in "pineapple").
    """
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"the token to look for must be a character or a word, not {word!r}")
    found = [match.span() for match in re.finditer(re.escape(word.strip()), text, re.IGNORECASE)]
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
    covered = [place for k in inside for place in range(*reading.offsets[k])]
    if any(reading.tokens[k] == "[UNK]" for k in inside):
        raise ValueError(f"the model does not know {word!r} and reads [UNK]: take another token")
    if covered != [place for place in range(start, end) if not reading.text[place].isspace()]:
        tokens = [reading.tokens[k] for k in inside]
        raise ValueError(f"the tokens {tokens} are not {word!r} and nothing else, in {_short(reading.text)!r}")
    return inside


def most_alike(bert: Bert, reading: Reading, top: int = 4) -> list[list[str]]:
    """For each token of a reading the `top` others whose vectors in the table of tokens are most alike (cosine).

    The table is what layer 0 starts from, before position and segment are added. A token that the model does not know,
    and [CLS] and [SEP], have none.
    """
    table = normalize(bert.model.embeddings.word_embeddings.weight.detach(), dim=-1)  # (V, D)
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
    return all(c.isalnum() and not "\u3400" <= c <= "\u9fff" for c in (left, right)) and bool(left and right)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
