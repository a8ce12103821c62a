"""Reading, masks and answers of a tiny random BERT, against transformers' own classes and plain loops."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn
from transformers import BertForMaskedLM, BertForQuestionAnswering, BertModel

from hw9.language.attention import predict_masked
from hw9.language.spans import best_span

SENTENCES = [
    "I eat an apple.",
    "他在吃蘋果",
    "the cat sat on the mat because it was tired",
    "Apples!",
    "苹果公司的手机",
]


@pytest.fixture(scope="module")
def plain(tiny_folder):
    """transformers' own encoder, mask model and answer model from the same folder."""
    return [
        kind.from_pretrained(tiny_folder, attn_implementation="eager").eval()
        for kind in (BertModel, BertForMaskedLM, BertForQuestionAnswering)
    ]


def close(a, b, gap=1e-5):
    return a.shape == b.shape and float((a - b).abs().max()) <= gap


def test_a_reading_is_what_transformers_computes(tiny, plain):
    for text, pair in ((SENTENCES[0], None), ("who ate the apple?", SENTENCES[1])):
        reading = tiny.read(text, pair)
        encoded = tiny.tokenizer(text, pair, return_tensors="pt")
        with torch.no_grad():
            wanted = plain[0](**encoded, output_hidden_states=True, output_attentions=True)
        assert torch.equal(reading.ids, encoded["input_ids"][0])
        assert close(reading.hidden_states, torch.cat(wanted.hidden_states))
        assert close(reading.attentions, torch.cat(wanted.attentions))
        length = len(reading.tokens)
        assert reading.hidden_states.shape == (4, length, 32) and reading.attentions.shape == (3, 4, length, length)
        assert reading.hidden_states.dtype == reading.attentions.dtype == torch.float32


def test_attention_rows_sum_to_one(tiny):
    rows = tiny.read(SENTENCES[2]).attentions.sum(-1)
    assert close(rows, torch.ones_like(rows))


def test_tokens_segments_specials_and_offsets_of_a_pair(tiny):
    reading = tiny.read("I ate unknowns", "他吃 蘋果!")
    assert reading.tokens == ["[CLS]", "i", "ate", "un", "##known", "##s", "[SEP]", *"他吃蘋果!", "[SEP]"]
    assert reading.segments == [0] * 7 + [1] * 6
    assert [place for place, special in enumerate(reading.special) if special] == [0, 6, 12]
    assert (reading.text, reading.pair) == ("I ate unknowns", "他吃 蘋果!")
    covered = [
        (reading.pair if segment else reading.text)[slice(*offsets)]
        for segment, offsets in zip(reading.segments, reading.offsets, strict=True)
    ]
    assert covered == ["", "I", "ate", "un", "known", "s", "", "他", "吃", "蘋", "果", "!", ""]
    assert [reading.offsets[place] for place in (0, 6, 12)] == [(0, 0)] * 3
    assert tiny.read("I ate").pair is None and tiny.read("I ate").segments == [0] * 4


@pytest.mark.parametrize(
    "text, tokens, covered",
    [
        ("🍎 apple", ["[UNK]", "apple"], ["🍎", "apple"]),
        ("a👩‍👩‍👧果b", ["[UNK]", "果", "b"], ["a👩‍👩‍👧", "果", "b"]),
        ("  é\tAPPLE ", ["e", "apple"], ["é", "APPLE"]),
        ("e\u0301 apple", ["e", "apple"], ["e", "apple"]),
        ("𠮷果", ["[UNK]", "果"], ["𠮷", "果"]),
        ("x" * 200 + " cat", ["[UNK]", "cat"], ["x" * 200, "cat"]),
        ("a\x00\u200bb cat", ["a", "##b", "cat"], ["a", "b", "cat"]),
    ],
)
def test_emoji_and_what_the_vocabulary_lacks_keep_their_places(tiny, text, tokens, covered):
    reading = tiny.read(text)
    assert reading.tokens[1:-1] == tokens
    assert [text[slice(*offsets)] for offsets in reading.offsets[1:-1]] == covered
    assert torch.isfinite(reading.hidden_states).all()


