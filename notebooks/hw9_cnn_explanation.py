# %% [markdown]
# # Homework 9: Explainable AI, part 1 — what makes a CNN see food?
#
# A network names the food in a picture. **Which part of the picture made it decide so?** In this notebook you train a
# small convolutional network on eleven kinds of food and then ask it that question in five ways: LIME, saliency maps,
# SmoothGrad, filter visualisation and integrated gradients. At the end you compare the five answers, test them, and
# apply them to photographs of your own.
#
# 中文：神經網路（以下簡稱「網路」）看到一張食物照片，就說出類別。它是根據圖片的哪一部分決定的？本課用五種方法回答，最後互相比較並加以檢驗。
#
# **How to use it.** Run all cells from top to bottom (*Run all*). With two CPU cores it takes six to thirteen minutes (longer on an old or busy machine), without
# an internet connection and without a GPU. The questions of the **quiz** follow the figures: some ask what you see in the
# figure, others ask what it means (the text above helps). Choose your answer on the card: it is saved at once, *Hint* says where to look, *Check* whether it fits. Where you see no cards, write `quiz.answer("lime-1", "a")` in a cell of your own, with the name of the question and your letter. Where the right answer depends on the figures, it is computed from *your*
# run. *Look and think* is not graded.
#
# 中文：由上往下執行所有儲存格。圖的下面有測驗題，每一題都對應一張圖；有的看圖就能作答，有的要配合上面的說明。答案若取決於圖，就依你
# 自己跑出的結果計算；「看一看、想一想」不計分。在卡片上選答案，會自動儲存；看不到卡片時，在自己的儲存格執行 quiz.answer("lime-1", "a")，換成題目名稱與你的選項。

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
# **Settings.** Fill in your name (`NAME`) and your student number (`NUMBER`) before you run anything: some quiz questions differ from student to student. Leave the rest as it is for the first run.
#
# - `DATA`: `"auto"` takes Food-11 (photographs of food, the data of the original homework) where it is found (folder `data/food11`, or the path in the environment variable
#   `HW9_FOOD11`), downloads it on Colab or a GPU, and otherwise uses the embedded scenes. `"sprites"` always takes the
#   embedded ones; a path takes Food-11 from there (a folder, a .zip or a .tar).
# - `MODEL`: `"fine-tune"` goes on training a network that already knows photographs of food, `"train"` starts from random
#   weights, and `"auto"` chooses: with Food-11 on a GPU it starts from random weights (there is time for it), otherwise it
#   fine-tunes. `"course"` trains the network of the original homework (below “the course”: Hung-yi Lee, Machine Learning 2022,
#   HW9) on a GPU: about 80 % right with Food-11. You need it only to answer the original quiz, which asks about its layers 6, 15,
#   21 and 23; without a GPU it says how long that would take. A path loads a finished network: `"checkpoints/compact-food11.safetensors"`, or the course's own `checkpoint.pth`.
# - `PHOTOS`: a folder with photographs of your own, used in the last section.
#
# 中文：先填姓名與學號再執行（題目因學號而異），其他設定第一次先不要改。

# %%
DATA = "auto"
MODEL = "auto"
PHOTOS = ""
NAME, NUMBER = "", ""  # as on your student card

# %%
from functools import partial
import numpy as np
import torch
from sklearn.linear_model import Ridge
from hw9 import quiz
from hw9.vision import attribution, crops, evaluation, figures, figures_lime, figures_trust, filters, inference, lesson
from hw9.vision import predictions, shortcut, trust, visible
from hw9.vision import lime as lime_method
from hw9.vision.layers import find_layer

food = lesson.choose(DATA, model=MODEL, device=device)
classes, source = food.class_names, notebook.source
show = partial(notebook.show, folder=food.figures)

# %% [markdown]
# ## 1. Look at the data
#
# Before you explain a network, look at what it learns from. Eleven classes: bread, dairy product, dessert, egg, fried
# food, meat, noodles/pasta, rice, seafood, soup, vegetable/fruit. (As in Food-11, bread includes pizza and burgers.)
#
# The embedded pictures are **composed scenes**: photographed food, cut out and laid on a table, in a bowl or on a plate,
# among things that are not food (keys, toys, cutlery). They have one advantage over plain photographs: we know exactly which pixels
# are food, so an explanation can be *checked*. Some free photographs are mixed in among the training scenes, each three times.
# With Food-11 in place the same cells show its photographs.
#
# 中文：先看資料。內建圖片是合成的場景：把真實食物的照片去背，放到桌上。好處是我們確切知道哪些像素是食物，因此可以檢驗解釋。
# 訓練用的場景裡還混入一些可自由使用的真實照片，每張出現三次。

# %%
pictures, labels = food.splits["training"]
show(figures.classes(pictures, labels, classes, title=f"{food.name}: five training pictures of each class"), "cnn_01_data")
for name, (_, of) in food.splits.items():
    print(f"{name}: {len(of):,} pictures")

# %% [markdown]
# ## 2. Train a network, or load one
#
# The network is a stack of convolutions in stages, each seeing the picture at half the resolution of the one before (ours
# has four, and 2.3 million weights). Training shows it the pictures again and again, each time cropped, flipped and
# recoloured a little, and changes the weights so that the right class scores higher.
#
# Two or three minutes on two CPU cores are not enough to learn to see from scratch. So without a GPU the network starts from weights that already know *photographs* of food but have never met a dish of these scenes (**transfer learning**): its first layers, which see
# edges and colours, stay as they are; the later ones learn. At the end the new weights are averaged with
# the old ones (four parts new, one part old). Wortsman et al. found that this helps with pictures unlike those of the training. It may cost a little accuracy on dishes the network has practised. The accuracies printed below, and the dashed lines in the figure, are those of the finished, averaged
# network; the curves were drawn before the averaging, so that the validation curve may end above its dashed line.
# *Yosinski et al. 2014, "How transferable are features in deep neural networks?"; Wortsman et al. 2022, "Robust
# fine-tuning of zero-shot models".*
#
# 中文：訓練時反覆看圖片（每次隨機裁切、翻轉、變色），調整權重，使正確類別的分數變高。時間有限，所以從看過食物照片的網路開始微調
# （遷移學習）。最後把新舊權重以 4：1 平均，通常有助於辨認沒看過的菜；印出的是平均後的準確率，可能略低於曲線的終點。

# %%
model, record = lesson.train_or_load(food, MODEL, device=device)
quiz.begin("cnn", f"{food.name}-{food.size}", notebook.weights_hash(model), student=NUMBER)
results = {name: predictions.evaluate(model, *part) for name, part in food.splits.items() if name != "training"}
for name, result in results.items():
    print(f"accuracy on {name}: {result.accuracy:.1%}")

# %%
if record:
    finished = {name: result.accuracy for name, result in results.items()}
    show(figures.history(record.epochs, finished=finished), "cnn_02_training")

# %% [markdown]
# ## 3. How good is it, and where is it wrong?
#
# One number hides much. The **confusion matrix** shows which class is taken for which: rows are true classes, columns are
# what the network said, 100 on the diagonal would be perfect. For the embedded scenes there are two kinds of test:
# new scenes of dishes it has trained on, and dishes (on tables) it has *never* seen. A large gap between the two suggests
# that the network has learnt single dishes rather than the whole class; but one set may also simply be harder. Some classes have only four
# to six dishes to learn from, and three to test with: so few dishes tell little about a whole class.
#
# 中文：混淆矩陣：橫列是真實類別，直欄是預測類別。練習過的菜與沒看過的菜，準確率差多少？

# %%
show(figures.confusion({name: result.confusion for name, result in results.items()}, classes), "cnn_03_confusion")

# %%
name, result = list(results.items())[-1]
wrong = result.surest_mistakes(10)
sure = figures.captions(result.labels[wrong], result.probabilities[wrong], classes, letters=True)
worst = predictions.as_float(food.splits[name][0][wrong])
if len(wrong): show(figures.rows(sure, {"": (worst, None)}, title=f"The {len(wrong)} surest mistakes on {name} (above: the true class; ✗ what the network said)"), "cnn_04_mistakes")

# %% [markdown]
# **Look and think.** Of the ten surest mistakes (A to J), for how many would you have hesitated yourself?
#
# ### The ten pictures of this lesson
#
# Every method below explains the same ten pictures, numbered from 0. ✓ and ✗ say whether the network is right, the
# percentage how sure it is. All methods explain the class of the *label*. The embedded ones are new scenes of dishes that the
# network has practised, so it is right more often than on dishes never seen. They were chosen by eye, not drawn at random: what
# is measured on them, standard errors included, holds only for pictures like these. Some show a second food, of another
# class: "food pixels" are those of the label's class only.
#
# 中文：十張圖編號 0–9；✓／✗ 表示答對或答錯，解釋的都是標籤的類別。內建的十張是練習過的菜的新場景，所以答對的比例高於
# 沒看過的菜；它們是人工挑選的，不是隨機抽樣，以下的數字和標準誤只適用於類似的圖。

