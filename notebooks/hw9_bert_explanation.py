# %% [markdown]
# # Homework 9: Explainable AI, part 2 — what does a BERT see in a sentence?
#
# BERT turns every token of a sentence into a vector, twelve times over, each time looking at all the other tokens.
# **Where does it look, and what do the vectors know?** In this notebook you fill masks, look into the attention of all
# its heads, switch heads off, watch a question find its answer layer by layer, and ask whether 果 in 蘋果 is a fruit or a
# company.
#
# 中文：BERT 一層一層地把每個字變成向量，每一層都會參考句子裡所有的字。本課看它「注意哪裡」，以及向量「知道什麼」：
# 「蘋果」的「果」，是水果還是公司？
#
# **How to use it.** Run all cells from top to bottom (*Run all*). Each figure is followed by the questions you should
# be able to answer from it. There is one thing to write, in section 7; everything runs without it. On two CPU cores it
# takes a minute or two, without network and without a GPU.

# %%
# Set-up. Opened alone (Colab)? Put the address of your teacher's repository here, or hw9-colab.zip beside this notebook.
REPOSITORY = ""
import pathlib, subprocess, sys, zipfile
here = pathlib.Path.cwd()
colab = [here, pathlib.Path("/content"), pathlib.Path("/content/drive/MyDrive")]
home = next((p for p in [here, *here.parents, here / "hw9-lesson"] if (p / "hw9" / "notebook.py").is_file()), None)
archive = next((p / "hw9-colab.zip" for p in colab if (p / "hw9-colab.zip").is_file()), None)
if home is None and (archive or REPOSITORY):
    home = here / "hw9-lesson"
    zipfile.ZipFile(archive).extractall(home) if archive else subprocess.run(["git", "clone", "-q", REPOSITORY, home], check=True)
if home is None:
    raise FileNotFoundError("The lesson's package is not here: upload hw9-colab.zip beside this notebook, or set REPOSITORY.")
sys.path.insert(0, str(home))
from hw9 import notebook
device = notebook.setup(seed=0)

# %% [markdown]
# **Settings.** Leave them as they are for the first run: `""` is the small BERT that ships with this lesson
# (`checkpoints/bert-mini-zh-en`, 12 layers, 12 heads, Chinese character by character, and English). With a network, a
# name on the Hugging Face hub, or the path of a folder, takes another model through the same cells:
#
# - `MODEL`: reads the Chinese sentences and fills masks, for instance `"google-bert/bert-base-chinese"`.
# - `ANSWERS`: answers questions, for instance `"uer/roberta-base-chinese-extractive-qa"`.
# - `ENGLISH`: reads the English sentences, for instance `"google-bert/bert-base-cased"`.

# %%
MODEL = ""
ANSWERS = ""
ENGLISH = ""

# %%
from functools import partial
import torch
from hw9.language import attention, bert, embeddings, exercise, phases, probes, questions, sentences, similarity
from hw9.language.figures import attention as attention_figures, heads as head_figures, masks as mask_figures
from hw9.language.figures import embeddings as plane_figures, similarity as similarity_figures
from hw9.language.figures.stepper import stepper
from hw9.language.words import most_alike, positions, snippet

reader = bert.load(MODEL or None, device=device)
answerer = bert.load(ANSWERS, device=device) if ANSWERS else reader
english = bert.load(ENGLISH, device=device) if ENGLISH else reader
folder = "own" if MODEL or ANSWERS or ENGLISH else ""
source, show = notebook.source, partial(notebook.show, folder=notebook.figures_folder(folder))
for task, model in {"reads Chinese": reader, "answers questions": answerer, "reads English": english}.items():
    print(f"{task}: {model.name}, {model.layers} layers of {model.heads} heads, {model.width} numbers per token")

