# %% [markdown]
# # Homework 9: Explainable AI, part 2 — what does BERT see in a sentence?
#
# BERT turns every token of a sentence into a vector. Every layer computes these vectors anew, looking at all tokens.
# **Where does it look, and what do the vectors know?** In this notebook you fill masks, look into the attention of all
# its heads, switch heads off, watch a question find its answer layer by layer, and ask whether 果 in 蘋果 is a fruit or a
# company.
#
# 中文：BERT 一層一層地把每個字變成向量，每一層都會參考句子裡所有的字。本課看它「注意哪裡」，以及向量「知道什麼」：
# 「蘋果」的「果」，是水果還是公司？
#
# **How to use it.** Run all cells from top to bottom (*Run all*). The **quiz** questions stand below the figures, and each names its figure. Choose your answer on the card: it is saved at once, *Hint* says where to look, *Check* whether it fits. Where you see no cards, write `quiz.answer("phases-3", "a")` in a cell of your own, with the name of the question and your letter. Where the answer depends on the figures, it is computed from *your* run. *Look and think* is not graded. There
# is one thing to write, in section 7; everything runs without it. On two CPU cores it takes a minute or two, without an internet
# connection and without a GPU.
#
# 中文：由上往下執行所有儲存格。圖的下面有測驗題，每一題都對應一張圖；答案若取決於圖，就依你自己跑出的結果計算。「看一看、想一想」
# 不計分。第 7 節有一小段程式要寫，沒寫也能執行。在卡片上選答案，會自動儲存；看不到卡片時，在自己的儲存格執行 quiz.answer("phases-3", "a")，換成題目名稱與你的選項。

