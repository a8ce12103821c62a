"""A BERT that reads: tokens, hidden states and attentions of a text, words for masks, answers to questions.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers". `load` takes the model that ships with
the project, a folder or a name on the Hugging Face hub.
"""

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertModel, BertTokenizer

from hw9.language.hub import EMBEDDED as EMBEDDED
from hw9.language.hub import find
from hw9.language.loading import LENGTH_PENALTY, read_config, read_model, read_tokenizer
from hw9.language.spans import best_span


@dataclass(frozen=True, eq=False)
class Reading:
    """What a BERT with L layers, H heads and width D makes of a text, or a pair, of T tokens; tensors on the CPU."""

    text: str
    pair: str | None
    tokens: list[str]  # T, as the tokenizer prints them: "[CLS]", "word", "##s", "[SEP]"
    ids: Tensor  # (T,) int64
    segments: list[int]  # 0 in the text, 1 in the pair
    special: list[bool]  # True for [CLS], [SEP] and [PAD]
    unknown: list[bool]  # True where the vocabulary has nothing for what stands there
    offsets: list[tuple[int, int]]  # the characters of its text or pair that a token covers; (0, 0) for specials
    hidden_states: Tensor  # (L + 1, T, D): the embedding layer, then every block
    attentions: Tensor  # (L, H, T, T): each row (query) adds up to 1 over the last axis (key)