# %% [markdown]
# ## 1. How a BERT reads
#
# A sentence is cut into **tokens**: Chinese into characters, English into words or pieces of words (`##s` continues the
# word before it). `[CLS]` is put in front and `[SEP]` behind. The embedding layer, *layer 0*, gives each token a vector
# from three tables, one for the token, one for its position, one for the segment. Each of the twelve layers above mixes
# the vectors of all tokens by **attention** and passes them on.
#
# $$\text{Attention}(Q, K, V) = \text{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right) V$$
#
# Row $i$ of the softmax says where token $i$ looks: numbers from 0 to 1 that add up to 1, for each head of each layer.
# *Vaswani et al. 2017, "Attention Is All You Need", section 3.2; Devlin et al. 2019, "BERT".*
#
# 中文：句子先切成 token（中文一字一個）。第 0 層只看「字、位置、句段」；之後每一層用注意力把所有字的資訊混合起來。

# %%
for model, text in ((reader, sentences.APPLE_TRADITIONAL.texts[2]), (english, "She peeled two apples and ate them.")):
    reading = model.read(text)
    print(" ".join(reading.tokens))
    print(f"  hidden states {tuple(reading.hidden_states.shape)}: layers 0 to {model.layers}, tokens, numbers")
    print(f"  attentions {tuple(reading.attentions.shape)}: layers, heads, tokens that look, tokens looked at")

# %% [markdown]
# **Your own words.** Put in your name, a word or a sentence. Each token has a number in the vocabulary and a vector in
# the table of tokens; beside it stand the tokens with the most similar vectors. `[UNK]` is whatever is not in there.
#
# 中文：換成你的名字、一個詞或一句話，看它被切成哪些 token，以及向量表裡哪些 token 和它最像。

# %%
MINE = "王小明 loves bubble tea!"
for model in dict.fromkeys((reader, english)):
    reading = model.read(MINE)
    print(f"{model.name}: {reading.special.count(False)} tokens, without [CLS] and [SEP]")
    for number, token, alike in zip(reading.ids.tolist(), reading.tokens, most_alike(model, reading)):
        print(f"{number:7d}  {token}   {'  '.join(alike)}")

# %% [markdown]
# **Questions.** Into how many tokens is your name cut, and does the model know them all? For which of your tokens are
# the similar ones alike in meaning, for which only in their letters? Why is there one more layer of hidden states than
# of attentions?
#
# ## 2. Fill the mask
#
# **Idea.** BERT learned by guessing words that were hidden behind `[MASK]`. So hide a word and ask: what does it expect
# there, and how sure is it? Then hide a second word as well. If the first guess gets worse, that second word was what
# it rested on: the simplest explanation there is, and it needs nothing but the model's output.
#
# *Devlin et al. 2019, section 3.1.*
#
# 中文：遮住一個字，看 BERT 猜什麼、有多肯定；再多遮一個字，如果猜測變差，就表示它原本依靠那個字。

# %%
source(attention.predict_masked)

# %%
gaps = [(reader, gap) for gap in sentences.GAPS_CHINESE] + [(english, gap) for gap in sentences.GAPS_ENGLISH]
for model, gap in gaps:
    place = positions(model.read(gap.text), gap.word)[:1]
    best = attention.predict_masked(model, gap.text, place, top=4)[0]
    shown = ", ".join(f"{word} {probability:.0%}" for word, probability in best)
    print(f"{gap.text}   {gap.word} hidden: {shown}")

# %%
def one_and_two(model, gap):
    reading = model.read(gap.text)
    place, also = positions(reading, gap.word), positions(reading, gap.also)
    alone = attention.predict_masked(model, gap.text, place)[0]
    both = attention.predict_masked(model, gap.text, [*place, *also])[0]
    return {f"only {gap.word} hidden": alone, f"{gap.also} hidden as well": both}

gap = sentences.GAPS_CHINESE[0]
show(mask_figures.predictions(one_and_two(reader, gap), expected=gap.word, title=gap.text), "bert_01_masked_chinese")

# %%
gap = sentences.GAPS_ENGLISH[1]
show(mask_figures.predictions(one_and_two(english, gap), expected=gap.word, title=gap.text), "bert_02_masked_english")