def test_masked_tokens_are_replaced(tiny):
    clean, masked = tiny.read("the cat sat"), tiny.read("the cat sat", masked=[2, 3])
    assert masked.tokens == ["[CLS]", "the", "[MASK]", "[MASK]", "[SEP]"]
    assert masked.ids.tolist() == [*clean.ids[:2].tolist(), *[tiny.tokenizer.mask_token_id] * 2, clean.ids[4].item()]
    assert (masked.offsets, masked.special) == (clean.offsets, clean.special)
    written = tiny.read("the [MASK] [MASK]")
    assert written.tokens == masked.tokens and close(written.hidden_states, masked.hidden_states)
    assert not close(clean.hidden_states, masked.hidden_states, gap=0.1)


def test_what_cannot_be_masked(tiny):
    for position in (-1, 5, 99):
        with pytest.raises(IndexError, match=f"no token {position}: the text has tokens 0 to 4"):
            tiny.read("the cat sat", masked=[position])
    for position, name in ((0, "CLS"), (4, "SEP")):
        with pytest.raises(ValueError, match=rf"token {position} is \[{name}\], which cannot be masked"):
            tiny.read("the cat sat", masked=[1, position])


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_many_are_read_as_one_by_one(tiny, batch):
    texts = [*SENTENCES, (SENTENCES[1], SENTENCES[2]), "cat"]
    alone = [tiny.read(*text) if isinstance(text, tuple) else tiny.read(text) for text in texts]
    for one, other in zip(alone, tiny.read_many(texts, attentions=True, batch=batch), strict=True):
        assert close(one.hidden_states, other.hidden_states) and close(one.attentions, other.attentions)
        assert torch.equal(one.ids, other.ids)
        for field in ("text", "pair", "tokens", "segments", "special", "offsets"):
            assert getattr(one, field) == getattr(other, field)
    for one, other in zip(alone, tiny.read_many(texts, batch=batch), strict=True):
        assert close(one.hidden_states, other.hidden_states) and other.attentions.shape == (3, 4, 0, 0)
    assert tiny.read_many([]) == []