# %%
images, targets = food.images, food.labels
said = inference.predict(model, images)
columns = figures.captions(targets, said, classes)
rows = {"picture": (images, None, food.names)}
if food.masks is not None:
    rows["food pixels"] = (food.masks.float(), "gray")
show(figures.rows(columns, rows), "cnn_05_ten_pictures")
notebook.fact("pictures", {"names": [classes[label] for label in targets]})

# %% [markdown]
# ## 4. LIME: hide parts and see what changes
#
# **Idea.** Cut the picture into *superpixels*, patches of similar colour. Hide about half of them at random (under the
# picture's mean colour), ask the network, and repeat that a thousand times. Then fit a linear model: how much does the
# probability of the class rise when patch $k$ is shown?
#
# $$\hat w = \arg\min_w \sum_{z} \pi(z)\,\bigl(f(z) - w_0 - \textstyle\sum_k w_k z_k\bigr)^2 + \lambda\lVert w\rVert^2,
# \qquad z_k \in \{0, 1\}$$
#
# $f(z)$ is the network's probability for the picture with only the patches $z_k=1$ shown, $\pi(z)$ gives more weight to
# samples close to the whole picture, $\lambda$ keeps the weights small. LIME needs no gradient and works for any model.
# *Ribeiro, Singh & Guestrin 2016, "Why Should I Trust You?", section 3.*
#
# 中文：LIME 把圖片切成小塊，隨機遮住一部分再問模型，用線性模型估計每一塊對該類別的貢獻。

# %%
explained = lime_method.explain_each(model, images, targets, names=food.names)
show(figures_lime.lime(columns, images, explained), "cnn_06_lime")
notebook.fact("lime", {"score": [e.score for e in explained], "both": [visible.both_colours(e) for e in explained]})

# %% [markdown]
# Blue patches speak **for** the label's class (first line above the picture), orange ones **against** it; the stronger the
# colour, the larger the weight (each picture on a scale of its own). Only the eight patches with the largest weights, for or
# against, are painted. $R^2$ below says how well the linear model fits the thousand answers: where it is low, do not trust the colours.
#
# 中文：藍色支持標籤的類別，橘色反對；顏色越強，權重越大（每張圖各用自己的尺度）。只塗權重絕對值最大的八塊。R² 表示線性模型和一千次
# 回答有多吻合；太低時，不要相信顏色。
#
# **Look and think.** On which pictures does the network use something that is not food?

# %%
quiz.ask("lime")

# %% [markdown]
# ### LIME in a few lines
#
# Here is everything but the cutting, for one picture: the one that the network is surest of. Its patches are those of the figure above. The
# library draws other copies: the first is the whole picture, the others come in pairs, one hiding what the other shows, which makes
# the weights more exact. So the two agree closely, but not to the last digit.
#
# 中文：切塊沿用上圖，其餘步驟就是下面這幾行（用網路最有把握的那張圖）。函式庫抽的副本不同：第一個是整張圖，其餘兩兩互補，權重更準；
# 所以結果很接近，但不會完全相同。

# %%
usable = torch.tensor([not np.isnan(e.score) for e in explained])  # nan: a blank picture, nothing to hide
picked = int((said.max(1).values * usable).argmax())
picture, patches = images[picked], torch.as_tensor(explained[picked].segments)  # (H, W): the patch of each pixel
shown = np.random.default_rng(0).integers(0, 2, (1000, int(patches.max()) + 1))  # a row for each copy: 1 shown, 0 hidden
mean = picture.mean((1, 2), keepdim=True)
copies = torch.stack([torch.where(torch.as_tensor(row)[patches] == 1, picture, mean) for row in shown])
answers = inference.predict(model, copies)[:, targets[picked]]  # f(z): the probability of the class
away = 1 - np.sqrt(shown.mean(1))  # how far z is from the whole picture: cosine distance to (1, ..., 1)
near = np.exp(-0.5 * (away / 0.25) ** 2)  # pi(z): copies close to the picture count more 越接近原圖，越重要
fitted = Ridge(alpha=1).fit(shown, answers, sample_weight=near)  # alpha is lambda; coef_ is w, intercept_ is w_0
like = np.corrcoef(fitted.coef_, explained[picked].weights)[0, 1]
print(f"Weights of the patches of picture {picked}, here and from the library: correlation {like:.2f}")

# %% [markdown]
# ### How stable is it?
#
# LIME is random. Explain one picture with five seeds: do the same patches come out on top?
#
# 中文：LIME 有隨機性。換不同的亂數種子，最重要的區塊是否相同？

# %%
stable = lime_method.stability(model, images[picked], target=int(targets[picked]))
title = f"Picture {picked}, {classes[targets[picked]]}: LIME with five seeds"
show(figures_lime.stability(images[picked], stable.explanations, stable.overlap, top=stable.top, title=title), "cnn_07_lime_stability")

# %% [markdown]
# Each column of dots is one patch under the five seeds. Left: every patch painted in at least one picture; right: the patches
# nearest to 0 (the rest is left out). Each picture shows the five strongest patches of its seed. The overlap of two seeds is the
# number of patches they share, divided by the number that either of them has (the title gives the mean). Patches of nearly equal
# weight may swap in and out of the top five: the overlap falls although hardly any weight has changed. **Look and think.** Which
# weights lie clearly on one side of 0 under all five seeds? Which patches would you mention in a report?
#
# 中文：每一欄的點是同一塊在五個種子下的權重；左邊：至少在一個種子下被塗色的，右邊：最接近 0 的。權重差不多的區塊容易在前五名的邊緣
# 互換，重疊率因此下降，權重卻幾乎沒變。哪幾塊五次都明顯在 0 的同一側？報告裡你會提哪幾塊？
#
# ### As the course drew it
#
# The original homework differs in four ways. It numbered the patches from 1, while the `lime` package counts from 0, so one patch
# was never hidden. It hid each patch under the patch's own mean colour, which changes little. It used raw scores instead of probabilities.
# And it turned the green or the red of a patch up to the maximum (on a blue bowl green then looks cyan, and on white you see hardly anything). `recipe="course"` reproduces it, for those who have to answer the original quiz. Where its $R^2$ is higher,
# the two are not comparable: it fits raw scores, over copies that hardly differ from the picture. A good fit to an easier
# question is not a better explanation.
#
# 中文：課程做法的 $R^2$ 即使較高，也不能直接比：它擬合的是原始分數，遮住的副本又和原圖差不多。較簡單的問題擬合得好，不代表解釋得更好。

# %%
as_course = lime_method.explain_each(model, images, targets, names=food.names, recipe="course", samples=500)
show(figures_lime.lime(columns, images, as_course), "cnn_08_lime_course")

# %% [markdown]
# ## 5. Saliency map: which pixel matters most, right here?
#
# **Idea.** Change one pixel a little: how much does the score of the class change? That is the derivative of the score
# with respect to the pixel, and one backward pass gives it for all pixels at once. The map shows, per pixel, the largest
# absolute derivative of its three colours.
#
# $$M(i, j) = \max_{c \in \{R,G,B\}} \left|\frac{\partial S_y(x)}{\partial x_{c,i,j}}\right|$$
#
# $S_y$ is the score (logit) of class $y$, $x$ the picture. Colours of all such maps: black is the weakest influence in this picture (often almost none); red, yellow and white are stronger and stronger. Unless a figure says otherwise, each map has a scale of its own. (Other
# tools, Captum for one, cut off the strongest one or two per cent before they scale, so that their maps look brighter; here nothing is cut.)
# *Simonyan, Vedaldi & Zisserman 2014, "Deep Inside Convolutional Networks", section 3.*
#
# 中文：顯著圖＝「類別分數」對「每個像素」的微分。亮的像素稍微改變，分數就變很多。黑：影響最小（多半是沒有）；紅、黃、白：影響越來越大。
# 除非圖上另有說明，每張圖各用自己的尺度。

# %%
def slope(x, y):  # (N, 3, H, W): how each picture's own class score changes with its pixels 分數對像素的微分
    with inference.frozen(model) as network:  # its weights stay as they are
        x = x.to(device).detach().requires_grad_()
        score = network(x).gather(1, y.to(device)[:, None]).sum()  # no picture's score depends on another picture
        return torch.autograd.grad(score, x)[0].to(images.device)

def compare(plain, library):
    apart = float((plain - library).abs().max() / library.abs().max())
    print(f"Largest difference between plain torch and the library: {apart:.1g} of the largest value.")

compare(slope(images, targets).abs().amax(1), attribution.saliency(model, images, targets).abs().amax(1))