# %% [markdown]
# Which word did the guess rest on? Hide each of the others in its turn, and watch the probability of the right word.

# %%
reading = english.read(gap.text)
place = positions(reading, gap.word)[0]
falls = attention.masked_as_well(english, gap.text, place, gap.word)
figure = mask_figures.masked_as_well(reading.tokens, falls, place, token=gap.word, title=gap.text)
show(figure, "bert_03_masked_as_well")

# %% [markdown]
# **Questions.** How sure is BERT of the hidden word, and how far does the probability fall when the other word is hidden
# too? Which single word matters most for the pronoun? Does a word that matters little look unimportant to you as well?
#
# ## 3. Where does a head look?
#
# **Idea.** A head is one attention matrix: row = the token that looks, column = the token looked at. Some heads have a
# simple habit: look at the next token, at the previous one, at `[SEP]`. Read one matrix first, then all of them.
#
# *Clark et al. 2019, "What Does BERT Look At?", section 3.*
#
# 中文：每個「頭」是一張注意力矩陣：列＝正在看的字，行＝被看的字。有些頭的習慣很簡單：看下一個字、前一個字、或 [SEP]。

# %%
many = reader.read_many(sentences.READ_CHINESE, attentions=True)
found = attention.head_patterns(many)
strongest = {name: divmod(int(found[name].argmax()), reader.heads) for name in ("previous", "next", "separator")}
reading = reader.read(sentences.READ_CHINESE[0])
chosen = {f"layer {l + 1}, head {h + 1}": reading.attentions[l, h] for l, h in strongest.values()}
show(attention_figures.matrices(reading.tokens, chosen, title=sentences.READ_CHINESE[0]), "bert_04_three_heads")

# %%
show(attention_figures.lines(reading.tokens, chosen, least=0.1, title="The same three heads as curves"), "bert_05_lines")

# %%
title = "All heads, one sentence (framed: the three above)"
show(attention_figures.grid(reading.attentions, marked=list(strongest.values()), title=title), "bert_06_all_heads")

# %% [markdown]
# ### What does every head do?
#
# One sentence can mislead. So average over several, and give each habit a number: the mean share of attention that goes
# to the next token, to the previous one, to the same token elsewhere, and so on. *Entropy* tells how spread out a head
# looks: 0 bits is a single token.

# %%
source(attention.head_patterns)

# %%
alike, title = attention.uniform_patterns(many), f"What every head looks at, mean over {len(many)} sentences"
show(head_figures.patterns(found, uniform=alike, head=reader.heads - 1, title=title), "bert_07_head_patterns")

# %%
show(head_figures.one_head(found, reader.heads - 1), "bert_08_head_12")

# %% [markdown]
# **Questions.** What does the head of the last figure do in every layer? Where are the framed heads of “next token” and
# “previous token”: nearer to the input or to the output? From which layer on do nearly all heads look at `[SEP]`? Take
# two heads with less than 1 bit of entropy: what do the other maps say that they look at?
#
# ### From layer to layer: attention rollout
#
# In layer 12 a token looks at vectors that are themselves mixtures. **Rollout** multiplies the attention of all layers
# (averaged over heads, half of it kept in place for the residual connection) and so estimates how much of every *word*
# is in a token at the end. *Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3.*
#
# $$\tilde A^{(\ell)} = \left(\tfrac12 \bar A^{(\ell)} + \tfrac12 I\right) \tilde A^{(\ell - 1)}$$
#
# 中文：高層的字向量早已混合了別的字，所以要把每一層的注意力連乘起來，才知道資訊實際從哪裡來。

# %%
source(attention.rollout)

# %%
place = positions(reading, "牠")[0]
figure = attention_figures.rollout(reading.tokens, attention.rollout(reading), place, title=sentences.READ_CHINESE[0])
show(figure, "bert_09_rollout")

