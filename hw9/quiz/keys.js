// What ipywidgets leaves out: radio buttons as a group, with a name and arrow keys; the keys that JupyterLab would take.
function dress(quiz) {
  for (const one of quiz.querySelectorAll("input, button, select")) one.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const card of quiz.querySelectorAll(".hw9-quiz-card")) {
    const text = card.querySelector(".widget-html-content");
    if (!text) continue; // not drawn yet
    text.id ||= `hw9-quiz-${Math.random().toString(36).slice(2)}`;
    card.setAttribute("role", "group");
    card.setAttribute("aria-labelledby", text.id);
    for (const radio of card.querySelectorAll("input[type=radio]")) radio.name = text.id;
  }
}

export default {
  render({ el }) {
    // The cards come one by one, some after this.
    let observer;
    const begin = () => {
      const quiz = el.closest(".hw9-quiz");
      if (!quiz) return requestAnimationFrame(begin);
      dress(quiz);
      observer = new MutationObserver(() => dress(quiz));
      observer.observe(quiz, { childList: true, subtree: true });
    };
    begin();
    return () => observer?.disconnect();
  },
};