# %%
REPOSITORY = ""  # Set-up. Only if this notebook was opened alone (Colab): your teacher's repository here, or upload hw9-colab.zip beside it.
import os, pathlib, shutil, subprocess, sys, tempfile
here, why = pathlib.Path.cwd(), "There is no hw9-colab.zip here, and " + ("no git to fetch REPOSITORY with" if REPOSITORY else "REPOSITORY is empty")
holding = lambda name, *places: next((p for p in map(pathlib.Path, places) if (p / name).is_file()), None)
home, beside = holding("hw9/notebook.py", here, *here.parents, here / "hw9-lesson", *here.glob("hw9-lesson/*")), holding("hw9-colab.zip", here, "/content", "/content/drive/MyDrive")
if home is None and (beside or REPOSITORY and shutil.which("git")):
    get = [sys.executable, "-m", "zipfile", "-e", beside / "hw9-colab.zip"] if beside else ["git", "clone", "-q", REPOSITORY.strip()]
    with tempfile.TemporaryDirectory(dir=here) as part:  # what is damaged, or broken off, leaves nothing behind
        done = subprocess.run([*get, part], capture_output=True, text=True, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
        fresh = None if done.returncode else holding("hw9/notebook.py", part, *pathlib.Path(part).glob("*"))
        home, why = fresh and shutil.move(fresh, here / "hw9-lesson"), " ".join([f"No lesson in {get[-1]}", *done.stderr.splitlines()[-1:]])
if home is None: raise FileNotFoundError(f"{why}: upload hw9-colab.zip beside this notebook, or set REPOSITORY.")
sys.path.insert(0, str(home))
from hw9 import notebook
device = notebook.setup(seed=0)

# %% [markdown]
# **Settings.** Fill in your name (`NAME`) and your student number (`NUMBER`) before you run anything: some quiz questions differ from student to student. Leave the rest as it is for the first run: then the small BERT that ships with this lesson does everything
# (`checkpoints/bert-mini-zh-en`, 12 layers, 12 heads, Chinese character by character, and English). To take another model through the same cells, give its
# name on the Hugging Face hub (this needs an internet connection) or the path of a folder:
#
# - `MODEL`: reads the Chinese sentences and fills masks, for instance `"google-bert/bert-base-chinese"`.
# - `ANSWERS`: answers questions, for instance `"uer/roberta-base-chinese-extractive-qa"` (empty: `MODEL`, if it can).
# - `ENGLISH`: reads the English sentences, for instance `"google-bert/bert-base-cased"` (empty: `MODEL`, if it can).
#
# 中文：先填姓名與學號再執行（題目因學號而異），其他設定第一次先不要改。

# %%
MODEL = ""
ANSWERS = ""
ENGLISH = ""
NAME, NUMBER = "", ""  # as on your student card

# %%
from functools import partial
import torch
from hw9 import quiz
from hw9.language import attention, embeddings, exercise, lesson, phases, probes, questions, sentences, similarity
from hw9.language import interventions as trust_heads, trust
from hw9.language.figures import attention as attention_figures, heads as head_figures, masks as mask_figures
from hw9.language.figures import embeddings as plane_figures, similarity as similarity_figures, trust as trust_figures
from hw9.language.figures.stepper import stepper
from hw9.language.words import most_alike, positions, snippet, units

models = lesson.choose(MODEL, ANSWERS, ENGLISH, device=device)
reader, filler, answerer = models.reader, models.filler, models.answerer
english, english_filler, english_answerer = models.english, models.english_filler, models.english_answerer
source, show = notebook.source, partial(notebook.show, folder=models.figures)
quiz.begin("bert", "texts", notebook.weights_hash(*(bert.model for bert in (filler, answerer, english_filler))), student=NUMBER)

# %% [markdown]
# ## 1. How BERT reads
#
# A sentence is cut into **tokens**: Chinese into characters, English into words or pieces of words (`##ling` continues the same word: mei + ##ling = Meiling). `[CLS]` is put in front and `[SEP]` behind. The model that ships with the lesson reads English in lower case,
# and one vocabulary serves both languages: a Chinese token may turn up as a guess for an English word. The embedding layer,
# *layer 0*, gives each token the sum of three vectors, each from a table of its own: one for the token, one for its position, one for the segment (0: the
# question, or the only text; 1: the text behind the question). Each layer above mixes the vectors of all tokens by **attention**
# and passes them on.
#
# $$\text{Attention}(Q, K, V) = \text{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right) V$$
#
# $Q$, $K$ and $V$ (queries, keys, values) are computed from the vectors with learned matrices; $d$ is how many numbers a key has.
# Each layer does this several times side by side, with different matrices (12 times in the BERT that ships with the lesson); each
# of them is called a **head**. Row $i$ of the softmax says where token $i$ looks: numbers from 0 to 1 that add up to 1, for each
# head of each layer.
# *Vaswani et al. 2017, "Attention Is All You Need", section 3.2; Devlin et al. 2019, "BERT".*
#
# 中文：句子先切成 token（詞元；中文一字一個）。第 0 層只看「字、位置、句段」；之後每一層用注意力把所有字的資訊混合起來（$d$ 是一個
# key 向量的維度）。同一層裡有好幾組不同的矩陣同時這樣做，每一組叫一個「頭」（head，注意力頭）。

# %%
for model, text in ((reader, sentences.APPLE_TRADITIONAL.texts[2]), (english, "She peeled two apples and ate them.")):
    read = model.read(text)
    print(" ".join(read.tokens))
    print(f"  hidden states {tuple(read.hidden_states.shape)}: layers 0 to {model.layers}, tokens, numbers")
    print(f"  attentions {tuple(read.attentions.shape)}: layers, heads, tokens that look, tokens looked at")

# %% [markdown]
# **Your own words.** Put in your name, a word or a sentence. Each token has a number in the vocabulary and a vector in
# the table of tokens; beside it stand the tokens with the most similar vectors. `[UNK]` stands for whatever is not in the vocabulary.
#
# 中文：換成你的名字、一個詞或一句話，看它被切成哪些 token，以及向量表裡哪些 token 和它最像。

# %%
MINE = "王小明 and Chen Meiling love bubble tea!"
for model, reading in lesson.each(lambda model: model.read(MINE), dict.fromkeys((reader, english)), name=lambda model: model.name):
    print(f"{model.name}: {reading.special.count(False)} tokens, without [CLS] and [SEP]")
    for number, piece, alike in zip(reading.ids.tolist(), reading.tokens, most_alike(model, reading)):
        print(f"{number:7d}  {piece}   {'  '.join(alike)}")

# %% [markdown]
# **Look and think.** Into how many tokens is your name cut, and does the model know them all? For which of your tokens are
# the similar ones alike in meaning, for which only in their letters?
#
# 中文：你的名字被切成幾個 token？模型都認得嗎？哪些相似的 token 是意思像，哪些只是字形或拼法像？
#
# ## 2. Fill the mask
#
# **Idea.** BERT learned by guessing words that were hidden behind `[MASK]`. So hide a word and ask: what does it expect
# there, and how sure is it? Then hide a second word as well. If the first guess gets worse, it depended partly on that word;
# if not, other words may have stood in for it. This is the simplest explanation there is: it needs nothing but the model's output.
#
# *Devlin et al. 2019, section 3.1.*
#
# 中文：遮住一個字，看 BERT 猜什麼、有多肯定；再多遮一個字：如果猜測變差，表示它有一部分靠那個字；如果沒變，也可能是別的字補上了。

# %%
source(attention.predict_word)

# %%
def hidden(model, gap, also="", top=5):
    read = model.read(gap.text)
    more = positions(read, also) if also else []  # a word of several tokens is hidden, and guessed, as one word
    return attention.predict_word(model, gap.text, positions(read, gap.word), top, also=more, word=gap.word)

for model, gaps in ((filler, sentences.GAPS_CHINESE), (english_filler, sentences.GAPS_ENGLISH)):
    for one, best in lesson.each(partial(hidden, model, top=4), gaps):
        shown = ", ".join(f"{word} {probability:.0%}" for word, probability in best)
        print(f"{one.text}   {one.word} hidden: {shown}")

# %%
def one_and_two(model, gap):
    return {f"only {gap.word} hidden": hidden(model, gap), f"{gap.also} hidden as well": hidden(model, gap, gap.also)}

gap = sentences.GAPS_CHINESE[0]  # or your own: sentences.Gap(text, word to guess, word to hide as well)
for one, both in lesson.each(partial(one_and_two, filler), [gap]):
    show(mask_figures.predictions(both, expected=one.word, title=one.text), "bert_01_masked_chinese")

# %%
english_gap, guessed = sentences.GAPS_ENGLISH[1], []
for one, both in lesson.each(partial(one_and_two, english_filler), [english_gap]):
    show(mask_figures.predictions(both, expected=one.word, title=one.text), "bert_02_masked_english")
    guessed = [next(p for word, p in row if word.casefold() == one.word.casefold()) for row in both.values()]
notebook.fact("masked", {"probability": guessed, "left": guessed[1] / guessed[0] if guessed else None})

# %% [markdown]
# Which word did the guess depend on? Hide each of the others in its turn, and watch the probability of the right word.
#
# 中文：這個猜測靠的是哪個字？輪流遮住其他每個字，看正確的字的機率變化。

# %%
def others_hidden(gap):
    read = english_filler.read(gap.text)
    place = positions(read, gap.word)
    falls = attention.masked_as_well(english_filler, gap.text, place, gap.word)
    most = min(trust.words(read, place), key=lambda word: falls[word[0]])  # its tokens
    without = attention.predict_word(english_filler, gap.text, place, top=3, also=most)
    words = units(read, place)  # the tokens of each
    figure = mask_figures.masked_as_well(read.tokens, falls, place, units=words, token=gap.word, title=gap.text)
    return figure, read.text[read.offsets[most[0]][0] : read.offsets[most[-1]][1]], without

for one, (figure, most, without) in lesson.each(others_hidden, [english_gap]):
    show(figure, "bert_03_masked_as_well")
    print(f"{one.word} and {most} hidden:", ", ".join(f"{word} {probability:.0%}" for word, probability in without))

# %% [markdown]
# **Look and think.** Which single word matters most for the pronoun? Does a word that matters little look unimportant to you as
# well? The line below the figure gives the guesses without the word that matters most: what did that word tell the model about
# the one that is hidden, a person, a man, or something else?
#
# 中文：哪個字對代名詞最重要？影響小的字，你也覺得不重要嗎？圖下那一行是連最重要的字也遮住時的猜測：那個字原本告訴模型什麼（是人？是男的？還是別的）？

# %%
quiz.ask("masked")

# %% [markdown]
# ## 3. Where does a head look?
#
# **Idea.** For each sentence a head makes one attention matrix: row = the token that looks, column = the token looked at. Some
# heads have a simple habit: look at the next token, at the previous one, at `[SEP]`. First the strongest head of each habit,
# then all heads.
#
# *Clark et al. 2019, "What Does BERT Look At?", section 3.*
#
# In the second half of the layers (nearer to the output, the lower half of the figures) `[CLS]` and `[SEP]` may get the same share from every head. That is no mistake: where their vectors have become
# nearly alike, no head can tell them apart. (A habit of this small model. In BERT-base, layers 6 to 10 look mostly at `[SEP]`, and later heads at full stops and commas, section 3.2 there.)
#
# 中文：每個「頭」對每句話算出一張注意力矩陣：橫列＝正在看的字，直欄＝被看的字。有些頭的習慣很簡單：看下一個字、前一個字或 [SEP]。
# 先看每種習慣最強的一個頭，再看全部。在後半的層（靠近輸出，也就是圖的下半部），[CLS] 與 [SEP] 得到的注意力可能一樣多：兩者的向量幾乎相同時，任何頭都分不出來。

# %%
many = [read for _, read in lesson.each(reader.read, sentences.READ_CHINESE)]
patterns, first = attention.head_patterns(many), many[0]
strongest = {name: divmod(int(patterns[name].argmax()), reader.heads) for name in ("previous", "next", "separator")}
habits = zip(("previous token", "next token", "[SEP]"), strongest.values())
three = {f"{habit}: layer {l + 1}, head {h + 1}": first.attentions[l, h] for habit, (l, h) in habits}
show(attention_figures.matrices(first.tokens, three, title=first.text), "bert_04_three_heads")

# %%
title = "All heads, one sentence (framed: the three above)"
show(attention_figures.grid(first.attentions, marked=list(strongest.values()), title=title), "bert_05_all_heads")

# %% [markdown]
# ### What does every head do?
#
# One sentence can mislead. So average over several, and give each habit a number: the mean share of attention that goes
# to the next token, to the previous one, to the same token elsewhere, and so on. Here we count only where words look, not where `[CLS]` and `[SEP]` look.
# The numbers of a head need not add up to 100: attention to any other word is in none of the columns, a token may count twice (the next one may also be a comma), and *same token* takes only
# words that occur again. *Entropy* tells how widely a head spreads its attention: 0 bits means that it looks at a single token.
#
# 中文：一句話可能誤導，所以取好幾句的平均（只算一般的字在看哪裡，不算 [CLS]、[SEP]）。看其他字的部分不在任何一欄，同一個 token 也可能算兩次（下一個可能就是逗號），
# 「same token」只算有重複的字，所以加起來不一定是 100。熵表示看得多分散，0 位元＝只看一個 token。

# %%
source(attention.head_patterns)

# %%
alike, title = attention.uniform_patterns(many), f"What every head looks at, mean over {len(many)} sentences"
show(head_figures.patterns(patterns, uniform=alike, head=reader.heads - 1, title=title), "bert_06_head_patterns")
framed = [int(place) // reader.heads for name in ("next", "previous") for place in patterns[name].flatten().topk(3).indices]
notebook.fact("neighbours", {"layers": [layer + 1 for layer in framed], "upper": sum(2 * k >= reader.layers for k in framed)})

# %%
show(head_figures.one_head(patterns, reader.heads - 1), "bert_07_head_12")
shares = torch.stack([row[:, -1] for name, row in patterns.items() if name != "entropy"], 1)  # layers, patterns
most = [row.sort(descending=True).values for row in shares.nan_to_num()]
clear = [layer for layer, (first_, second, *_) in enumerate(most, 1) if first_ >= 0.25 and first_ - second >= 0.04]
notebook.fact("head", {"shares": [[], *shares], "clear": clear, "number": reader.heads})

# %% [markdown]
# **Look and think.** In which layers do most heads look at `[CLS]`, and from which layer on, if any, at `[CLS]` and `[SEP]` alike? Take
# two heads with low entropy: what do the other maps say that they look at?
#
# 中文：哪幾層多數的頭看 [CLS]？從哪一層起同時看 [CLS] 與 [SEP]？挑兩個熵很低的頭：其他幾張圖說它們在看什麼？

# %%
quiz.ask("attention")

# %% [markdown]
# ### From layer to layer: attention rollout
#
# In a late layer a token looks at vectors that are themselves mixtures. **Rollout** multiplies the attention of all layers and so
# estimates how much of every input token is in a token at the end. Before that, the attention of each layer is averaged over its heads and
# mixed half and half with the identity, which stands for the *residual connection*: a layer adds what it finds to the vector that came in. *Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3.*
#
# $$\tilde A^{(\ell)} = \left(\tfrac12 \bar A^{(\ell)} + \tfrac12 I\right) \tilde A^{(\ell - 1)}, \qquad \tilde A^{(0)} = I$$
#
# 中文：高層的字向量早已混合了別的字，所以要把每一層的注意力連乘起來（每層先和單位矩陣各半相加，代表殘差連接），估計資訊從哪裡來。

# %%
source(attention.rollout)

# %%
for _, place in lesson.each(partial(positions, first), ["牠"]):
    figure = attention_figures.rollout(first.tokens, attention.rollout(first), place[0], title=first.text)
    show(figure, "bert_08_rollout")

# %% [markdown]
# **Look and think.** Which token makes up the largest part of 牠 after the last layer, and is it a word at all? Do the rows on the right differ from each other, and
# would you take this for what 牠 refers to?
#
# 中文：最後一層之後，牠的成分最多來自哪個 token？它是字嗎？右圖各列彼此有差別嗎？你會把它當作「牠」指的對象嗎？
#
# ## 4. Which heads matter?
#
# **Attention is not yet an explanation**: a head may look somewhere and change nothing. So *intervene*. Switch one head
# off (set its output to zero) and see how the probability of the hidden word changes. Red: without this head the word
# is less likely, so the head spoke for it. Blue: more likely, so it spoke against it. No change may also mean that another head stood in. *Michel, Levy & Neubig 2019, "Are Sixteen Heads Really Better than One?"*
#
# 中文：「有看」不等於「有用」。把某個頭關掉，看機率怎麼變：下降（紅色）表示這個頭支持這個字，
# 上升（藍色）表示反對；沒變也可能是別的頭補上了。

# %%
source(probes.ablated)

# %%
def without_heads(gap):
    place = positions(english_filler.read(gap.text), gap.word)
    return probes.ablation_effect(english_filler, gap.text, place, gap.word)

moved = None  # the head with the largest effect
for one, effects in lesson.each(without_heads, [english_gap]):
    moved = divmod(int(effects.abs().argmax()), english_filler.heads)
    title = f"Change of P({one.word}) without each head, in percentage points\n{one.text}"
    show(head_figures.ablation(effects, title=title), "bert_09_ablation")

# %% [markdown]
# ### Which head knows who “she” is?
#
# The classic question: which head makes a pronoun look at the word it stands for? On a single sentence, some head nearly always looks at
# the right noun by luck. So take a set in which every sentence comes twice, once for each **antecedent** (the noun that the pronoun stands for);
# then "always the nearest noun" is right in exactly half. And if you took one *coin* per head and tossed it once for every sentence, the best coin would be right
# well above half the time. A red frame marks a head above a score that the best of the coins would beat in at most 5 of 100 tries:
# evidence that it finds the noun of the pronoun's gender, which in these sentences is the antecedent. A black frame is as far below one half, and as hard to explain by luck: this head
# tells the two nouns apart as well, but looks at the *other* one.
#
# 中文：哪個頭會讓代名詞看向它所指的人？只看一句話會被運氣騙，所以用成對的句子，並和最好的一枚硬幣比較（每個頭配一枚，每句各擲一次）。
# 紅框：分數高到連最好的硬幣，100 次中最多也只有 5 次超過；這是「這個頭找得到性別相符的人」的證據（在這些句子裡，那正好就是所指的人）。
# 黑框：低到同樣很難用運氣解釋；這樣的頭也分得出兩個人，只是看向另一個。

# %%
source(probes.coreference_choices)

# %%
def pronoun_heads(model, items, language, name):
    choices, above = lesson.each(lambda item: probes.coreference_choices(model, [item])[0], items), None
    if choices:
        known, right = [item for item, _ in choices], torch.stack([choice for _, choice in choices]).mean(0)
        limit, title = probes.best_by_chance(len(known), model.layers * model.heads), f"{len(known)} {language} sentences"
        show(head_figures.coreference(right, probes.baselines(known), limit, title=title), name)
        above = (right > limit).int()
    return above  # (layers, heads): 1 where a head is better than the best coin

print(*[item.text for item in sentences.PRONOUNS_ENGLISH[:2]], sep="\n")
better = pronoun_heads(english, sentences.PRONOUNS_ENGLISH, "English", "bert_10_coreference_english")
found = None if better is None or moved is None or english is not english_filler else better[moved]
notebook.fact("pronouns", {"better": None if better is None else better.sum(), "moved": found})

# %%
chinese = pronoun_heads(reader, sentences.PRONOUNS_CHINESE, "Chinese", "bert_11_coreference_chinese")

# %% [markdown]
# **Look and think.** Are the heads furthest from 50 % the same in both languages? Would coins agree like that?
#
# 中文：離 50 % 最遠的頭，在兩種語言裡是同一些嗎？硬幣會這樣一致嗎？

# %%
quiz.ask("heads")

# %% [markdown]
# ## 5. The attention explorer
#
# Here you can play with the attention matrices of section 3. The explorer replaces exBERT, the tool of the original homework, whose site is no longer online. Two columns of tokens are
# joined by curves, the wider the more attention; the blue squares beside them say how much attention each token gives (left) and
# gets (right), a column for each head; once a token is selected, they count only its own curves. *Top* draws the strongest curves that
# together make up this share of what a token gives; *renormalise* scales what is left of each row so that it adds up to 1.
# Choose a layer and any heads; point at a token, click to pin it, double-click to **mask** it and see what BERT expects
# there; below are all heads, to be ordered by what they do, and a **corpus search** for tokens with a similar vector.
#
# 中文：互動式的注意力瀏覽器，取代課堂用的 exBERT（網站已連不上）：選層、選頭、點一下固定、點兩下遮住、在語料庫裡找相似的字。
# 藍色小格：每個字給出（左）與得到（右）多少注意力，一欄一個頭；選了某個字之後，只算和它相連的注意力。
#
# ![For example: 果 masked in another sentence](figures/attention_explorer.png)
#
# *For example: 果 masked in another sentence. 例如：另一句話，遮住「果」。*

# %%
from hw9.language.explorer import explorer

explorer(reader, sentences.APPLE_TRADITIONAL.texts[2], layer=reader.layers // 2, heads=[reader.heads])

# %% [markdown]
# Run in a live notebook it reads any sentence that you type at its top (with a second text beside it, if you like), and computes any
# combination of masks, and the corpus search, when you ask for it (the first search reads the corpus of 2,064 sentences, a minute
# or two). Without a kernel it is a page that can mask any one token.
# `explorer(...).save("attention.html")` keeps it as a file to hand in; *Copy code* gives the line that shows a view again.
#
# **Try it.** Press *Guided tour*: each of its cards sets layer, heads and masks, lights up what to look at and asks one
# question (mouse, or Tab and the arrow keys; 中文 changes the language). Then open these two texts, each in a new cell; the
# tour chooses other heads and words for them: `explorer(english, "The old man said that he was tired of life.")`, where
# you mask *he*, then *man* as well; and a question with its text, `explorer(answerer, "她在哪裡讀音樂？",
# "二十歲的時候，她去維也納讀音樂。")`, where the last card opens the head with the strongest attention from the question to the text.
#
# 中文：按「導覽」，每張卡片會設定層、頭與遮罩，標出該看的地方，問一個問題。再各開一個新儲存格試上面兩段：英文句先遮 he，再連
# man 也遮住；「問題＋文章」的最後一張卡片，會打開從問題看向文章最強的頭。執行中的筆記本裡，也可以在最上面的欄位輸入自己的句子。

# %% [markdown]
# ## 6. How a question finds its answer, layer by layer
#
# **Idea.** Let BERT read a question together with a text that holds the answer, and draw all tokens as points in a
# plane, once for every layer. The vectors have hundreds of numbers: **PCA** shows the plane in which they vary most, **t-SNE** tries to keep near neighbours near. Van Aken et al. saw four phases: (1) equal words and words of one topic lie
# together, (2) names are joined with what is said of them, (3) the question lies beside the part of the text that answers
# it, (4) the answer stands apart from the rest. Is that so here? *Van Aken et al. 2019, "How Does BERT Answer Questions?"*
#
# 中文：把「問題＋文章」一起讀入，畫出每一層所有字的位置。論文認為有四個階段：相同或同主題的字 → 人事物與其描述 → 問題靠近答案所在
# → 答案和其他字分開。這個模型也是如此嗎？

# %%
source(embeddings.project, embeddings.roles)

# %%
def ask(model, item):
    said, read = model.answer(item.question, item.context), model.read(item.question, item.context)
    return said, read, embeddings.roles(read, (item.start, item.end), (said.start, said.end))

answers = lesson.each(partial(ask, answerer), questions.questions("zh-Hant"))
for item, (said, _, _) in answers:
    print(f"{item.context}\n  {item.question}\n  BERT: {said.text} ({said.score:.0%})   right: {item.answer}\n")
asked, readings, parts = [item for item, _ in answers], [a[1] for _, a in answers], [a[2] for _, a in answers]

# %% [markdown]
# ### PCA
#
# ◆ right answer, ▲ question, ● context, × `[CLS]` and `[SEP]` (they may coincide in later layers, see section 3); a black ring marks what BERT answered. Each
# plane is turned and mirrored to fit the one before. But every layer has a plane of its own, so a point may move only because
# another direction is shown. Only the word at the answer's place is a ◆. Labels: words of the question in orange, of the answer in
# blue; a dark label beside a ● is a word of the question that occurs again in the context. Labels without room are left out. The
# t-SNE figure is marked in the same way.
#
# 中文：◆ 正確答案，▲ 問題，● 文章；黑圈是 BERT 的答案。各層的平面都轉到和前一層最吻合，畫面才不會亂轉；但各層的平面不同，點的移動也
# 可能只是因為換了方向。只有答案位置上的字是 ◆，別處相同的字是 ▲ 或 ●。標出問題的字（橘）與答案的字（藍）；深色字（旁邊是 ●）是問題的字在文章裡再
# 出現的地方；放不下的標籤省略。下面的 t-SNE 圖標法相同。

# %%
planes, variance = embeddings.project(readings[0], "pca"), embeddings.explained_variance(readings[0])
show(plane_figures.grid(planes, readings[0], parts[0], variance=variance, title=f"PCA: {asked[0].question}"), "bert_12_pca")

# %%
stepper(planes, readings[0], parts[0], variance=variance, title=asked[0].question)

# %% [markdown]
# Press *play* above, or drag the slider. In which layer do words of the answer leave the crowd? Do all of them, or only those with a black ring? Below: the last layer of the second question,
# with as many words labelled as fit. Which words of the text lie nearest to the answer: those of its own sentence?
#
# 中文：播放上圖或拖曳滑桿：答案的字在哪一層離開其他字？全部都離開，還是只有畫黑圈的？下圖是第二題的最後一層，盡量標出每個字：離答案最近的，是同一句的字嗎？

# %%
k, last = len(asked[:2]) - 1, answerer.layers
plane, share = (function(readings[k], layers=[last])[0] for function in (embeddings.project, embeddings.explained_variance))
title = f"Layer {last}, PCA ({share.sum():.0%} of the variance): {asked[k].question}"
show(plane_figures.plane(plane, readings[k], parts[k], title=title), "bert_13_last_layer")

# %% [markdown]
# ### t-SNE
#
# **t-SNE** tries to keep near neighbours near, and nothing else. Each panel starts from the one before it, so that a word stays where it was
# unless its neighbours change: staying in place proves nothing either.
#
# 中文：t-SNE 只保留「誰和誰靠近」。每一格從前一格的位置開始算，所以留在原地也不代表向量沒變。

# %%
near = embeddings.project(readings[0], "tsne")
show(plane_figures.grid(near, readings[0], parts[0], title=f"t-SNE: {asked[0].question}"), "bert_14_tsne")

# %% [markdown]
# ### The four phases in numbers
#
# A plane shows only a part of the differences. The four numbers below use all dimensions. They are simple stand-ins for the phases.
# "Near" means: a high cosine, after the layer's mean vector has been subtracted (section 7 says why).
#
# | phase | number | chance |
# |---|---|---|
# | 1. equal words together | of the words that occur more than once, how many have a copy of themselves as their nearest word | a few per cent (layer 0 is high by construction: equal words, equal token vectors) |
# | 2. words of a phrase together | how many words have one of the three words before or after them as their nearest (their copies left out) | a few per cent (layer 0 lies well above it already: it knows no context, only tokens and positions; so compare the later layers with layer 0) |
# | 3. question beside the answer's sentence | take a word of the question, one of the answer's sentence and one of another sentence: how often is the answer's sentence the nearer? (equal words left out) | one half (dotted line) |
# | 4. answer apart | distance of the right answer from the other words, divided by that of other spans of the same length | 1, just as far (dotted line) |
#
# Thin lines are single questions, the thick one is their mean. The layers with the highest mean are shaded (means rounded to two decimals, in
# panels 1 and 2 to whole per cent). No layer is shaded where the highest mean is no more than chance.
#
# 中文：四個數字是各階段的簡單替代：(1) 相同的字在一起，(2) 同一片語（前後三個字）在一起，(3) 問題靠近答案所在的句子，(4) 答案遠離其他字。亂猜的水準：(1)(2) 百分之幾，(3) 一半，(4) 1。
# 細線是單題，粗線是平均；有底色的層，平均最高（第 3、4 格四捨五入到小數第二位，第 1、2 格到整數百分比）；最高也不超過亂猜時，不畫底色。第 0 層的第 1 格一定很高：相同的字，字向量本來就相同。
# 第 2 格的第 0 層也已經高於亂猜：那裡還沒有上下文，只有字和位置，所以後面的層要和第 0 層比。

# %%
source(phases.question_match, phases.answer_apart)

# %%
numbers = phases.phases(readings, parts)
show(plane_figures.phase_curves(numbers, title="Four phases of question answering, Chinese"), "bert_15_phases")
peaks = [sum(layers) / len(layers) if layers else None for layers in phases.tops(numbers).values()]
notebook.fact("phases", {"peaks": peaks, "apart": numbers["answer apart"].mean(0), "layers": answerer.layers + 1})

# %%
told = lesson.each(partial(ask, english_answerer), questions.questions("en"))
for item, (said, _, _) in told:
    print(f"{item.question}  BERT: {said.text} ({said.score:.0%})   right: {item.answer}")
measured = phases.phases([read for _, (_, read, _) in told], [part for _, (_, _, part) in told])
show(plane_figures.phase_curves(measured, title="Four phases of question answering, English"), "bert_16_phases_english")

# %% [markdown]
# **Look and think.**
#
# 1. How far above chance is the top of panel 3? Is that much for so few questions and so many layers?
# 2. Does panel 3 fall *below* chance in the last layers? Then the answer has gone apart (panel 4), but the answer is only a few
#    words of its sentence. Which other words have moved away from the question, too? (Look at the plane of the second question.)
# 3. Is panel 3 below chance in the first layers as well (compare both languages)? Equal words are left out, so what could draw the
#    words of a question to other sentences: words of the same kind, or position?
# 4. Is BERT less sure where its answer is wrong or incomplete? Answer for each language.
# 5. Which of the four phases would you claim for this model, and for which is the evidence too thin?
#
# 中文：(1) 第 3 格的最高點比亂猜高多少？只有幾題、卻有這麼多層，這算多嗎？(2) 最後幾層若低於亂猜：答案雖然遠離了（第 4 格），但它只佔
# 那一句的幾個字；還有哪些字也離開了問題（看第二題的平面圖）？(3) 前幾層若也低於亂猜（比較中、英文兩張圖）：相同的字已經不算，是什麼把
# 問題的字拉向別的句子？同類的字？位置？(4) 答錯或答得不完整時，BERT 的把握比較低嗎（兩種語言分別回答）？(5) 四個階段中，你會主張這個
# 模型有哪幾個？哪幾個證據太薄弱？

# %%
quiz.ask("phases")

# %% [markdown]
# ## 7. One token in many sentences: fruit or company?
#
# **Idea.** Ten sentences with 蘋果, five about the fruit, five about the company. The character 果 is the same in all of
# them; is its *vector*? Compare every two vectors, by **Euclidean distance** and by **cosine similarity**:
#
# $$d(a, b) = \sqrt{\textstyle\sum_i (a_i - b_i)^2} \qquad\qquad \cos(a, b) = \frac{a \cdot b}{\lVert a\rVert\,\lVert b\rVert}$$
#
# 中文：十句話都有「蘋果」，五句是水果，五句是公司。同一個「果」字，向量一樣嗎？用歐氏距離與餘弦相似度比較。

# %%
apples = sentences.APPLE_TRADITIONAL
for number, (text, sense) in enumerate(zip(apples.texts, apples.senses), 1):
    print(f"{number:2d}  {sense:8s} {text}")

# %% [markdown]
# ### Your turn
#
# Write both functions. Each takes two vectors `a` and `b` (torch tensors of one dimension) and returns one number; this is not graded. The check below says whether they are right, or what is
# wrong with them. Until then the lesson's own are used, so everything runs.
#
# 中文：請自己寫這兩個函式；下面會檢查對不對，並指出哪裡錯了。沒寫也能繼續執行。

# %%
def my_euclidean(a, b):
    return ...  # your code

def my_cosine(a, b):
    return ...  # your code

mine = {name: exercise.judged(globals().get(f"my_{name}"), name) for name in ("euclidean", "cosine")}
distance = {name: function for name, (_, function) in mine.items()}
for name, (line, _) in mine.items():
    print(f"{name}: {line}")

# %%
source(similarity.token_vectors)

# %%
def compare(vectors):
    return {"Euclidean distance": distance["euclidean"](vectors), "cosine similarity": distance["cosine"](vectors)}

layer, token = max(1, reader.layers * 11 // 12), "果"  # of 12 layers 11: the last one is shaped for guessing words
labels = [snippet(text, apples.word) for text in apples.texts]
both = compare(similarity.token_vectors(reader, apples.texts, token, layer))
show(similarity_figures.heat_maps(both, labels, apples.senses, title=f"{token} at layer {layer}"), "bert_17_heat_maps")

# %% [markdown]
# Bright means alike in both maps. The large frames are the senses; a thin black one marks in each row the sentence that is
# nearest (of numbers that look equal, further decimals decide). Cosine ignores how long the vectors are, Euclidean distance does
# not. **Look and think.** Does the nearest sentence
# always have the same sense? In which rows do the two maps name different ones?
#
# 中文：兩張圖都是越亮越像；彩色大框是同一個意思的句子。黑框：該列最近的句子（看起來一樣的數字，由後面的小數決定）。餘弦只看方向，歐氏距離也看長度。最近的句子意思都相同嗎？哪幾列的「最近句子」在兩張圖裡不同？
#
# ### All layers
#
# The colour scale of each panel ignores the diagonal, so the most similar pair always looks as bright as the diagonal. The range above the panel tells whether its similarity is really 1.
#
# 中文：色階不含對角線，所以最相似的一對看起來總和對角線一樣亮；是否真的是 1，要看上方的範圍。

# %%
every = similarity.all_layers(reader, apples.texts, token)
maps = torch.stack([distance["cosine"](vectors) for vectors in every])
title = f"Cosine similarity of {token}, each layer on its own scale"
show(similarity_figures.all_layers(maps, apples.senses, name="cosine similarity", shared=False, title=title), "bert_18_all_layers")

# %% [markdown]
# **Layer 0 knows only token, position and segment.** Sentences 1 and 6 both begin with 蘋果: at layer 0 their 果 is the
# *same* vector, distance exactly 0, although one is a fruit and the other a company. Context comes in from layer 1 on.
#
# 中文：第 0 層只知道字、位置、句段。第 1、6 句都以「蘋果」開頭，所以兩個「果」的向量完全相同；上下文從第 1 層才進來。

# %%
located, places = similarity.locate(reader, apples.texts, token)
same = similarity.equal_at_layer_0(every[0], located, places)
pairs = [(i + 1, j + 1) for i in range(len(same)) for j in range(i) if same[i, j]]
print(f"position of {token}:", [place[0] for place in places], "  equal at layer 0:", pairs)

# %%
some = sorted({0, reader.layers // 3, 2 * reader.layers // 3, layer})
spots, shares = (function(every, layers=some) for function in (embeddings.project, embeddings.explained_variance))
title = f"{token} of the ten sentences in a plane (PCA), numbered as printed above"
show(similarity_figures.planes(spots, apples.senses, layers=some, variance=shares.sum(1), title=title), "bert_19_planes")

# %% [markdown]
# **Look and think.** In which panels could one line separate fruit from company? At layer 0, which numbers lie side by side (1 and 6
# share one place)? Look up their positions, printed above: what do you notice?
#
# 中文：哪幾格可以用一條線把水果和公司分開？第 0 層哪些號碼靠在一起（1 和 6 在同一點）？查上面印出的位置：你發現什麼？
#
# ### When do the senses separate?
#
# All vectors of a layer may share one direction, so that even unrelated words are alike (**anisotropy**). So the similarity of
# random pairs of tokens is subtracted before layers are compared (first panel); that changes the height of both curves, not
# the gap between them (second). *Ethayarajh 2019, "How Contextual are Contextualized Word Representations?", section 3.4.*
#
# 中文：各層的向量整體可能都朝同一方向，連無關的字也很像；比較各層之前，要先扣掉隨機字對的相似度（兩條線一起移動，差距不變）。

# %%
source(similarity.layer_curves)

# %%
parting = similarity.layer_curves(reader, apples.texts, apples.senses, token)
title = f"{token} in {len(apples.texts)} sentences, traditional Chinese"
show(similarity_figures.curves(parting, title=title), "bert_20_curves")
apart = parting.within - parting.between
notebook.fact("curves", {"apart": apart / apart.abs().max(), "right": parting.accuracy, "layers": reader.layers + 1})

# %%
sets = {"蘋果, ten": apples, "苹果, ten": sentences.APPLE_SIMPLIFIED, "蘋果, twenty new": sentences.NEW_APPLE_TRADITIONAL,
        "苹果, twenty new": sentences.NEW_APPLE_SIMPLIFIED, "apple": sentences.APPLE_ENGLISH, "bank": sentences.BANK_ENGLISH}
def parted(name):
    model, word = (reader, "果") if "果" in name else (english, sets[name].word)
    return similarity.layer_curves(model, sets[name].texts, sets[name].senses, word)

print("nearest neighbour in the right sense, per cent, by layer:")
print("".join(f"{number:4d}" for number in range(max(reader.layers, english.layers) + 1)))
for name, one in lesson.each(parted, sets):
    print("".join(f"{100 * share:4.0f}" for share in one.accuracy), f"  {name} (chance {one.chance:.0%})")

# %%
banks = sentences.BANK_ENGLISH
for number, (text, sense) in enumerate(zip(banks.texts, banks.senses), 1):
    print(f"{number:2d}  {sense:8s} {text}")
above = max(1, english.layers * 11 // 12)
both = compare(similarity.token_vectors(english, banks.texts, banks.word, above))
title, names = f"“bank” at layer {above}: river or money?", [snippet(text, banks.word) for text in banks.texts]
show(similarity_figures.heat_maps(both, names, banks.senses, title=title), "bert_21_bank")

# %% [markdown]
# **Look and think.** The twenty new sentences were written before any model was tried on them. Do they reach 100 %? What does that say
# about a result on ten? And in the figure: in which rows is a sentence of the other sense nearer than some of its own?
#
# 中文：「twenty new」是在試任何模型之前寫好的。它們達到 100 % 嗎？這說明只用十句得到的結果有多可靠？圖中哪幾列，詞義不同的句子反而比某些詞義相同的更近？

# %%
quiz.ask("comparison")

# %% [markdown]
# ## 8. Can you believe it?
#
# Attention, rollout, gradients: each gives a pretty picture of *which word mattered*, and they differ. So put them to the
# test. The question is always the same: one word is hidden. On which of the other words does the probability of the *right* word depend (also where the model would guess another one)? Each **method** answers
# with a number for every other word.
#
# ### Which word mattered? Ask by experiment
#
# **Idea.** Section 2 had an answer that needs no theory: hide one more word and see how far the probability of the right word falls. We take that as the reference and call it “truth” in the figures; it is a choice, since words that work together hide each other's effect. Two more methods, which look inside:
#
# **Value zeroing**: in one layer, remove what token $t$ has to give (its value vector, in all heads), and measure how far the
# vector of each token $i$ turns away from where it was. The layers are then multiplied, as in rollout but without the identity, or averaged:
#
# $$C^{(\ell)}_{i,t} = 1 - \cos\bigl(h^{(\ell)}_{i,\,\text{without } t},\, h^{(\ell)}_{i}\bigr), \quad \text{each row divided by its sum}$$
#
# **Integrated gradients** start from the sentence with every word replaced by `[MASK]` and go to the real one, as for pictures in part 1; the
# shares of all words add up to the change of $\log P$ (completeness).
# *Mohebbi et al. 2023, "Quantifying Context Mixing in Transformers", section 3; Sundararajan et al. 2017, section 3.*
#
# 中文：哪個字重要？最直接的答案是實驗：再多遮一個字，看正確的字的機率降多少（即使模型猜的是別的字），把它當作「真相」。其他方法只是推測，要拿來和真相比較。Value
# zeroing：在某一層拿掉一個字能給的東西（value），看其他字的向量轉了多少（各層連乘，像 rollout 但不加單位矩陣；或取平均）。積分梯度：從全是 [MASK] 的句子走到原句，各字分到的量加起來，等於
# log P 的變化。

# %%
source(trust.value_zeroing)

# %%
def examined(case):
    (model, gap), read = case, case[0].read(case[1].text)
    place = positions(read, gap.word)  # a word of several tokens is hidden, measured and compared as one
    truth = trust.hidden_as_well(model, gap.text, place, gap.word)
    return place, truth, trust.answers(model, gap.text, place, gap.word, seed=len(gap.text)), trust.words(read, place)

tested = [(filler, gap) for gap in sentences.GAPS_CHINESE] + [(english_filler, gap) for gap in sentences.GAPS_ENGLISH]
tested = lesson.each(examined, tested, name=lambda case: case[1].text)
(judge, case), (spot, truth, claims, others) = next((row for row in tested if row[0][1] == english_gap), tested[-1])
table = {"truth: hidden one by one": truth} | {name: answer for name, answer in claims.items() if "random" not in name}
tokens, title = judge.read(case.text).tokens, f"Which words does “{case.word}” depend on? {case.text}"
show(trust_figures.answers(tokens, table, spot, units=others, title=title), "bert_22_which_word")
summed = trust.integrated_gradients(judge, case.text, spot, case.word)
print(f"Integrated gradients: the shares add up to {float(summed.tokens.sum()):+.2f}, off by {summed.gap:.1%} of the change of log P.")

# %% [markdown]
# **Look and think.** Compare the frames of attention (mean) and value zeroing (mean) with those of nearness: where they name
# the same words, what tells you that the method has looked into the model at all?
#
# 中文：把 attention (mean)、value zeroing (mean) 的紅框和「離得近」（nearness）相比：挑的字相同時，怎麼知道這個方法真的看進了模型？
#
# One sentence proves nothing. **Kendall's tau** compares two orders of the words: 1 is the same, 0 is chance, -1 the
# reverse. A dot is a sentence, the stroke their mean. Two controls have not looked into the model: how *near* a word stands
# to the mask, and *random* numbers. A method that is not better than nearness has shown little.
#
# The sentences are the same for every method, and some are hard for all of them. So compare in **pairs** (right panel): the tau
# of a method minus that of nearness *in the same sentence*. If one method had been chosen beforehand and there were no
# difference, a bar of two standard errors would seldom lie wholly on one side of 0. The best of several, picked after looking, does so more often
# (think of the coins in section 4).
#
# 中文：Kendall's tau 比較兩種排序：1 完全相同，0 等於亂猜，−1 完全相反。沒有勝過「離得近」的方法，就沒證明什麼。每種方法用的是
# 同一批句子，所以要「成對」比較（右圖）：同一句裡，該方法的 tau 減去「離得近」的 tau。看完結果才挑出的「最好的一個」，比較容易碰巧離開 0（想想第 4 節的硬幣）。

# %%
taus = {name: [trust.kendall(answers[name], truth, words) for _, (_, truth, answers, words) in tested] for name in claims}
title = f"Which word mattered? Agreement with the truth, {len(tested)} sentences"
near_by = "nearness (control)"
show(trust_figures.agreement(taus, trust.gains(taus, near_by), control=near_by, title=title), "bert_23_agreement")
means = {name: sum(values) / len(values) for name, values in taus.items()}
notebook.fact("mattered", {"clear": trust.clear_of(taus, near_by)})
print("best to worst:", ", ".join(f"{name} {means[name]:+.2f}" for name in sorted(means, key=means.get, reverse=True)))
print("mean below 0:", ", ".join(name for name, mean in means.items() if mean < 0 and "control" not in name) or "none")

# %% [markdown]
# **Look and think.** Does it pay to *multiply* the layers (rollout), or is their plain mean closer to the truth? Why may a product
# of so many layers lose the words on the way?
#
# 中文：把各層「連乘」（rollout）值得嗎，還是單純平均更接近真相？這麼多層連乘，為什麼會在途中把字弄丟？

# %%
quiz.ask("mattered")

# %% [markdown]
# ### Are the words it names needed, and are they enough?
#
# **Comprehensiveness**: hide the words a method names first (the top 1, 2, ... up to half of the sentence's words; the figure shows the mean); how much
# of the right word's probability is lost?
# **Sufficiency**: hide all *but* them; how much is lost now? Hidden words become `[MASK]`, they are never cut out. Bars are
# two standard errors again. The truth, “hidden one by one”, takes part as a method, and its order reversed as a control.
# *DeYoung et al. 2020, "ERASER", section 4.*
#
# 中文：必要性（comprehensiveness）＝遮住它說重要的字，正確的字的機率掉多少（越多越好）；充分性（sufficiency）＝只留下這些字，機率掉多少（越少
# 越好）。「逐一遮住」也當作一種方法；對照組是把它的順序倒過來。

# %%
draws, needed, enough = 8, {}, {}
for number, ((model, gap), (place, _, answers, _)) in enumerate(tested):
    found = {name: answer for name, answer in answers.items() if "random" not in name}
    erased = trust.erasures(model, gap.text, place, gap.word, found, draws=draws, seed=number)
    for name, (without, only) in erased.items():
        needed.setdefault(name, []).append(without)
        enough.setdefault(name, []).append(only)
title = f"Needed, and enough? {len(tested)} sentences (random: mean of {draws} orders)"
show(trust_figures.erasure(needed, enough, title=title), "bert_24_erasure")

# %% [markdown]
# **Look and think.** Does “hidden one by one” win both? (It need not: words work together.) Which methods are no better than random
# order? These bars are not paired (compare the right panel of the figure before), so they can hide a small lead: do you see any
# method that looks into the model clearly ahead of nearness even here?
#
# 中文：「逐一遮住」兩邊都贏嗎？哪些方法不比亂排好？這些橫條不是成對比較（對照前一張的右圖），小的領先看不出來：有哪個看進模型的方法，
# 領先「離得近」到連這裡都看得出來？
#
# ### Is the attention used?
#
# **Idea.** A picture of a head explains something only if the head's *weights* matter. Three interventions on each head:
# set its output to zero (**zeroed**), let it look at all words alike (**uniform**), or shuffle each row of its weights (**permuted**: the median
# change over many draws; rises and falls may cancel in it, so the paper measures distances, which have no sign). What does a median near 0
# tell you about the map of that head? A large change alone does not show that the head was needed: if it looked mostly at `[CLS]` or
# `[SEP]`, shuffling makes it bring in noise. So trust a large change only where zeroing hurts as well. Wiegreffe & Pinter object: the rest
# of the model computes the attention, so this model would never make a shuffled map; and what the test shows depends on what you call an
# explanation. Both papers test mainly recurrent networks; in BERT other heads may stand in, too.
# *Jain & Wallace 2019, "Attention is not Explanation"; Wiegreffe & Pinter 2019, "Attention is not not Explanation".*
#
# 中文：把某個頭的注意力打亂許多次，取機率變化的中位數（有升有降會互相抵消，所以論文用距離）。若接近 0，你能對那張注意力圖說什麼？（Wiegreffe 與 Pinter 反駁：注意力是模型其他部分算出來的，打亂的圖不是這個模型會產生的；而且結論取決於「解釋」的定義。）變化大也不一定表示它有用：
# 原本在 [CLS]、[SEP] 上「休息」的頭，被打亂後反而帶進雜訊；關掉它機率也下降，才算數。

# %%
draws = 30  # the paper takes 100: three times as long
changes = trust_heads.head_interventions(judge, case.text, spot, case.word, draws=draws)
title = f"Change of P({case.word}) in percentage points (permuted: median of {draws})\n{case.text}"
show(trust_figures.interventions(changes, title=title), "bert_25_interventions")
idle = (changes["permuted"].abs() < 0.025).float().mean()
print(f"median change of P({case.word}) under shuffling: less than 2.5 points in {idle:.0%} of the heads")
print("The three heads of section 3:", ", ".join(f"layer {l + 1}, head {h + 1}" for l, h in strongest.values()))
notebook.fact("used", {"idle": idle})

# %% [markdown]
# **Look and think.** Find the three heads of the first figure of section 3 in the panel *permuted*: did it matter for this
# guess where they look? Is the head that matters most (framed) the same under all three? For which heads does shuffling lower the probability
# *more* than switching them off, and where do they look (section 3, there in Chinese sentences)?
#
# 中文：在 permuted 那一格找第 3 節第一張圖的三個頭：它們看哪裡，這次有用到嗎？影響最大的頭（黑框）在三格裡是同一個嗎？哪些頭被打亂時，機率比整個關掉降得更多？它們看哪裡（第 3 節）？

# %%
quiz.ask("used")

# %% [markdown]
# ### When does the mask become a word?
#
# **Idea.** The output layer that fills masks (the *masked-language-model head*, MLM head for short; not an attention head) turns the last layer's vector into
# words. Apply it to the earlier layers as well: what stood there before? It was trained on the last layer alone, so what it reads in
# the earlier ones (higher up in the figure) is a hint, no proof. *nostalgebraist 2020, "the logit
# lens".*
#
# 中文：把「填空」的輸出層接到每一層：正確的字從第幾層開始排第一？之前是什麼字？輸出層只在最後一層訓練過，讀前面的層（圖中較上面的列）只能當線索。

# %%
tops, right = trust.mask_by_layer(judge, case.text, spot, case.word)
show(trust_figures.mask_by_layer(tops, right, token=case.word, title=case.text), "bert_26_mask_by_layer")
notebook.fact("by_layer", {"since": trust.on_top_from(tops, case.word)})
for (model, gap), (place, *_) in (row for row in tested if row[0][1] != case):
    steps, _ = trust.mask_by_layer(model, gap.text, place, gap.word)
    print(f"{gap.text}  {trust.told(steps, gap.word)}")

# %% [markdown]
# **Look and think.** Read the list below the figure. “before” lists the last words that led in earlier layers. *for good* means: the final word had led once before, lost its lead, and took it back. Are the words after “before” of the same kind as the final word (a pronoun before a
# pronoun, part of another foreign name before 巴)? Which sentences end with a wrong word?
#
# 中文：看圖下的清單：每行最後的 before 是較前面幾層排第一的字（只列最近幾個）。它們和最後的字是同一類嗎（代名詞之前也是代名詞？「巴」之前也是外國名字用的字？）哪幾句最後還是猜錯？

# %%
quiz.ask("by-layer")

# %% [markdown]
# ## 9. Your own sentences
#
# In the next cell put your own sentences into `SENTENCES`, a word that all of them contain into `WORD`, and the sense of the word in each sentence into `SENSES` (any labels, at least two sentences of each). The figure puts those of one sense together. Is the nearest
# sentence always of the same sense? Try a word for which it is not.
#
# 中文：圖中詞義相同的句子排在一起。最近的句子總是同一個意思嗎？換成你自己的句子與詞，找一個「不是」的例子。

# %%
WORD = "打"
SENTENCES = ["他每天放學都去打籃球。", "我打電話給媽媽報平安。", "週末我們一起去打網球。", "請你下午打電話到公司。"]
SENSES = ["play", "call", "play", "call"]
own = lesson.own(reader, WORD, SENTENCES, SENSES)
if len(own.texts) > 1:
    both = compare(similarity.token_vectors(reader, own.texts, own.word, layer))
    names = [snippet(text, own.word) for text in own.texts]
    show(similarity_figures.heat_maps(both, names, own.senses, title=f"{WORD} at layer {layer}"), "bert_27_own")

# %% [markdown]
# ## Hand in your answers
#
# This cell writes one file with your answers and the numbers of your figures, says where it lies, and shows what will be
# graded. If your name and number are not yet in the settings at the top, write them there, run the notebook again from
# that cell on, and go through the questions once more (some change with your student number); your answers are kept.
#
# 中文：執行下面這一格就會產生要繳交的檔案，並列出會被計分的答案。若還沒填姓名與學號，請在最上面填好，從那一格起重新執行，再看一次題目（答案會保留）。

# %%
quiz.hand_in(NAME, NUMBER)

# %% [markdown]
# ## What you have seen
#
# | method | asks | needs | beware |
# |---|---|---|---|
# | masked prediction | what does the model expect here, and on which word does that depend? | only the output | several words may share the work |
# | attention of a head | where does this head look? | the attention weights | looking is not using |
# | rollout, mean attention | where does the information come from? | all attentions | an average over heads, no proof |
# | erasure | are the words that a method names needed, and are they enough? | only the output | the text with many masks is strange to the model |
# | ablation | does this head change the answer? | a hook: code that steps in while the model computes | heads stand in for each other |
# | value zeroing | which token changes which, in a layer? | a hook | followed through the layers it may lose the words |
# | integrated gradients | how is the log-probability shared out? | gradient | the baseline, here `[MASK]`, decides |
# | shuffled attention | are a head's weights used? | a hook | one sentence, one word |
# | logit lens (mask by layer) | when does the guess become a word? | hidden states, output layer | the output layer was trained on the last layer alone |
# | PCA, t-SNE | which tokens lie together? | hidden states | a plane shows a part; t-SNE has no scale |
# | distances | does the vector know the sense? | hidden states | subtract first what all vectors share |
#
# 中文：注意力告訴你「看哪裡」，介入實驗告訴你「有沒有用」，向量距離告訴你「知道什麼」。三者要一起看。