# %% [markdown]
# **Questions.** After which layer is 牠 no longer the largest part of itself (left)? What is the largest part after the
# last layer? Do the rows on the right differ from each other, and would you take this for what 牠 refers to?
#
# ## 4. Which heads matter?
#
# **Attention is not yet an explanation**: a head may look somewhere and change nothing. So *intervene*. Switch one head
# off (set its output to zero) and see how the probability of the hidden word changes. Red: without this head the word
# is less likely, so the head spoke for it. *Michel, Levy & Neubig 2019, "Are Sixteen Heads Really Better than One?"*
#
# 中文：「有看」不等於「有用」。把某個頭關掉，如果機率下降，才表示這個頭真的有貢獻。

# %%
source(probes.ablated)

# %%
gap = sentences.GAPS_ENGLISH[1]
place = positions(english.read(gap.text), gap.word)[0]
effects = probes.ablation_effect(english, gap.text, place, gap.word)
title = f"Change of P({gap.word}) without each head, in percentage points\n{gap.text}"
show(head_figures.ablation(effects, title=title), "bert_10_ablation")

# %% [markdown]
# ### Which head knows who “she” is?
#
# The classic question: which head sends a pronoun to the word it stands for? On one sentence some head always does, by
# luck. So take a set in which every sentence comes twice, once for each antecedent; then "always the nearest noun" is
# right in exactly half, and of as many *coins* as there are heads the best is right well above half. Only a red frame
# (above the best coin) is evidence. A black one marks a head that is further below one half than the best coin is above:
# it looks at the other noun.
#
# 中文：哪個頭會讓代名詞看向它所指的人？只看一句話會被運氣騙；要用成對的句子，並和「同樣多枚硬幣中最好的一枚」比較。紅框才是證據；黑框的頭偏向另一個名詞。

# %%
source(probes.coreference_choices)

# %%
pronouns = sentences.PRONOUNS_ENGLISH
print(*[item.text for item in pronouns[:2]], sep="\n")
right, place_alone = probes.coreference(english, pronouns), probes.baselines(pronouns)
limit = probes.best_by_chance(len(pronouns), english.layers * english.heads)
show(head_figures.coreference(right, place_alone, limit, title=f"{len(pronouns)} English sentences"), "bert_11_coreference_english")

# %%
pronouns = sentences.PRONOUNS_CHINESE
right, place_alone = probes.coreference(reader, pronouns), probes.baselines(pronouns)
limit = probes.best_by_chance(len(pronouns), reader.layers * reader.heads)
show(head_figures.coreference(right, place_alone, limit, title=f"{len(pronouns)} Chinese sentences"), "bert_12_coreference_chinese")

# %% [markdown]
# **Questions.** Which head changes the hidden pronoun most (framed in the first figure)? Look it up in the second: does it
# find the antecedent more often than chance? Which head, if any, is above the best coin, and is it the same one in both
# languages?
#
# ## 5. The attention explorer
#
# Everything of section 3, to play with. It replaces the course's exBERT, whose site is down. Two columns of tokens are
# joined by curves, the wider the more attention; the blue squares beside them say how much each head gives and gets.
# Choose a layer and any heads; point at a token, click to pin it, double-click to **mask** it and see what BERT expects
# there; below are all heads, to be ordered by what they do, and a **corpus search** for tokens with a similar vector.
#
# 中文：互動式的注意力瀏覽器，取代已經關站的 exBERT：選層、選頭、點字固定、雙擊遮字、在語料庫裡找相似的字。
#
# ![What you should see](figures/attention_explorer.png)

# %%
from hw9.language.explorer import explorer

explorer(reader, sentences.APPLE_TRADITIONAL.texts[2], heads=[12])