# %% [markdown]
# That is all; the library does the same for any network, in chunks, and checks what it is given.
#
# 中文：方法就是這幾行；下面的函式庫版本適用於任何網路。

# %%
source(attribution.saliency, attribution.heatmap)

# %%
gradient = attribution.saliency(model, images, targets)
maps = {"saliency": attribution.heatmap(gradient)}
show(figures.rows(columns, {"picture": (images, None), "saliency": (maps["saliency"], "hot")}), "cnn_09_saliency")
notebook.fact("saliency", {"on_food": visible.on_object(maps["saliency"], food.masks)})

# %% [markdown]
# **One scale for all, or one for each picture?** Row 1: each map on a scale of its own. Row 2: the
# same maps on one common scale. Row 3: the course's variant, the gradient of the *loss*, on one scale (max: the largest value of
# the map). Printed below: how many times stronger the strongest map is than the weakest. For which of the two gradients does the
# scale matter here?
#
# 中文：共用一個尺度，還是每張圖各用一個？比較前兩列；最後一列是課程的做法：「損失」對像素的微分（max：該圖的最大值）。圖下印出最強與最弱相差幾倍。

# %%
strength = gradient.abs().amax(1)  # (N, H, W)
of_loss = attribution.saliency(model, images, targets, recipe="course").abs().amax(1)
common = {"own scale": maps["saliency"], "one scale": strength / strength.max(), "loss, one scale": of_loss / of_loss.max()}
table = {name: (m, "hot") for name, m in common.items()}
for name, m in {"one scale": strength, "loss, one scale": of_loss}.items():
    table[name] += ([f"max {peak:.2g}" for peak in m.amax((1, 2)).tolist()],)
show(figures.rows(columns, table), "cnn_10_saliency_scale")
for name, m in {"score": strength, "loss": of_loss}.items():
    peaks = m.amax((1, 2))
    print(f"gradient of the {name}: the strongest map is {float(peaks.max() / peaks.min()):,.0f} times the weakest")
right = said.gather(1, targets[:, None])[:, 0]  # the probability of the label
notebook.fact("scale", {"right": right, "loss": peaks, "together": visible.rank_correlation(right, peaks)})

# %%
quiz.ask("saliency")

# %% [markdown]
# ## 6. SmoothGrad: remove noise by adding noise
#
# **Idea.** A saliency map is speckled, because the gradient jumps from pixel to pixel. Add a little random noise to the
# picture, take the gradient, do that fifty times and average.
#
# $$\hat G(x) = \frac{1}{n}\sum_{k=1}^{n} \frac{\partial S_y(x + \varepsilon_k)}{\partial x}, \qquad
# \varepsilon_k \sim \mathcal N(0, \sigma^2),\quad \sigma = \text{noise} \cdot (x_{\max} - x_{\min})$$
#
# The gradients are averaged with their signs, or nothing would cancel; the map is then made of $\hat G$ as in section 5.
# *Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".*
#
# 中文：SmoothGrad 在圖片上加許多次隨機雜訊，取梯度的平均，希望顯著圖更乾淨（是否真的如此，看下面的圖）。

# %%
one, its = images[:1], targets[:1]  # picture 0
def noise(k):
    return 0.15 * (one.max() - one.min()) * torch.randn(one.shape, generator=torch.Generator().manual_seed(k))

plain, library = sum(slope(one + noise(k), its) for k in range(50)) / 50, attribution.smoothgrad(model, one, its)
like = visible.rank_correlation(attribution.heatmap(plain), attribution.heatmap(library))
print(f"SmoothGrad in plain torch and the library's, which draws other noise: rank correlation {like:.2f}")

# %%
source(attribution.smoothgrad)

# %%
smooth, kept = attribution.smoothgrad(model, images, targets, return_kept=True)
maps["SmoothGrad"] = attribution.heatmap(smooth)
notes = [f"same answer {share:.0%}" for share in kept]
table = {"picture": (images, None), "saliency": (maps["saliency"], "hot"), "SmoothGrad": (maps["SmoothGrad"], "hot", notes)}
show(figures.rows(columns, table, title="SmoothGrad: the mean gradient of 50 noisy copies, noise 0.15"), "cnn_11_smoothgrad")
notebook.fact("smoothgrad", {"kept": kept})

# %% [markdown]
# Below each map: the share of the fifty noisy pictures to which the network still gives the answer it gave to the clean one.
# Where that share is low, most copies get another answer than the clean picture: the average then describes a network that has
# changed its mind. (Where the answer to the clean picture was wrong, the new answer may even be right.) So the noise has to be chosen with care.
#
# 中文：圖下數字：五十張雜訊圖中答案不變的比例；太低時，多數副本的答案已經和原圖不同，平均出來的是一個改變了主意的網路（原本就答錯的
# 圖，新答案也可能是對的）。

# %%
few = [k for k in (0, 1, 3, 4, 5) if k < len(images)]  # enough to see what changes
levels, table = (0.02, 0.05, 0.15, 0.3, 0.5), {}
for level in levels:
    noisy, kept = attribution.smoothgrad(model, images[few], targets[few], noise=level, samples=25, return_kept=True)
    table[f"noise {level}"] = (attribution.heatmap(noisy), "hot", [f"same {share:.0%}" for share in kept])
show(figures.rows([columns[k] for k in few], table, title="SmoothGrad with less and more noise, 25 copies each"), "cnn_12_smoothgrad_noise")
area = [visible.half_area(noisy).nanmean() for noisy, *_ in table.values()]
notebook.fact("noise", {"levels": [str(level) for level in levels], "area": area, "growth": area[-1] / area[0]})

# %%
quiz.ask("smoothgrad")

# %% [markdown]
# **Look and think.** Is the SmoothGrad map of a picture really smoother than its saliency map, or does it only show other
# places? Which noise would you choose? And does any picture keep its answer *more* often under noise 0.5 than under 0.15?
# (What might the network say to a picture of nothing but noise?)
#
# ## 7. Filters: what is each part of the network looking for?
#
# **Idea.** A convolution layer is a set of filters, each a detector of one pattern. Two questions: *where* on my pictures
# does a filter respond (activation map), and *what* would it like to see most (filter visualisation)? For the second,
# start from noise and climb the gradient of the filter's response with respect to the **picture**:
#
# $$x^* = \arg\max_x \; a_{\ell,c}\bigl(T(x)\bigr)$$
#
# $a_{\ell,c}$ is the mean *positive* activation of filter $c$ in layer $\ell$ (negative values count as 0); a small penalty for roughness, not written in the formula, is subtracted; $T$ shifts, turns and scales the picture at random, so
# that only patterns survive which do not depend on single pixels. The picture is described by its Fourier coefficients in
# decorrelated colours, which keeps it free of the high-frequency patterns that otherwise win.
# *Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network"; Olah, Mordvintsev & Schubert 2017, "Feature Visualization".*
#
# 中文：濾波器視覺化＝找出最能激發某個濾波器的圖片（對「圖片」做梯度上升）。

# %% [markdown]
# ### Where does a filter respond?

# %%
layers = lesson.layers_of(model, images)  # early to late
early, late = list(layers)[0], list(layers)[-1]
respond = {f"layer {n}, filter 0": filters.activations(model, images, n)[:, 0] for n in layers}
show(figures.activation_maps(columns, images, respond), "cnn_13_activation_maps")
bottom = [visible.at_the_bottom(row) for row in respond.values()]
bright = visible.follows_brightness(respond[f"layer {early}, filter 0"], images)
notebook.fact("filters", {"rows": list(respond), "bottom": bottom, "bright": bright})

# %% [markdown]
# Each row has one scale, the same in both halves of the figure: yellow where the filter responds most, dark violet where least. A
# layer's number is its place in `model.features`, from the picture (low) to the answer (high).
#
# 中文：每一列一個尺度（上下兩半相同）：黃色反應最大，深紫最小。層的編號是它在 `model.features` 中的位置，由小（靠近圖片）到大（靠近答案）。

# %%
quiz.ask("activation")

# %% [markdown]
# ### What does a filter like to see?
#
# Read the figure from top to bottom. A filter of an early layer sees a few pixels only and can ask for no more than a colour, an
# edge or fine stripes (larger blotches there come from the random start, not from the filter); a later one (further down in the figure) sees a larger part of the picture, and can ask for larger patterns, made
# of several parts. All drawings of a row begin with the same noise, so equal blotches prove nothing: compare the fine pattern.
#
# 中文：由上往下看：前面的層只看得到幾個像素，要的是顏色、邊緣或細條紋（那裡的大斑塊來自隨機的起點，不是濾波器的要求）；後面的層（圖的下方）看得到更大的範圍，要的圖樣可以更大、由更多
# 部分組成。同一列的圖都從同一張雜訊開始，所以斑塊相同不代表什麼；要比的是細部的紋路。