def test_mask_scores_are_those_of_transformers_and_padding_changes_nothing(tiny, plain):
    encoded = tiny.tokenizer([SENTENCES[2], SENTENCES[1]], padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = plain[1](**encoded).logits
    found = tiny.mask_scores(tiny.last_hidden(encoded["input_ids"], encoded["token_type_ids"]))
    kept = encoded["attention_mask"].bool()
    assert found.shape == (*kept.shape, len(tiny.tokenizer)) and close(found[kept], wanted[kept])
    short = encoded["input_ids"][1, : int(kept[1].sum())]
    assert len(short) < kept.shape[1] and close(tiny.mask_scores(tiny.last_hidden(short[None]))[0], found[1, kept[1]])


@pytest.mark.parametrize("penalty", [None, 0.5])
def test_the_answer_is_the_best_span_of_the_context(tiny, plain, penalty, monkeypatch):
    if penalty:
        monkeypatch.setattr(tiny.model.config, "answer_length_penalty", penalty, raising=False)
    question, context = "who ate the apple?", "The old doctor ate, and 他在吃蘋果 in Paris."
    encoded = tiny.tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
    places, inside = encoded.pop("offset_mapping")[0].tolist(), [k == 1 for k in encoded.sequence_ids()]
    with torch.no_grad():
        out = plain[2](**encoded)
    start, end = out.start_logits[0], out.end_logits[0]
    for longest in (1, 3, 40):
        spans = {
            (i, j): float(start[i] + end[j]) - (penalty or 0) * math.log(j - i + 1)
            for i in range(len(inside))
            for j in range(i, min(i + longest, len(inside)))
            if inside[i] and inside[j]
        }
        i, j = max(spans, key=spans.get)
        answer = tiny.answer(question, context, longest=longest)
        assert (answer.start, answer.end) == (places[i][0], places[j][1])
        assert answer.text == context[answer.start : answer.end]
        held = torch.tensor(inside)
        chance = start[held].softmax(0)[i - held.int().argmax()] * end[held].softmax(0)[j - held.int().argmax()]
        assert answer.score == pytest.approx(float(chance), rel=1e-3)
    assert tiny.answer(question, context) == tiny.answer(question, context)
    # Another thread may be encoding: what cuts and pads is set on a tokenizer, and not on this one.
    assert tiny.tokenizer.backend_tokenizer.truncation is tiny.tokenizer.backend_tokenizer.padding is None


class Points(nn.Module):
    """An answer head that starts at every token `first` and ends at every token `last` of what the model just read."""

    def __init__(self, first, last):
        super().__init__()
        self.first, self.last, self.ids, self.windows = first, last, None, 0

    def see(self, _, __, inputs):
        self.ids = inputs["input_ids"]
        self.windows += len(self.ids)

    def forward(self, hidden):
        assert self.ids.shape[1] <= 128
        return 20 * torch.stack([self.ids == self.first, self.ids == self.last], -1).float()


def pointing(tiny, first, last):
    head = Points(*tiny.tokenizer.convert_tokens_to_ids([first, last]))
    return dataclasses.replace(tiny, answer_head=head), tiny.model.register_forward_pre_hook(head.see, with_kwargs=True)


def test_an_answer_is_found_wherever_it_stands_in_a_long_context(tiny):
    bert, hook = pointing(tiny, "new", "apple")
    with hook:
        for count, places in ((120, range(121)), (2000, (0, 777, 2000))):
            for place in places:
                words = ["cat"] * count
                words[place:place] = ["New", "apple"]
                context = " 🍎 ".join(words)
                bert.answer_head.windows = 0
                answer = bert.answer("who has the new apple?", context)
                assert bert.answer_head.windows > count // 60
                assert answer.text == context[answer.start : answer.end] == "New 🍎 apple", place
                assert answer.score > 0.99, place  # where windows overlap, a token does not stand against itself
    assert len(context) > 10000


def test_an_answer_longer_than_allowed_is_not_taken_nor_one_that_ends_before_it_starts(tiny):
    bert, hook = pointing(tiny, "new", "apple")
    with hook:
        assert bert.answer("what?", "an apple, a new and old and sweet apple").text == "new and old and sweet apple"
        assert bert.answer("what?", "an apple, a new and old and sweet apple", longest=6).text.startswith("new and")
        assert not bert.answer("what?", "a new and old and sweet apple", longest=5).text.endswith("sweet apple")


def test_best_span_against_a_plain_loop():
    random = torch.Generator().manual_seed(0)
    for longest in (1, 4, 50):
        start, end = torch.randn(2, 3, 20, generator=random)
        start[0, :7] = -torch.inf
        spans = [(w, i, j) for w in range(3) for i in range(20) for j in range(i, min(i + longest, 20))]
        for penalty in (0.0, 0.7):
            scores = {(w, i, j): float(start[w, i] + end[w, j]) - penalty * math.log(j - i + 1) for w, i, j in spans}
            assert best_span(start, end, longest, penalty) == max(scores, key=scores.get)
    assert best_span(torch.zeros(2, 5), torch.zeros(2, 5), 3) == (0, 0, 0)


def test_texts_that_cannot_be_read(tiny):
    ways = {
        "text": tiny.read,
        "pair": lambda text: tiny.read("cat", text),
        "question": lambda text: tiny.answer(text, "the cat"),
        "context": lambda text: tiny.answer("who?", text),
    }
    for what, way in ways.items():
        for text in ("", "   ", "\n\t\u3000"):
            with pytest.raises(ValueError, match=f"^the {what} is empty: give it at least one word$"):
                way(text)
        with pytest.raises(ValueError, match=f"^the {what} holds half a character"):
            way("a cat \ud83c")
        for text in (3, b"cat", ["cat"]):
            with pytest.raises(TypeError, match=f"^the {what} must be a str, not {type(text).__name__}$"):
                way(text)
    for way in (ways["text"], ways["pair"], ways["context"]):
        with pytest.raises(ValueError, match="holds no character that the tokenizer keeps"):
            way("\u200b\x00")


def test_a_text_longer_than_the_model_reads(tiny):
    text = "蘋果" * 5000
    for way in (lambda: tiny.read(text), lambda: tiny.read("cat", text[:9999]), lambda: tiny.read_many(["cat", text])):
        with pytest.raises(ValueError, match=r"has 1000[23] tokens, and .* reads 128 at most: shorten it"):
            way()
    assert len(tiny.read(text[:126]).tokens) == 128
    with pytest.raises(ValueError, match="has 129 tokens"):
        tiny.read(text[:127])
    assert tiny.answer("什麼?", text).text in text
    with pytest.raises(ValueError, match="the question has 10000 tokens, too many for 128"):
        tiny.answer(text, "the cat")


def test_other_arguments_that_make_no_sense(tiny):
    with pytest.raises(TypeError, match="read_many takes a list"):
        tiny.read_many("the cat")
    with pytest.raises(TypeError, match="must be a str, not list"):
        tiny.read_many([["the cat", "the dog"]])
    with pytest.raises(ValueError, match="batch must be 1 or more, not 0"):
        tiny.read_many(["the cat"], batch=0)
    with pytest.raises(ValueError, match="longest must be 1 token or more, not 0"):
        tiny.answer("who?", "the cat", longest=0)


def test_a_model_without_a_head_says_what_it_cannot_do(tiny):
    bare = dataclasses.replace(tiny, mask_head=None, answer_head=None)
    with pytest.raises(ValueError, match=r"has no mask head and cannot fill masks: load\(\)"):
        bare.mask_scores(bare.last_hidden(torch.tensor([[2, 3]])))
    with pytest.raises(ValueError, match=r"has no answer head and cannot answer: load\(\)"):
        bare.answer("who?", "the cat")
    assert bare.read("the cat").tokens[1] == "the"


def test_attentions_that_the_model_keeps_to_itself_are_missed(tiny, tiny_folder):
    fused = BertModel.from_pretrained(tiny_folder, attn_implementation="sdpa").eval()
    with pytest.raises(RuntimeError, match="gave the attentions of 0 of its 3 layers"):
        dataclasses.replace(tiny, model=fused).read("the cat")
    hidden = dataclasses.replace(tiny, model=fused).read_many(["the cat"])[0].hidden_states
    assert close(hidden, tiny.read("the cat").hidden_states)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_model_in_another_precision_is_still_read_in_float32(tiny, dtype):
    """Someone may have called .bfloat16() on it: what it makes is float32, as NumPy and the figures need."""
    parts = [copy.deepcopy(part).to(dtype) for part in (tiny.model, tiny.mask_head, tiny.answer_head)]
    bert = dataclasses.replace(tiny, model=parts[0], mask_head=parts[1], answer_head=parts[2])
    reading, wanted = bert.read("the cat sat"), tiny.read("the cat sat")
    assert reading.hidden_states.dtype == reading.attentions.dtype == torch.float32
    assert close(reading.hidden_states, wanted.hidden_states, 0.1) and close(
        reading.attentions, wanted.attentions, 0.05
    )
    assert bert.mask_scores(bert.last_hidden(reading.ids[None])).dtype == torch.float32
    assert bert.answer("who?", "the cat sat").score == pytest.approx(tiny.answer("who?", "the cat sat").score, rel=0.1)


def test_a_model_with_one_type_of_segment_reads_a_pair(tiny):
    """All its tokens get the only segment there is; what is question and what is context goes by position."""
    model = copy.deepcopy(tiny.model)
    model.config.type_vocab_size = 1
    model.embeddings.token_type_embeddings = nn.Embedding.from_pretrained(
        tiny.model.embeddings.token_type_embeddings.weight[:1]
    )
    bert = dataclasses.replace(tiny, model=model)
    reading, one = bert.read("the cat", "sat on"), tiny.read("the cat [SEP] sat on")
    assert reading.segments == [0] * 4 + [1] * 3 and close(reading.hidden_states, one.hidden_states)
    assert bert.answer("who sat?", "the cat sat").text in "the cat sat"


def test_rows_to_spare_are_never_predicted(folder_with):
    bert = folder_with("extra")
    assert bert.model.config.vocab_size == bert.vocabulary + 3
    last = bert.mask_head.decoder.bias if bert.mask_head.decoder.bias is not None else bert.mask_head.bias
    last.data[-3:] = 50
    assert all(token for token, _ in predict_masked(bert, "the cat", 1, top=bert.vocabulary)[0])


def test_the_facts_of_a_model(tiny):
    assert (tiny.layers, tiny.heads, tiny.width, tiny.limit, tiny.device.type) == (3, 4, 32, 128, "cpu")
    assert not tiny.model.training and not any(weights.requires_grad for weights in tiny.model.parameters())