# %% [markdown]
# Run in a live notebook it computes any combination of masks, and the corpus search, when you ask for it (the first search
# reads the corpus of 2,064 sentences, a minute or two). Without a kernel it is a page that knows every single mask.
# `explorer(...).save("attention.html")` keeps it as a file to hand in; *Copy code* gives the line that shows a view again.
#
# **Questions.** Press *Guided tour*: each of its cards sets layer, heads and masks, lights up what to look at and asks one
# question (mouse, or Tab and the arrow keys; 中文 changes the language). Then two texts of your own, in a cell each, for
# which the tour chooses other heads and words: `explorer(english, "The old man said that he was tired of life.")`, where
# you mask *he*, then *man* as well; and a question with its text, `explorer(answerer, "她在哪裡讀音樂？",
# "二十歲的時候，她去維也納讀音樂。")`, with a card for pairs: at which layer, and by which single head, does 哪裡 look at 維也納 most?
#
# 中文：按「導覽」，每張卡片會設定層、頭與遮罩，標出該看的地方，問一個問題；也可以放進自己的句子或「問題＋文章」。

# %% [markdown]
# ## 6. How a question finds its answer, layer by layer
#
# **Idea.** Let BERT read a question together with a text that holds the answer, and draw all tokens as points in a
# plane, once for every layer. The vectors have hundreds of numbers: **PCA** keeps the plane in which they differ most,
# **t-SNE** keeps near neighbours near. Van Aken et al. saw four phases: (1) equal words lie together, (2) words of one
# phrase, (3) the question lies beside the part of the text that answers it, (4) the answer stands apart from the rest.
# Is that so here? *Van Aken et al. 2019, "How Does BERT Answer Questions?"*
#
# 中文：把「問題＋文章」一起讀入，畫出每一層所有字的位置。論文認為有四個階段：相同的字 → 同一片語 → 問題靠近答案所在 →
# 答案自成一群。這個模型也是如此嗎？

# %%
source(embeddings.project, embeddings.roles)

# %%
asked, readings, parts = questions.questions("zh-Hant"), [], []
for item in asked:
    said = answerer.answer(item.question, item.context)
    readings.append(answerer.read(item.question, item.context))
    parts.append(embeddings.roles(readings[-1], (item.start, item.end), (said.start, said.end)))
    print(f"{item.context}\n  {item.question}\n  BERT: {said.text} ({said.score:.0%})   right: {item.answer}\n")

# %% [markdown]
# ### PCA
#
# ◆ answer, ▲ question, ● context, × `[CLS]` and `[SEP]`; an outline marks what BERT answered. The axes of each layer are
# turned onto those of the layer before, so what moves has really moved. Roles go by *position*: the same word elsewhere
# is no answer.

# %%
points, part = embeddings.project(readings[0], "pca"), embeddings.explained_variance(readings[0])
show(plane_figures.grid(points, readings[0], parts[0], variance=part, title=asked[0].question), "bert_13_pca")

# %%
stepper(points, readings[0], parts[0], variance=part, title=asked[0].question)

# %% [markdown]
# ### t-SNE
#
# Distances between far groups, and the sizes of groups, mean nothing here; only who is near whom does.

# %%
near = embeddings.project(readings[0], "tsne", seed=0)
show(plane_figures.grid(near, readings[0], parts[0], title=f"t-SNE: {asked[0].question}"), "bert_14_tsne")

# %%
last = answerer.layers
title = f"Layer {last}, PCA: {asked[1].question}"
points = embeddings.project(readings[1], "pca", layers=[last])
show(plane_figures.plane(points[0], readings[1], parts[1], title=title), "bert_15_last_layer")

# %% [markdown]
# ### The four phases in numbers
#
# A plane shows only a part of the differences (how much, stands above each panel). The numbers below use all dimensions,
# for each question (thin) and in the mean (thick): (1) of the words that occur twice, how many have a copy of themselves
# as their nearest word; (2) how many have a word of the same phrase nearest; (3) how often a word of the answer's sentence
# is nearer to the question than one elsewhere (dotted: chance); (4) how far the answer is from the other words, in units
# of their spread (dotted: no further than they are). In (1) and (2) chance is a few per cent.
#
# 中文：四個數字各對應一個階段：相同的字、同一片語、問題靠近答案所在的句子、答案遠離其他字；虛線是亂猜的水準。