@dataclass(frozen=True)
class Answer:
    """`context[start:end]` is the answer; `score` is the probability of its start times that of its end."""

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, eq=False)
class Bert:
    """A BERT with its tokenizer and its heads: `mask_head` (.., D) -> (.., V), `answer_head` (.., D) -> (.., 2).

    A head is None where the checkpoint has none.
    """

    name: str
    tokenizer: BertTokenizer
    model: BertModel
    mask_head: nn.Module | None
    answer_head: nn.Module | None
    given: str | None = None  # what `load` was given, and would take again

    @property
    def layers(self) -> int:
        return self.model.config.num_hidden_layers

    @property
    def heads(self) -> int:
        return self.model.config.num_attention_heads

    @property
    def width(self) -> int:
        return self.model.config.hidden_size

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def vocabulary(self) -> int:
        """Tokens that have a name; the model may have rows to spare for more."""
        return len(self.tokenizer)

    @property
    def limit(self) -> int:
        """Tokens that the model can read at once, [CLS] and [SEP] included."""
        return self.model.config.max_position_embeddings

    @property
    def length_penalty(self) -> float:
        """What the score of an answer loses with the logarithm of its length: what config.json says, as a rule 0."""
        return getattr(self.model.config, LENGTH_PENALTY, 0.0)

    def read(self, text: str, pair: str | None = None, *, masked: Collection[int] = ()) -> Reading:
        """Tokens, hidden states and attentions of a text, or of two texts in one input.

        The tokens at the positions `masked` are replaced by the mask. Raises TypeError or ValueError for a text that
        cannot be read (the message says why), IndexError or ValueError for positions that cannot be masked.
        """
        encoded = self.encode(text, pair)
        if masked and self.tokenizer.mask_token_id is None:
            raise ValueError(f"the tokenizer of {self.name} has no mask token, so nothing can be masked")
        for position in masked:
            if not 0 <= position < len(encoded["ids"]):
                raise IndexError(f"there is no token {position}: the text has tokens 0 to {len(encoded['ids']) - 1}")
            if encoded["special"][position]:
                raise ValueError(f"token {position} is {encoded['tokens'][position]}, which cannot be masked")
            encoded["ids"][position] = self.tokenizer.mask_token_id
            encoded["tokens"][position] = self.tokenizer.mask_token
            encoded["unknown"][position] = False
        return self._read([encoded], attentions=True)[0]

    def read_many(
        self, texts: Sequence[str | tuple[str, str]], *, attentions: bool = False, batch: int = 16
    ) -> list[Reading]:
        """One Reading for each text or pair, in their order; `batch` of similar length go through at a time.

        Without `attentions`, a Reading holds an empty (L, H, 0, 0) tensor in their place.
        """
        if isinstance(texts, str):
            raise TypeError("read_many takes a list of texts or pairs: use read for one")
        if batch < 1:
            raise ValueError(f"batch must be 1 or more, not {batch}")
        encoded = [self.encode(*text) if isinstance(text, tuple) else self.encode(text) for text in texts]
        order = sorted(range(len(encoded)), key=lambda k: len(encoded[k]["ids"]))
        found = {}
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            found.update(zip(rows, self._read([encoded[k] for k in rows], attentions), strict=True))
        return [found[k] for k in range(len(encoded))]

    def variants(self, reading: Reading, ids: Tensor, *, attentions: bool = False) -> list[Reading]:
        """The reading with other tokens in the place of its own: one for each row of `ids` (B, T), all read at once."""
        known = {name: value for name, value in vars(reading).items() if name not in ("hidden_states", "attentions")}
        names = self.tokenizer.convert_ids_to_tokens
        rows = [known | {"ids": row, "tokens": names(row)} for row in ids.tolist()]
        return self._read(rows, attentions)

    def last_hidden(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """The last layer's hidden states (B, T, D) of `ids` (B, T), on the model's device; padding is ignored."""
        with torch.no_grad():
            return self._forward(ids, segments).last_hidden_state

    def mask_scores(self, hidden: Tensor) -> Tensor:
        """Scores (.., V) of every token of the vocabulary, float32 on the CPU, for last hidden states (.., D)."""
        if self.mask_head is None:
            raise ValueError(f"{self.name} has no mask head and cannot fill masks: load() the embedded model instead")
        return self._apply(self.mask_head, hidden)

    def answer(self, question: str, context: str, *, longest: int = 60) -> Answer:
        """The span of `context`, at most `longest` tokens, with the highest sum of start and end score.

        Where the model was trained with a `length_penalty`, a span of n tokens loses that times log n. A context that
        does not fit goes through in windows that overlap by a third (Devlin et al. 2019, section 4.2, and the paper's
        code). Raises TypeError or ValueError for what cannot be asked or read.
        """
        if self.answer_head is None:
            raise ValueError(f"{self.name} has no answer head and cannot answer: load() the embedded model instead")
        _check("question", question)
        _check("context", context)
        if longest < 1:
            raise ValueError(f"longest must be 1 token or more, not {longest}")
        asked = len(self.tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"])
        room = self.limit - 3 - asked  # for context, beside [CLS] question [SEP] and [SEP]
        if room < 16:
            raise ValueError(f"the question has {asked} tokens, too many for {self.limit} in all: ask a shorter one")
        windows = self._cutter(
            question,
            context,
            truncation="only_second",
            max_length=self.limit,
            stride=room // 3,
            return_overflowing_tokens=True,
            return_token_type_ids=True,
            padding_side="right",
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        inside = torch.tensor([[k == 1 for k in windows.sequence_ids(row)] for row in range(len(windows["input_ids"]))])
        if not inside.any():
            raise ValueError("the context holds no character that the tokenizer keeps: give it at least one word")
        parts = zip(windows["input_ids"].split(8), windows["token_type_ids"].split(8), strict=True)
        scores = torch.cat([self._apply(self.answer_head, self.last_hidden(*part)) for part in parts])
        start, end = scores.masked_fill(~inside[..., None], -torch.inf).unbind(-1)  # (W, T) each
        row, first, last = best_span(start, end, longest, self.length_penalty)
        begin, finish = int(windows["offset_mapping"][row, first, 0]), int(windows["offset_mapping"][row, last, 1])
        # A token where windows overlap stands there once, with the higher of its scores.
        copies = windows["offset_mapping"][inside].unique(dim=0, return_inverse=True)[1]
        least = torch.full((int(copies.max()) + 1,), -torch.inf)
        starts, ends = (least.scatter_reduce(0, copies, of[inside], "amax") for of in (start, end))
        score = start[row, first] - starts.logsumexp(0) + end[row, last] - ends.logsumexp(0)
        return Answer(context[begin:finish], begin, finish, float(score.exp()))

    def encode(self, text: str, pair: str | None = None) -> dict:
        """What a Reading holds but what the model makes of it, by name, `ids` as a list; raises as `read` does."""
        _check("text", text)
        if pair is not None:
            _check("pair", pair)
        encoded = self.tokenizer(text, pair, return_offsets_mapping=True, return_token_type_ids=True, verbose=False)
        ids = encoded["input_ids"]
        if len(ids) > self.limit:
            raise ValueError(f"the text has {len(ids)} tokens, and {self.name} reads {self.limit} at most: shorten it")
        if not {0, None if pair is None else 1} <= {*encoded.sequence_ids()}:
            raise ValueError("the text holds no character that the tokenizer keeps: give it at least one word")
        apart = {self.tokenizer.cls_token_id, self.tokenizer.sep_token_id, self.tokenizer.pad_token_id}
        return {
            "text": text,
            "pair": pair,
            "tokens": self.tokenizer.convert_ids_to_tokens(ids),
            "ids": ids,
            "segments": encoded["token_type_ids"],
            "special": [token in apart for token in ids],
            "unknown": [token == self.tokenizer.unk_token_id for token in ids],
            "offsets": [tuple(span) for span in encoded["offset_mapping"]],
        }

    def _read(self, encoded: list[dict], attentions: bool) -> list[Reading]:
        lengths = [len(one["ids"]) for one in encoded]
        ids = torch.full((len(encoded), max(lengths)), self.tokenizer.pad_token_id)
        segments = torch.zeros_like(ids)
        for row, one in enumerate(encoded):
            ids[row, : lengths[row]] = torch.tensor(one["ids"])
            segments[row, : lengths[row]] = torch.tensor(one["segments"])
        with torch.no_grad():
            out = self._forward(ids, segments, output_hidden_states=True, output_attentions=attentions)
        given = len(out.attentions or ())  # other kinds of attention than eager give none
        if attentions and given != self.layers:
            raise RuntimeError(
                f"{self.name} gave the attentions of {given} of its {self.layers} layers: load it with eager attention"
            )
        readings = []
        for row, (one, length) in enumerate(zip(encoded, lengths, strict=True)):
            hidden = torch.stack([layer[row, :length] for layer in out.hidden_states]).cpu().float()
            if attentions:
                weights = torch.stack([layer[row, :, :length, :length] for layer in out.attentions]).cpu().float()
            else:
                weights = torch.empty(self.layers, self.heads, 0, 0)
            readings.append(
                Reading(**{**one, "ids": torch.tensor(one["ids"])}, hidden_states=hidden, attentions=weights)
            )
        return readings

    @cached_property
    def _cutter(self) -> BertTokenizer:
        """A tokenizer that cuts and pads. That is set on the tokenizer, not on the call, and another thread (the
        explorer's, in JupyterLab) may be encoding with `tokenizer`."""
        return copy.deepcopy(self.tokenizer)

    def _forward(self, ids: Tensor, segments: Tensor | None, **wanted):
        ids = ids.to(self.device)
        if segments is not None:  # a model with one type of segment reads a pair as one text
            segments = segments.to(self.device).clamp(max=self.model.config.type_vocab_size - 1)
        return self.model(
            input_ids=ids,
            attention_mask=(ids != self.tokenizer.pad_token_id).long(),
            token_type_ids=segments,
            **wanted,
        )

    def _apply(self, head: nn.Module, hidden: Tensor) -> Tensor:
        """What a head makes of hidden states, in the precision of the model, as float32 on the CPU."""
        with torch.no_grad():
            return head(hidden.to(self.device, self.model.dtype)).cpu().float()


def load(name: str | Path | None = None, *, device: str | None = None) -> Bert:
    """The BERT that ships with the project (None), the one in a folder, or the one of that name on the hub.

    `device`: "cpu", "cuda", ...; None takes a GPU where there is one. Raises FileNotFoundError, ConnectionError or
    ValueError, each with one line that says what to do.
    """
    place = _device(device)
    folder, called = find(name)
    config = read_config(folder, called)
    tokenizer = read_tokenizer(folder, called, config)
    model, has_mask, has_answer = read_model(folder, called, config)
    model.to(place)
    return Bert(
        name=called,
        tokenizer=tokenizer,
        model=model.bert,
        mask_head=model.cls.predictions if has_mask else None,
        answer_head=model.qa_outputs if has_answer else None,
        given=None if name is None else str(name),
    )


def _device(device: str | None) -> torch.device:
    try:
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"there is no device {str(device)!r} here: use 'cpu' (or 'cuda' where a GPU is)") from error
    return place


def _check(what: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"the {what} must be a str, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"the {what} is empty: give it at least one word")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"the {what} holds half a character (a lone surrogate): read the file as UTF-8 again")