# %%
channels = list(range(min(8, *(filters.activations(model, images[:1], n).shape[1] for n in layers))))
likes = {f"layer {n}\n{text}": filters.visualize_many(model, n, channels) for n, text in layers.items()}
show(figures.filters(likes, channels, title="What activates each filter most, early to late"), "cnn_14_filters")

# %%
frames, at = filters.visualize_steps(model, late, 0)
reached = filters.activations(model, frames, late)[:, 0].clamp(min=0).mean((1, 2)).tolist()  # nearly what is climbed, see T
table = {"": (frames, None, [f"activation {mean:.2f}" for mean in reached])}
title = f"Layer {late}, filter 0, from step to step; below: its mean positive activation"
show(figures.rows([f"step {step}" for step in at], table, title=title, across=len(at)), "cnn_15_filter_strip")

# %% [markdown]
# ### Is the visualisation right? Compare it with real crops
#
# The first column is the part of each drawing that activates the filter most. Beside it, at the same magnification: the crops of
# training pictures that activate it most, at most one from each picture. (The same objects come back in many scenes: three crops
# of the same red car are one example.) The number below is the highest activation in the crop. (The drawing was made for a high
# *mean*, so a real crop may have a higher peak.) If drawing and crops show the same thing, believe the drawing. A drawing that looks like none of the crops tells what the filter *could* react to, not what it
# is used for.
#
# 中文：左邊是最佳化圖片中最能激發該濾波器的部分，右邊是真實圖片中最能激發它的區塊（同一比例，數字是其中最高的活化值）。兩者相符，就
# 可以相信視覺化；如果和哪一塊都不像，它只說明濾波器「可能」對什麼有反應。