# %%
source(phases.question_match, phases.answer_apart)

# %%
numbers = phases.phases(readings, parts)
show(plane_figures.phase_curves(numbers, title="Four phases of question answering, Chinese"), "bert_16_phases")

# %%
if english.answer_head is not None:
    items = questions.questions("en")
    told = [english.answer(item.question, item.context) for item in items]
    for item, said in zip(items, told):
        print(f"{item.question}  BERT: {said.text} ({said.score:.0%})   right: {item.answer}")
    texts = [english.read(item.question, item.context) for item in items]
    spans = [embeddings.roles(r, (i.start, i.end), (s.start, s.end)) for r, i, s in zip(texts, items, told)]
    show(plane_figures.phase_curves(phases.phases(texts, spans), title="The same in English"), "bert_17_phases_english")

# %% [markdown]
# **Questions.** In which layer is the answer furthest from the rest (panel 4)? In which is the question nearest to the
# sentence that answers it (the top of panel 3), and how far is that above chance? The paper's phases come one after the
# other: do the marked layers of the four panels, too? Is a wrong answer, where there is one, less sure than the right ones?
#
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
# Write both functions. They take two vectors and give a number. The check below says whether they are right, or what is
# wrong with them. Until then the lesson's own are used, so everything runs.
#
# 中文：請自己寫這兩個函式；下面會檢查對不對，並指出哪裡錯了。沒寫也能繼續執行。

# %%
def my_euclidean(a, b):
    return ...  # your code

def my_cosine(a, b):
    return ...  # your code

mine = {"euclidean": my_euclidean, "cosine": my_cosine}
written = {name: f for name, f in mine.items() if f(torch.ones(2), torch.ones(2)) is not ...}
for name in mine:
    print(f"{name}:", exercise.check_distance(mine[name], name) if name in written else "not written yet, ours is used")

# %%
source(similarity.euclidean, similarity.cosine, similarity.token_vectors)

# %%
def compare(name, vectors):
    return exercise.pairwise(written[name], vectors) if name in written else getattr(similarity, name)(vectors)

layer, token = 11, "果"
vectors = similarity.token_vectors(reader, apples.texts, token, layer)
both = {"Euclidean distance": compare("euclidean", vectors), "cosine similarity": compare("cosine", vectors)}
labels = [snippet(text, apples.word) for text in apples.texts]
show(similarity_figures.heat_maps(both, labels, apples.senses, title=f"{token} at layer {layer}"), "bert_18_heat_maps")

# %% [markdown]
# Bright means alike in both maps. The large frames are the senses; a thin black one marks in each row the sentence that is
# nearest. **Questions.** How can you tell from the numbers alone which map is the distance and which the similarity? Has
# the nearest sentence always the same sense? Do both maps name the same nearest sentences?
#
# ### All layers

# %%
every = similarity.all_layers(reader, apples.texts, token)
maps = torch.stack([compare("cosine", vectors) for vectors in every])
title = f"Cosine similarity of {token}, each layer on its own scale"
show(similarity_figures.all_layers(maps, apples.senses, name="cosine similarity", shared=False, title=title), "bert_19_all_layers")

# %% [markdown]
# **Layer 0 knows only token, position and segment.** Sentences 1 and 6 both begin with 蘋果: at layer 0 their 果 is the
# *same* vector, distance exactly 0, although one is a fruit and the other a company. Context comes in above.

# %%
_, places = similarity.locate(reader, apples.texts, token)
same = similarity.equal_at_layer_0(every[0], places)
pairs = [(i + 1, j + 1) for i in range(10) for j in range(i) if same[i, j]]
print("position of 果:", [place[0] for place in places], "  equal at layer 0:", pairs)

