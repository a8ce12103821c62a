"""How long the larger figures of the BERT lesson take, against the reading that they show.

    python -m benchmarks.language_figures

Median of five, in turns; drawing includes writing the PNG, as in the notebook. Ratios are what to read.
"""

import io
import statistics
import time

import matplotlib.pyplot as plt
import torch

from hw9 import notebook
from hw9.language import attention, bert, embeddings, questions, sentences, similarity
from hw9.language.figures import attention as attention_figures
from hw9.language.figures import embeddings as plane_figures
from hw9.language.figures import heads as head_figures
from hw9.language.figures import similarity as similarity_figures


def main(repeats: int = 5) -> None:
    torch.set_num_threads(2)
    notebook.setup()
    reader = bert.load(device="cpu")
    many = reader.read_many(sentences.READ_CHINESE, attentions=True)
    apples, item = sentences.APPLE_TRADITIONAL, questions.questions("zh-Hant")[0]
    vectors = similarity.token_vectors(reader, apples.texts, "果", 8)
    asked = reader.read(item.question, item.context)
    roles, points = embeddings.roles(asked, (item.start, item.end)), embeddings.project(asked)
    maps = {"Euclidean distance": similarity.euclidean(vectors), "cosine similarity": similarity.cosine(vectors)}
    work = {
        "reading eight sentences": lambda: reader.read_many(sentences.READ_CHINESE, attentions=True),
        "144 heads as thumbnails": lambda: attention_figures.grid(many[0].attentions),
        "head patterns, eight maps": lambda: head_figures.patterns(attention.head_patterns(many)),
        "heat maps, 10 x 10, two": lambda: similarity_figures.heat_maps(maps, apples.texts, apples.senses),
        "PCA of 13 layers": lambda: embeddings.project(asked),
        "t-SNE of 13 layers": lambda: embeddings.project(asked, "tsne"),
        "tokens in the plane, 13 layers": lambda: plane_figures.grid(points, asked, roles),
    }
    times = {name: [] for name in work}
    for _ in range(repeats):
        for name, way in work.items():
            start = time.perf_counter()
            made = way()
            if isinstance(made, plt.Figure):
                made.savefig(io.BytesIO(), bbox_inches="tight")
                plt.close(made)
            times[name].append(time.perf_counter() - start)
    first = statistics.median(times["reading eight sentences"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"  {median:7.3f} s  {median / first:6.1f} x reading  {name}")


if __name__ == "__main__":
    main()