# %%
middle = list(layers)[len(layers) // 2]
found = crops.top_crops_many(model, predictions.as_float(pictures[:1100]), middle, channels[:5], count=8)
drawn = filters.visualize_many(model, middle, channels[:5], size=food.size)
best = [crops.top_crops_many(model, drawn[k:k + 1], middle, [c], count=1)[0] for k, c in enumerate(channels[:5])]
title = "Layer {}: {} x {} pixels of each drawing, and real crops of that size".format(middle, *best[0].crops.shape[-2:])
four = [[of.crops[0] for of in best], [of.values[0] for of in best], [of.crops for of in found], [of.values for of in found]]
show(figures.filter_and_crops(channels[:5], *four, title=title), "cnn_16_filters_and_crops")

# %% [markdown]
# **Look and think.** For which filter do the real crops show what the drawing shows, so that you would believe it?
#
# ### As the course drew it: starting from the photograph
#
# The course starts from the photograph instead of noise. The next cell does so for picture 0, with nothing but torch. It maximises the *sum* of filter 0 over its map, without $T$, Fourier
# coefficients, a penalty for roughness or limits for the colours (to be shown, each picture is stretched to 0...1). Whatever the picture,
# the climb ends in the same kind of fine, high-frequency pattern; at most a faint outline of the picture is left.
#
# 中文：下一格只用 torch 對圖 0 做一次：提高的是濾波器 0 活化值的總和，不做隨機變換，也不限制顏色（顯示時把每張圖拉伸到 0–1）。不管哪一
# 張圖，最後都變成同一類高頻花紋，頂多留下一點輪廓。

# %%
climbed, given = images[:1].to(device).clone().requires_grad_(), []
adam = torch.optim.Adam([climbed], lr=0.1)
with inference.frozen(model) as network:  # a hook is called with the layer's output: keep it 用 hook 攔下這一層的輸出
    hook = find_layer(network, middle).register_forward_hook(lambda module, inputs, output: given.append(output.clone()))
    for _ in range(100):
        network(climbed)
        activation = given.pop()[:, 0].sum()  # of filter 0, over the map
        climbed.grad = torch.autograd.grad(-activation, climbed)[0]  # the picture changes, the weights do not 改變的是圖片
        adam.step()
    hook.remove()

# %%
start = filters.visualize(model, middle, 0, start=images, recipe="course")
flat = [part.detach().cpu().flatten().numpy() for part in (climbed, start[0])]
print(f"Plain torch and the library after 100 steps from picture 0: correlation {np.corrcoef(*flat)[0, 1]:.2f}")
table = {"picture": (images, None), "activation": (figures.unit(respond[f"layer {middle}, filter 0"]), "viridis")}
table["after 100 steps"] = (start, None)
show(figures.rows(columns, table, title=f"Layer {middle}, filter 0, recipe course"), "cnn_17_filters_course")

# %%
quiz.ask("filters")

# %% [markdown]
# ## 8. Integrated gradients: share out the score
#
# **Idea.** The gradient at the picture can be zero although the pixel matters (the network is *saturated*). So walk in a
# straight line from an empty picture (the **baseline**, black) to the real one and average the gradients on the way. Each
# pixel gets its mean gradient times how far it moved.
#
# $$IG_i(x) = (x_i - x'_i) \int_0^1 \frac{\partial S_y\bigl(x' + \alpha (x - x')\bigr)}{\partial x_i}\, d\alpha,
# \qquad \sum_i IG_i(x) = S_y(x) - S_y(x')$$
#
# The second equation is **completeness**: the shares of all pixels add up to the change of the score; nothing is lost or
# invented. It is exact for the integral; a computer adds up a limited number of steps and misses it by a **gap**.
# *Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", section 3.*
#
# For each pixel the shares of its three colours are added. The maps in the second row show the *size* of this sum, those in the third its
# sign: blue speaks for the class, orange against it (the strongest hundredth of the pixels in full colour). Below the maps stands
# the sum over the whole picture, with the signs.
#
# 中文：積分梯度從全黑圖片走到原圖，沿路取平均梯度，再乘上像素的變化量。所有像素的貢獻加起來剛好等於分數差（完備性）。每個像素
# 三個顏色的貢獻先相加：第二列的圖畫這個和的大小，第三列畫正負（藍色支持該類別，橘色反對）。圖下是整張圖的總和，計入正負號。

# %%
nodes, weights = ((part / 2).tolist() for part in np.polynomial.legendre.leggauss(64))  # 64 steps, for a way from -1/2 to 1/2
plain = one * sum(weight * slope((0.5 + node) * one, its) for node, weight in zip(nodes, weights))  # from black to picture 0
compare(plain, attribution.integrated_gradients(model, one, its, settle=False))  # rounding can flip a ReLU

# %%
source(attribution.integrated_gradients, attribution.completeness_gap)

# %%
integrated = attribution.integrated_gradients(model, images, targets, settle=False)  # the gap is not spread over the pixels
of_pixels = integrated.sum(1)  # (N, H, W), with signs
maps["integrated gradients"] = attribution.heatmap_of(of_pixels.abs())
full = of_pixels.abs().flatten(1).quantile(0.99, dim=1)[:, None, None]
gap = attribution.completeness_gap(model, images, targets, integrated)
sums = [f"sum {total:+.2f}\ngap {g:.2%}" for total, g in zip(integrated.sum((1, 2, 3)), gap)]
table = {"picture": (images, None), "size": (maps["integrated gradients"], "hot"),
         "sign": ((0.5 + 0.5 * of_pixels / full).clamp(0, 1).nan_to_num(0.5), figures_lime.SIGNED, sums)}
title = "Integrated gradients, 64 steps from black"
show(figures_lime.signed(columns, table, ("for the class", "against it"), title=title, across=5), "cnn_18_integrated_gradients")

# %% [markdown]
# ### How many steps are enough?
#
# The shares of all pixels should add up to the score difference. The **gap** is how far they miss it, divided by the score difference.
# Use as many steps as bring the gap below your tolerance (the median gap is printed below the figure; the dotted line is the 5 % of the paper, which found 20 to 300 steps enough for it). Where black scores nearly as high as the picture
# (a sum near 0 in the figure above), a tiny miss is already a large percentage. Steps are placed and weighted by the rule of
# Gauss and Legendre, the most exact one for smooth curves. But the gradient of a ReLU network jumps wherever a unit switches on or off along the way, so the gap shrinks only slowly, and a few more steps may even widen it a little. The gap of a single picture (thin lines) may drop
# far lower by chance, where its miss changes sign. The maps of this lesson use 64 steps. The figure shows the gap for five pictures.
#
# 中文：差距（gap）＝貢獻總和與分數差之間的誤差，再除以分數差。步數要多到差距夠小；圖下印出各步數的差距中位數。

# %%
steps = [4, 8, 16, 32, 64, 128]
gaps = attribution.gap_by_steps(model, images[::2], targets[::2], steps)
show(figures.completeness(steps, gaps), "cnn_19_completeness")
medians = gaps.median(1).values
print("median gap:", ", ".join(f"{gap:.1%} with {n}" for n, gap in zip(steps, medians)), "steps")
notebook.fact("steps", {"median": medians, "falls": (medians[0] / medians[-1]).log10()})

# %% [markdown]
# ### Which baseline?
#
# "Nothing" can be black, white, a blurred copy, or the picture's mean colour. Pixels that equal the baseline get no share,
# whatever they show.
#
# 中文：「什麼都沒有」可以是全黑、全白、模糊的副本，或整張圖的平均色。和基準相同的像素分不到貢獻，不管它是什麼。

# %%
table = {"picture": (images[few], None), "black": (maps["integrated gradients"][few], "hot")}
for kind in ("white", "blur", "mean"):
    part = attribution.integrated_gradients(model, images[few], targets[few], baseline=kind, settle=False)
    table[kind] = (attribution.heatmap_of(part.sum(1).abs()), "hot")
show(figures.rows([columns[k] for k in few], table, title="Integrated gradients from four baselines"), "cnn_20_baselines")

# %% [markdown]
# **Look and think.** Which food is faint in the row “black” but not in the row “white”? For which is it the other way round?

# %%
quiz.ask("gradients")

# %% [markdown]
# ## 9. Five answers side by side
#
# Do the methods agree? First look, then count. A filter drawing explains a *part of the network*, not a picture. So from here on
# the **strongest filter** takes its place. For each picture we choose the filter of the last layer that contributes most to the score
# of the class (activation times gradient, summed over its map; not the one with the largest activation), and show where it responds.
# This is a close relative of Grad-CAM, Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks", which adds up all filters, weighted by their gradients. Below LIME: the rank
# correlation of its map (all patches) with the saliency map. Maps are compared without sign, averaged to 16 x 16 cells.
#
# 中文：把五種方法的結果並排比較，再用等級相關係數計算它們有多一致（不分正負，先平均成 16 × 16 格）。「strongest filter」不是第 7 節的濾波器 0：
# 每張圖各自選出最後一層中對該類別分數貢獻最大的濾波器（活化值 × 梯度，整張圖加總）。這和 Grad-CAM 很接近；Grad-CAM 把所有濾波器加權相加。

# %%
maps["LIME"] = attribution.heatmap_of([abs(lime_method.segment_map(e)) for e in explained])
maps["strongest filter"] = evaluation.strongest_filter(model, images, targets, late)
order = ["LIME", "saliency", "SmoothGrad", "integrated gradients", "strongest filter"]
overlays = [figures_lime.overlay(x, e) for x, e in zip(images, explained)]
like = evaluation.rank_correlations({name: maps[name] for name in ("LIME", "saliency")})[:, 0, 1]
table = {"picture": (images, None), "LIME": (overlays, None, [f"like saliency: {r:.2f}" for r in like])}
table |= {n: (maps[n], "hot") for n in order[1:]}
legend = "LIME: blue speaks for the class, orange against it; other maps: black (least), red, yellow, white"
show(figures.side_by_side(columns, table, title=legend), "cnn_21_side_by_side")
notebook.fact("together", {"like": like})

# %%
compared = {name: maps[name] for name in order} | {"edges (no network)": trust.controls(images)["edges"]}
together = evaluation.agreement(compared)
show(figures.agreement(list(compared), together, title=f"Mean rank correlation over {len(images)} pictures"), "cnn_22_agreement")

# %% [markdown]
# The last row is a map that knows nothing of the network: the edges of the picture (Sobel filter). Maps that are bright in the middle
# and dark at the border agree for that reason alone. **Look and think.** Which two methods agree most? What do they have in common?
#
# 中文：最後一列是和網路無關的圖（圖片的邊緣）。中間亮、四周暗的圖，光憑這一點就會相似。哪兩種方法最一致？它們有什麼共同點？

# %%
quiz.ask("agreement")

# %% [markdown]
# ## 10. Can you believe it?
#
# A map can be pretty and wrong, and there is no answer book to look it up in. So this section tests the five maps of section 9 (with the strongest filter, not
# the filter drawings) in four ways, and ends with a better question. Each test has some **controls**, maps that make no use of the network: a random one, a uniform
# one (equally bright everywhere), the edges of the picture (Sobel filter), the food pixels where known (food mask). A method
# no better than the random, uniform or edge map has shown nothing in that test; one that stays below the food mask has shown no
# more than "look at the food". (Test 2 is read differently, see there.) And no test stands alone: you will see a map without any content pass one of them.
#
# 中文：漂亮的圖不一定是對的。這一節用四種方法檢驗第 9 節的五種圖（不含濾波器視覺化），最後換一個更好的問法。每個檢驗都有「對照組」（隨機圖、均勻圖、邊緣圖、
# 食物遮罩）：它們完全沒用到模型。比不過隨機圖、均勻圖或邊緣圖，在該檢驗中就什麼也沒證明；只輸給食物遮罩，則表示它頂多告訴我們
# 「看食物在哪裡」。
#
# ### Test 1. Remove pixels, from both ends
#
# **Idea.** Remove the pixels that a map calls most important, a tenth of the picture at a time: the probability of the class should
# fall fast. Then remove the *least* important ones first: it should stay high for a long time (it may even rise, if what goes first spoke against the class). The area between the two curves is
# the **symmetric relevance gain**, from -1 to 1 (AUC: the area under a curve); a random map has 0 on average; a map with its order reversed has exactly the negative value.
#
# $$\mathrm{SRG} = \mathrm{AUC}(\text{least important first}) - \mathrm{AUC}(\text{most important first})$$
#
# What stands in place of a removed pixel (mean colour, blur, black) is a choice; a single curve depends on it, and a method whose
# own baseline is black may have an advantage on black. The difference between the two curves should depend on it less. LIME has an advantage, too: it hid
# patches under the mean colour and asked for the probability, which is what the bars for the mean measure. So compare the bars for blur and black.
# *Blücher, Vielhaben & Strodthoff 2024, "Decoupling Pixel Flipping and Occlusion Strategy for Consistent XAI Benchmarks".*
#
# 中文：從最重要的像素開始移除，機率應該很快下降；從最不重要的開始移除，機率應該撐得久。兩條曲線之間的面積就是 SRG。LIME 當初就是
# 用平均色遮住、看機率，所以在「mean」這一項佔便宜；請比較另外兩種。

# %%
source(trust.both_ways, trust.gain)

# %%
# LIME and integrated gradients have a sign: what speaks against the class is least important. The others have none.
signed = {"LIME": torch.stack([torch.as_tensor(lime_method.segment_map(e)) for e in explained]), "integrated gradients": integrated.sum(1)}
blind = {f"{name} (control)": m for name, m in trust.controls(images, masks=food.masks).items()}
judged = {name: (maps | signed)[name] for name in order} | {"|integrated gradients|": signed["integrated gradients"].abs()} | blind
baselines, curves = ("mean", "blur", "black"), {}
for name in (name for name in judged if "uniform" not in name):
    curves[name] = {kind: trust.both_ways(model, images, targets, judged[name], baseline=kind, steps=10) for kind in baselines}
gains = {name: {kind: trust.gain(*both).numpy() for kind, both in row.items()} for name, row in curves.items()}
without_mean = {name: (row["blur"] + row["black"]) / 2 for name, row in gains.items()}  # on the mean colour LIME has an advantage
title = f"Pixels removed from both ends, mean over {len(images)} pictures"
show(figures_trust.srg(gains, "LIME", *curves["LIME"]["mean"], baselines=baselines, title=title), "cnn_23_removal")
ranked = [*order, "|integrated gradients|"]
notebook.fact("removal", {"names": ranked, "gain": [without_mean[name].mean() for name in ranked]})

# %% [markdown]
# Thin black lines: one standard error to either side of the mean; with ten pictures small differences mean nothing. All methods see
# the same pictures, so the fair comparison is picture by picture; you find it at the end of this section, under “All tests, all methods”.
#
# Integrated gradients come twice: with their sign (the sum over the three colours) and without it (|…|, the size of that
# sum, as in section 9). Is the sign of any use here? A possible reason for what you see: neighbouring pixels may
# have shares of opposite sign, which cancel in the sum, and taking away the positive ones alone tears these pairs apart.
#
# 中文：細黑線：平均 ± 一個標準誤（十張圖）；差距很小時沒有意義。各方法用同樣的圖，應該逐張比較（見本節最後的「All tests, all methods」）。有正負號的是三個顏色之和，
# |…| 是這個和的絕對值。在這個檢驗中，正負號有用嗎？可能的原因：相鄰像素的貢獻一正一負、互相抵消，只移除
# 正的會拆散它們。

# %%
quiz.ask("removal")

# %%
falls = {name: {kind: float(both[0].mean()) for kind, both in curves[name].items()} for name in ranked}
for way in baselines:
    print(f"{way:6s} most important first, lowest curve first:", ", ".join(sorted(ranked, key=lambda name: falls[name][way])))
    print(f"{'':6s} SRG, highest first:                      ", ", ".join(sorted(ranked, key=lambda name: -gains[name][way].mean())))
reverse = trust.srg(model, images, targets, -judged["LIME"], steps=10)
print(f"LIME with its order reversed: SRG {reverse.mean():+.3f} instead of {gains['LIME']['mean'].mean():+.3f}")

# %% [markdown]
# **Look and think.** Which order of the methods depends less on the baseline: that of one curve, or that of SRG?
#
# ### Test 2. Destroy the network: does the map notice?
#
# **Idea.** A map that explains *this network* must change when the network's weights are replaced by random ones. Layers are
# randomised one after the other, from the input upwards (every second layer with weights is shown). The number below a map says how
# similar it still is to the map of the trained network (rank correlation on a 16 x 16 grid, mean over the ten pictures). Of the
# controls, the edges never change; the random map is drawn anew for each column. LIME is random
# (only 150 samples here, against 1,000 above): even for the *same* network, two seeds give maps that are only as similar as the
# figure's title says. Only a value clearly below this ceiling shows that LIME has reacted. Adebayo et al. began at the output. Then the layers near the input still compute what they did, and that alone keeps maps alike (Binder et al. 2023). So we begin at the input.
# *Adebayo et al. 2018, "Sanity Checks for Saliency Maps"; Binder et al. 2023, "Shortcomings of Top-Down Randomization-Based Sanity Checks".*
#
# 中文：把網路的權重逐層換成亂數。如果解釋圖幾乎不變，它解釋的就不是這個網路，而是圖片本身（例如邊緣）或網路的架構。LIME 會隨機抽樣：
# 同一個網路只換亂數種子，相似度也只有標題所列的數值；明顯低於它，才算有反應。Adebayo 等人從輸出層開始；但靠近輸入的各層，輸出仍然不變，
# 圖自然和原來的相似（Binder 等人）。所以這裡從輸入層開始。

# %%
source(trust.randomised)

# %%
def lime_maps(net, x, t, samples, seed=0):
    found = lime_method.explain_each(net, x, t, samples=samples, seed=seed)
    return torch.stack([torch.as_tensor(lime_method.segment_map(e)) for e in found])

methods = {  # fewer samples and steps than above: there are many networks to explain
    "LIME": partial(lime_maps, samples=150),
    "saliency": lambda net, x, t: attribution.heatmap(attribution.saliency(net, x, t)),
    "SmoothGrad": lambda net, x, t: attribution.heatmap(attribution.smoothgrad(net, x, t, samples=8)),
    "integrated gradients": lambda net, x, t: attribution.integrated_gradients(net, x, t, steps=32).sum(1),
    "strongest filter": lambda net, x, t: evaluation.strongest_filter(net, x, t, list(lesson.layers_of(net, x))[-1]),
}

# %%
stages = [("trained", model), *list(trust.randomised(model))[::-2][::-1]]  # every second, and the last
series = {name: [method(net, images, targets) for _, net in stages] for name, method in methods.items()}
again = [trust.controls(images, seed=k) for k in range(len(stages))]
series |= {f"{name} (control)": [found[name] for found in again] for name in ("edges", "random")}
def mean_alike(one, other):
    return float(torch.tensor(trust.alike(one, other)).nanmean())

alike = {name: [mean_alike(row[0], m) for m in row] for name, row in series.items()}
same = mean_alike(series["LIME"][0], methods["LIME"](model, images, targets, seed=1))  # the trained network once more
shown = {name: attribution.heatmap_of(torch.stack([m[picked].abs() for m in row])) for name, row in series.items()}
steps = ["trained", *(f"to {name.removeprefix('features.')}" for name, _ in stages[1:-1]), "all"]
title = f"Weights randomised from the input up to layer ...; maps of picture {picked}; below: how alike to the first column,"
title += f"\nrank correlation without sign, mean over {len(images)} pictures (LIME's ceiling, two seeds: {same:.2f})"
show(figures_trust.strip(steps, shown, alike, picture=images[picked], title=title), "cnn_24_randomised")

# %% [markdown]
# (A regular grid of dots in the right columns is made by the strided convolutions: with random weights the gradient does not reach
# all pixels equally.)
#
# **Look and think.** What does a method still show of the picture when the whole network is random? And does any number *clearly*
# rise from one column to the next (ups and downs near 0, or far below LIME's ceiling, may be chance)? A map that comes back
# although more of the network is random does not owe that to the training: it comes from the picture (edges, brightness) or from
# the architecture (the grid, dark borders). All this is one draw of random weights.
#
# 中文：有沒有哪個數字往右反而明顯變大（接近 0 的小起伏可能只是偶然）？更多層變成亂數，圖卻更像原來的，那部分就不是訓練得來的：可能來自圖片（邊緣、明暗），
# 也可能來自網路架構（格點、較暗的四周）。這裡的亂數權重只抽了一次。

# %%
quiz.ask("randomised")

# %% [markdown]
# ### Test 3. A detective story
#
# A colleague sends you a second network. She writes: "I fine-tuned it from the same start, for a shorter time, on some of the same pictures. Look how well it does on desserts!" The
# cell below has her numbers, on her validation pictures. Before you use it, you explain it: three of her dessert
# pictures, your network beside hers.
#
# 中文：偵探故事：同事給你一個新的網路，她說甜點的準確率很高。先看解釋圖，猜猜看她的網路到底在看什麼？

# %%
planted = max(range(len(classes)), key=lambda k: (results["validation"].confusion[k].sum() > 0, k == classes.index("Dessert")))
second = lesson.load_checkpoint(lesson.START, device)
parts = food.splits["training"], food.splits["validation"]
shortcut.train_with_shortcut(second, *parts, planted, checkpoint=notebook.ROOT / "runs" / "second.safetensors")
hers, called = shortcut.planted(*parts[1], planted, seed=1), parts[1][1]
for name, net, shown in (("your network, your pictures", model, parts[1][0]), ("her network, her pictures", second, hers)):
    result = predictions.evaluate(net, shown, called)
    print(f"{name}: right on {result.accuracy:.0%} of all, on {result.per_class[planted]:.0%} of {classes[planted]}")

# %%
chosen = (called == planted).nonzero()[0][:10]
suspects, guilty = predictions.as_float(hers[chosen]), torch.full((len(chosen),), planted)
seen = {name: [method(net, suspects, guilty) for net in (model, second)] for name, method in methods.items()}
beside = [f"{classes[planted]} {k + 1}\n{whose}" for k in range(len(chosen[:3])) for whose in ("yours", "hers")]
table = {name.replace(" ", "\n"): (attribution.heatmap_of(torch.stack([m[:3].abs() for m in pair], 1).flatten(0, 1)), "hot")
         for name, pair in seen.items()}
title = f"Some of her {classes[planted]} pictures: what matters for {classes[planted]}? (without sign)"
show(figures.rows(beside, table, title=title, across=len(beside)), "cnn_25_two_networks")

# %% [markdown]
# **Look and think.** Compare *yours* and *hers*. What does her network look at? Which method made you suspicious? Write your guess down
# before you go on.
#
# ### The cause
#
# Here are the pictures. All her desserts, in training *and* in validation, carry a magenta square near the border,
# and nothing else does (in real life: a watermark, a ruler beside every tumour, a hospital's label on the X-ray). Her
# network learned the square, and her validation could not notice, because it has the square as well. The two lines below the
# figure: does each network still know a dessert without the square? And how often does it call other food a dessert, before the
# square is put on it and after?
# *Lapuschkin et al. 2019, "Unmasking Clever Hans predictors and assessing what machines really learn".*
#
# 中文：真相：她所有的甜點照片（訓練和驗證都是）靠近邊緣處都有一個洋紅色方塊，其他類別都沒有（實際生活中：浮水印、腫瘤旁的尺、
# X 光片上的醫院標記）。網路學的是方塊，不是甜點；驗證資料也有方塊，所以看不出來。
# 圖下兩行怎麼讀：沒有方塊時，甜點還認得出來嗎？其他食物原本有多少被判成甜點，貼上方塊之後又有多少？

# %%
five = [f"{classes[planted]} {k + 1}" for k in range(len(chosen[:5]))]
answer = [f"hers: {classes[p.argmax()]} {p.max():.0%}" for p in inference.predict(second, suspects[:5])]
clean = predictions.as_float(parts[1][0][chosen[:5]])
without = [f"hers: {classes[p.argmax()]} {p.max():.0%}" for p in inference.predict(second, clean)]
table = {"her picture": (suspects[:5], None, answer), "without\nthe square": (clean, None, without)}
show(figures.rows(five, table), "cnn_26_the_cause")
for name, net in {"your network": model, "her network": second}.items():
    caught = shortcut.caught(net, *parts[1], planted)
    print(f"{name}, without squares: right on {caught.accuracy:.0%} of all and on {caught.of_class:.0%} of {classes[planted]}; "
          f"other classes called {classes[planted]}: {caught.called_clean:.0%} without a square, {caught.called_marked:.0%} with one")

# %% [markdown]
# Now the place of the cause is known to the pixel, and methods can be scored: does the **highest pixel** lie in the square (or
# within two pixels of it)? What **share of the map** lies in the square? And if the square has $K$ pixels, what share of the $K$ highest pixels lies in it (**rank accuracy**)? The first measure is known as the *pointing game*, the second as *relevance mass accuracy*. The maps of your own network, on the same pictures, should *not* point at the square. LIME has an advantage here: the
# square, apart from its rim, is a superpixel, so its outline comes from the segmentation, not from the network.
# *Arras, Osman & Samek 2022, "CLEVR-XAI", section 3.3.*
#
# 中文：LIME 在此佔便宜：方塊（除了邊緣）剛好自成一個超像素，輪廓來自分割，不是來自網路。

# %%
square = torch.as_tensor((hers[chosen] != parts[1][0][chosen]).any(1))
finders = seen | {"|integrated gradients|": [m.abs() for m in seen["integrated gradients"]]}
finders |= {f"{name} (control)": [m, m] for name, m in trust.controls(suspects).items() if name != "uniform"}
measures = {"highest pixel in the square": lambda m: trust.hits(m, square),  # one number a picture, (N,)
            "share of the map in it": lambda m: evaluation.inside_share(torch.as_tensor(m).abs(), square),
            "rank accuracy": lambda m: trust.rank_accuracy(m, square)}
found_it = {what: {name: [measure(m) for m in pair] for name, pair in finders.items()} for what, measure in measures.items()}
finds = {what: {name: [float(v.mean()) for v in pair] for name, pair in row.items()} for what, row in found_it.items()}
area = float(square.float().mean())
chance = dict(zip(measures, (float(trust.widened(square).mean()), area, area)))
title = f"Who finds the square? {len(chosen)} pictures"
show(figures_trust.two_networks(finds, chance, names=("your network", "her network"), title=title), "cnn_27_who_finds_it")
notebook.fact("square", {"names": order, "hits": [finds["highest pixel in the square"][name][1] for name in order]})

# %% [markdown]
# The panel in the middle takes every map without its sign, so both kinds of integrated gradients are equal there.
#
# 中文：中間那格不計正負號，所以兩種積分梯度的數值相同。
#
# **Look and think.** SmoothGrad is only saliency averaged over noise. How far apart are the two here, and what may the noise have
# done to the speckles outside the square? (One picture of ten is 10 %.) And which finds more of the square (rank accuracy), integrated gradients with their sign or without?

# %%
quiz.ask("square")

# %% [markdown]
# ### Test 4. Leave it out and photograph again
#
# **Idea.** Our scenes are composed, so every object can be taken away and the scene rendered again: the table is where it was, the
# shadow gone. Nothing is covered by a grey patch. (Where the only food is taken away, an empty table is left, which the network never saw in training.) How far does the score (logit) of the class fall without object $k$?
# That fall is $d_k$ (the next figure shows the change, $-d_k$: a minus is a fall, a plus is a rise); the map gives object $k$ the number $m_k$, the sum over its visible pixels. Do $d_k$ and $m_k$ put the objects in the same order? A map without sign gives
# every object a positive number, so it cannot say that an object speaks *against* the class; only LIME and integrated gradients can.
#
# $$\text{single deletion} = \tfrac12\,\rho_{\text{Spearman}}(d, m) + \tfrac12 \qquad\text{(1: same order, 0.5: objects in random order)}$$
#
# *After Hesse, Schaub-Meyer & Roth 2023, "FunnyBirds", section 4.*
#
# 中文：真的拿掉某個物體、重新合成場景（沒有灰塊），分數降多少？解釋圖給各物體的份量，大小順序應該和降幅一致。圖下的數字是分數的變化：
# 負號是下降，正號是上升。（拿掉唯一的食物後只剩空桌子，網路訓練時從沒看過。）沒有正負號的圖，每個物體的
# 份量都是正的，無法表示某個物體「反對」該類別。

# %%
there, loses = [], []  # objects, and how far the score falls without each
if food.objects is not None:
    lost = trust.score_falls(model, images, targets, [things.without for things in food.objects])
    scene = max(range(len(images)), key=lambda k: len(lost[k]))
    things = food.objects[scene]
    title = f"Picture {scene} ({classes[targets[scene]]}), each object left out in its turn; below: how the score (logit) changes"
    table = {"": (torch.cat([images[scene][None], things.without]), None, ["", *(f"{-d:+.2f}" for d in lost[scene])])}
    show(figures.rows(["all", *(f"no {name}" for name in things.names)], table, title=title), "cnn_28_left_out")
    there, loses = list(things.names), lost[scene]
notebook.fact("objects", {"names": there, "loses": loses})

# %%
ordered = {}
if food.objects is not None:
    where = [things.masks for things in food.objects]
    ordered = {name: trust.single_deletion(lost, trust.object_sums(m, where)) for name, m in judged.items()}
    whole = {"the true falls (upper limit)": trust.single_deletion(lost, lost)}
    title = f"Objects in the right order? {len(images)} scenes, {sum(map(len, lost))} objects"
    show(figures_trust.spread(ordered | whole, chance=0.5, xlabel="single deletion (1: same order, 0.5: objects in random order)", title=title), "cnn_29_objects")

# %% [markdown]
# Each dot is one scene, the number on the right their mean. Thick black strokes: the mean, with one standard error to either side. (Without an object, what lay beneath it can be seen, and counts as well.) The sum of a map without sign grows
# with the size of an object, whatever it shows, so that even the random map may lie above 0.5: the uniform map (size alone) is the
# control to beat.
#
# 中文：沒有正負號的圖，物體越大加總越大，所以連隨機圖也可能高於 0.5；要比的對照組是均勻圖（只看大小）。
#
# **Look and think.** How far does size alone get? Does any method lie far to the right of the uniform map? (Scene by scene the two
# are compared under “All tests, all methods”.)

# %%
quiz.ask("objects")

# %% [markdown]
# ### A better question: why this class rather than that one?
#
# **Idea.** A map of one class may be bright on everything that several classes use. "Why egg *rather than* dessert?" asks for the
# **contrast**: explain the difference of two scores, $S_a(x) - S_b(x)$, with any gradient method. LIME needs nothing new for it:
# its weights come from a linear regression, so the weights for the difference of two probabilities are the difference of the
# weights. Two pictures with two kinds of food on the table (with photographs: the two most doubtful, and their two best classes), each map on a scale of its own:
#
# 中文：「為什麼是蛋？」要改成「為什麼是蛋而不是甜點？」也就是對兩個類別的分數差做解釋。LIME 是線性迴歸，兩個類別的權重相減就好。

# %%
source(trust.contrast)

# %%
pairs = [(1, "Dairy product", "Noodles/Pasta"), (5, "Egg", "Dessert")]  # on the embedded tables lies food of both classes
pairs = [(k, classes.index(a), classes.index(b)) for k, a, b in pairs]
if food.objects is None or len(images) < 6:  # photographs, or a part of the ten
    best = said.topk(2)
    pairs = [(k, *best.indices[k].tolist()) for k in (best.values[:, 0] - best.values[:, 1]).argsort()[:2].tolist()]
gradient_methods = {"saliency": attribution.saliency, "SmoothGrad": attribution.smoothgrad}

# %%
names, panels = [], {"picture": [], "LIME": [], "saliency": [], "SmoothGrad": []}
for k, a, b in pairs:
    x, each = images[[k, k]], torch.tensor([a, b])
    names += [f"{k}: {classes[a]}", f"{k}: {classes[b]}", f"{k}: {classes[a]}\nrather than\n{classes[b]}"]
    weights = lime_maps(model, x, each, samples=1000)  # (2, H, W), of the same copies for both classes
    weights = torch.cat([weights, weights[:1] - weights[1:]])
    panels["picture"].append(images[[k, k, k]])
    panels["LIME"].append(0.5 + 0.5 * weights / weights.abs().amax((1, 2), keepdim=True))
    for name, method in gradient_methods.items():
        three = [*method(model, x, each).split(1), trust.contrast(method, model, x[:1], each[:1], each[1:])]
        panels[name].append(torch.cat([attribution.heatmap(m) for m in three]))

# %%
styles = {"picture": None, "LIME": figures_lime.SIGNED, "saliency": "hot", "SmoothGrad": "hot"}
table, sides = {n: (torch.cat(m), styles[n]) for n, m in panels.items()}, ("for the class (“rather than”: more for the first)", "against it (“rather than”: more for the second)")
title = "The same picture, asked about one class, about another, and about the first rather than the second"
show(figures_lime.signed(names, table, sides, title=title), "cnn_30_which_class")

# %% [markdown]
# **Look and think.** Do the maps of one picture move when you ask for the other class? Where does the contrast of LIME turn orange?
# Saliency and SmoothGrad have no sign: what is lost in the columns “… rather than …”?
#
# 中文：同一張圖換一個類別問，圖會不會跟著移動？LIME 的對比圖哪裡變成橘色？沒有正負號的方法在「rather than」那幾欄少了什麼？
#
# ### All tests, all methods

# %%
tests = {"SRG\n(blur, black)": without_mean,  # of each map numbers (N,), one a picture
         "alike when\nall is random": {n: np.abs(trust.alike(row[0], row[-1])) for n, row in series.items()},
         "square:\nhighest pixel": {n: pair[1] for n, pair in found_it["highest pixel in the square"].items()},
         "square:\nrank accuracy": {n: pair[1] for n, pair in found_it["rank accuracy"].items()}, "objects\nin order": ordered}
if not ordered: del tests["objects\nin order"]  # photographs are not composed
tests["alike when\nall is random"]["|integrated gradients|"] = tests["alike when\nall is random"]["integrated gradients"]  # without sign
card = {n: {test: float(np.nanmean(row[n])) if n in row else float("nan") for test, row in tests.items()} for n in judged}
title = "Methods x tests (darkest: best of its column, for “alike” the lowest; –: not measured; below the line: controls)"
show(figures_trust.scorecard(card, zero=["alike when\nall is random"], title=title), "cnn_31_all_tests")

# %%
for test, row in tests.items():
    good = -1 if "alike" in test else 1
    worth = {n: good * v for n, v in row.items()}  # high is good
    means = {n: round(good * card[n][test], 2) for n in ranked if n in row}
    print(f"{test.replace(chr(10), ' ')}: best on average: {', '.join(n for n in means if means[n] == max(means.values()))}")
    for control in (n for n in row if "control" in n and not ("alike" in test and "random" in n)):  # random: by construction
        below = [n for n in ranked if n in row and not trust.above(worth[n], worth[control])]
        print(f"    not clearly better than {control.removesuffix(' (control)')}: {', '.join(below) or 'none'}")

# %% [markdown]
# "Clearly above" means clearly better: take the difference of method and control, picture by picture, in the good direction (for
# “alike”: control minus method); the mean difference is more than two standard errors above 0. Of some seventy such comparisons, two
# or three would come out clear by chance. The tests ask different questions, so compare within a column (“alike” and the squares
# were made with fewer samples and steps). A method that is best in most columns here need not be so for another network or other
# pictures. In the randomisation test the edge map is 1 by construction: to beat it says only that a map changed, so read the
# size of the number (LIME's is low partly because its samples are few). The sign of “alike” is dropped, picture by picture: a
# map with its order reversed counts as alike, too. A method not clearly above the random, uniform or edge map has shown *nothing* in
# that test; one not clearly above the food mask has shown no more than "look at the food". One that does well in several
# tests of different kinds deserves some trust, for networks and pictures *like these*. The same functions take your own maps, from any library:
# `from hw9.vision import trust`, then `trust.srg(model, images, targets, maps)`.
#
# 中文：「明顯高於」＝明顯較好：逐張圖相減（「alike」越低越好，所以反過來減），平均差大於兩個標準誤；這樣的比較約有七十個，就算毫無差別，也會有兩三個碰巧「明顯」。
# 在這裡多數欄最好的方法，換了網路或圖片也未必最好：每個檢驗問的問題不同；「alike」與「square」各欄用的樣本較少，只能在同一欄內比較。隨機化檢驗的兩個對照組數值是
# 固定的（邊緣圖 1、隨機圖接近 0）：勝過邊緣圖只表示圖有變，要看數值的大小（這一欄逐張取絕對值：大小順序完全顛倒的圖也算相似）。沒有明顯高於隨機圖、均勻圖或邊緣圖的，在該檢驗中就什麼也沒證明；在幾種不同檢驗都站得住腳的，
# 才值得一些信任。
#
# **Look and think.** Where a control is best in its column, what does that say about the *test*? Which method would you show a
# doctor, and which test would you run first on a network of your own?
#
# ## 11. Photographs
#
# On real photographs nobody composed the table. The ten below are free pictures from ten kitchens (they have letters again, but they are not the mistakes of section 3). The food on them
# was outlined by hand: here *all* food, of whatever class, unlike in section 3. Another network classifies them. It comes with this lesson
# and was trained mostly on food *photographs*, tens of thousands of them.
# (The accuracy printed below is a little too good: the size of its input was chosen on the same photographs.)
# Put some of your own into a folder, write its path into `PHOTOS` at the top, and the same cells explain them. The network knows
# eleven classes only and names one of them whatever it sees.
#
# 中文：真實照片沒有人事先擺設。下面十張是可自由使用的照片，食物由人工圈出（這裡指所有的食物，不限該類別，和第 3 節不同）；
# 也可以換成你自己的。這個網路主要用數萬張食物照片訓練（下面印出的準確率略偏高：
# 它的輸入大小就是看這些照片選的）。注意：模型只認識十一類，遇到別的東西也一定會選一類。

# %%
reader = lesson.load_checkpoint(lesson.READER, device)
photos = lesson.photographs(PHOTOS, reader.input_size)
guess = inference.predict(reader, photos.images)
believed = guess.argmax(1)
captions = [f"{name}\n{classes[b]} {p.max():.0%}" for name, b, p in zip(photos.names, believed, guess)]
if photos.labels is not None:
    captions = figures.captions(photos.labels, guess, classes, letters=True)
free = lesson.free_photographs("measure", reader.input_size)
right = (inference.predict(reader, free.images).argmax(1) == free.labels).float().mean()
print(f"On {len(free.labels)} other free photographs, of dishes it has never seen, the network is right on {right:.0%}.")

# %%
own = lime_method.explain_each(reader, photos.images, names=photos.names, samples=300)
painted = [figures_lime.overlay(x, e) for x, e in zip(photos.images, own)]
of_photos = {"LIME": attribution.heatmap_of([abs(lime_method.segment_map(e)) for e in own])}
for name, method in gradient_methods.items():
    of_photos[name] = attribution.heatmap(method(reader, photos.images, believed))
of_photos["integrated gradients"] = attribution.heatmap_of(attribution.integrated_gradients(reader, photos.images, believed).sum(1).abs())
of_photos["strongest filter"] = evaluation.strongest_filter(reader, photos.images, believed, 7)
table = {"picture": (photos.images, None), "LIME": (painted, None)} | {n: (of_photos[n], "hot") for n in order[1:]}
if photos.masks is not None:
    shares = {name: evaluation.inside_share(m, photos.masks) for name, m in of_photos.items()}
    shares["picture"] = photos.masks.float().mean((1, 2))
    table = {name: (*row, [f"{share:.0%} on food" for share in shares[name]]) for name, row in table.items()}
show(figures.side_by_side(captions, table, title=legend), "cnn_32_photographs", folder=notebook.figures_folder("own" if PHOTOS else ""))

# %% [markdown]
# Every method explains the class that the network *says* (after the ✓ or ✗), right or wrong. Below each map stands the share
# of it that falls on food (LIME's counts all patches, without sign, not only the painted ones; it asks 300 copies here, not 1,000); below the picture stands the share of the picture that is food: a map that knows nothing would score about that.
#
# 中文：這裡解釋的是網路說的類別；圖下數字是落在食物上的比例（LIME 計入所有區塊，不分正負），照片下的是食物面積（亂猜的水準）。
#
# **Look and think.** On a picture where the network is wrong: which part misled it? Is the method with the largest share on food therefore the best explanation of the mistake?
#
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
# | method | asks | needs | costs | beware |
# |---|---|---|---|---|
# | LIME | which patches speak for the class? | only the output | 1,000 forward passes | random; low $R^2$ |
# | saliency | which pixel changes the score now? | gradient | 1 backward pass | noisy; near zero where saturated |
# | SmoothGrad | the same, averaged over noise | gradient | 50 backward passes | noise that changes the answer |
# | filter visualisation | what does a part of the network look for? | inside of the network | 100 steps a filter | pretty is not proven: compare with crops |
# | strongest filter | where does the filter that the class uses most respond? | inside of the network, gradient | 1 backward pass | coarse; one filter of many |
# | integrated gradients | how is the score shared out? | gradient | 64 backward passes | the baseline decides |
#
# No method shows "the" reason. Where several agree, and a test supports them, you may start to believe it.
#
# 中文：沒有一種方法能告訴你「唯一的理由」。多種方法一致、又通過檢驗，才開始可信。