# %% [markdown]
# ### When do the senses part?
#
# All vectors of a layer may share one direction, so that even unrelated words are alike (**anisotropy**). Subtract the
# similarity of random pairs of tokens before you compare layers. *Ethayarajh 2019, section 3.4.*
#
# 中文：各層的向量整體可能都朝同一方向，連無關的字也很像；比較各層之前要先扣掉這個「底」。

# %%
source(similarity.layer_curves)

# %%
found = similarity.layer_curves(reader, apples.texts, apples.senses, token)
show(similarity_figures.curves(found, title="果 in ten sentences, traditional Chinese"), "bert_20_curves")

# %%
print("nearest neighbour in the right sense, by layer (0 to the last):")
sets = {"蘋果, ten": apples, "苹果, ten": sentences.APPLE_SIMPLIFIED, "蘋果, twenty new": sentences.NEW_APPLE_TRADITIONAL,
        "苹果, twenty new": sentences.NEW_APPLE_SIMPLIFIED, "apple": sentences.APPLE_ENGLISH, "bank": sentences.BANK_ENGLISH}
for name, group in sets.items():
    model, word = (reader, "果") if "果" in name else (english, group.word)
    shares = similarity.layer_curves(model, group.texts, group.senses, word).accuracy
    print(f"  {name:10s}", " ".join(f"{share:4.0%}" for share in shares))

# %%
table = similarity.tree(every[layer])
show(similarity_figures.tree(table, labels, apples.senses, title=f"Who is near whom: {token} at layer {layer}"), "bert_21_tree")

# %%
banks = sentences.BANK_ENGLISH
vectors = similarity.token_vectors(english, banks.texts, banks.word, layer)
both = {"Euclidean distance": compare("euclidean", vectors), "cosine similarity": compare("cosine", vectors)}
title = f"“bank” at layer {layer}: river or money?"
show(similarity_figures.heat_maps(both, [snippet(text, banks.word) for text in banks.texts], banks.senses, title=title), "bert_22_bank")

# %% [markdown]
# **Questions.** How does the similarity within a sense change from layer 0 to the last one, and that between senses? In
# which layer are the senses furthest apart (third panel)? In which layers has the nearest sentence always the right sense:
# for the ten sentences of the figure, and for each set of the table? What decides the similarities at layer 0?
#
# ## 8. Your own sentences
#
# Replace these by your own: any sentences, any word that they share.
#
# 中文：換成你自己的句子與詞，看看不同意思的同一個詞會不會分開。

# %%
WORD = "打"
SENTENCES = ["他每天放學都去打籃球。", "我打電話給媽媽報平安。", "週末我們一起去打網球。", "請你下午打電話到公司。"]
SENSES = ["play", "call", "play", "call"]
order = sorted(range(len(SENSES)), key=SENSES.__getitem__)
texts, senses = [SENTENCES[k] for k in order], [SENSES[k] for k in order]
vectors = similarity.token_vectors(reader, texts, WORD, layer)
both = {"Euclidean distance": compare("euclidean", vectors), "cosine similarity": compare("cosine", vectors)}
show(similarity_figures.heat_maps(both, [snippet(text, WORD) for text in texts], senses, title=f"{WORD} at layer {layer}"), "bert_23_own")

# %% [markdown]
# ## What you have seen
#
# | method | asks | needs | beware |
# |---|---|---|---|
# | masked prediction | what does the model expect here, and on which word does that rest? | only the output | several words may share the work |
# | attention of a head | where does this head look? | inside of the network | looking is not using |
# | rollout | where does the information come from? | all attentions | an average over heads, no proof |
# | ablation | does this head change the answer? | a hook | heads stand in for each other |
# | PCA, t-SNE | which tokens lie together? | hidden states | a plane shows a part; t-SNE has no scale |
# | distances | does the vector know the sense? | hidden states | correct for what all vectors share |
#
# 中文：注意力告訴你「看哪裡」，介入實驗告訴你「有沒有用」，向量距離告訴你「知道什麼」。三者要一起看。
