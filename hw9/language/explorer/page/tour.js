// The guided tour: cards that set the view, light up what to look at and ask one question.

import { make } from "./dom.js";
import { say } from "./strings.js";

/** @typedef {{name: string, light: string, view: Record<string, any>, values: Record<string, any>}} Card */

/**
 * @param {Card[]} cards
 * @param {{show: (card: Card) => void, home: (element: HTMLElement) => void, lights: Record<string, HTMLElement>}} act
 *   `home`: puts the card where it belongs, `lights`: what a card can light up
 */
export function makeTour(cards, act) {
  const count = make("span", { class: "count" });
  const told = make("p");
  const asked = make("p", { class: "asked" });
  const back = make("button", { type: "button", class: "action", onclick: () => go(at - 1) });
  const on = make("button", { type: "button", class: "action", onclick: () => go(at + 1) });
  const end = make("button", { type: "button", class: "link", onclick: () => go(-1) });
  const element = make("section", { class: "tour", tabindex: -1, hidden: true }, [
    make("div", { "aria-live": "polite" }, [told, asked]),
    make("div", { class: "steps" }, [count, back, on, end]),
  ]);
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Escape: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (next !== -1 || event.key === "Escape") go(next);
  });
  let at = -1;
  let language = /** @type {"en" | "zh"} */ ("en");
  /** @type {HTMLElement | null} */
  let opener = null;

  function write() {
    element.setAttribute("aria-label", say(language, "tour"));
    back.textContent = say(language, "tourBack");
    on.textContent = say(language, "tourOn");
    end.textContent = say(language, "tourEnd");
    if (at < 0) return;
    const { name, values } = cards[at];
    count.textContent = say(language, "tourCount", { at: at + 1, of: cards.length });
    told.textContent = say(language, `tour_${name}`, values);
    asked.textContent = say(language, `ask_${name}`, values);
  }

  /** Show the card `next`; -1 ends the tour. @param {number} next */
  function go(next) {
    if (next >= cards.length) next = -1;
    Object.values(act.lights).forEach((part) => part.classList.remove("lit"));
    at = next;
    element.hidden = at < 0;
    if (at < 0) return opener?.focus();
    back.disabled = at === 0;
    write();
    act.show(cards[at]);
    const { light } = cards[at];
    act.lights[light].classList.add("lit");
    // In a notebook, where the page does not scroll but something around it, no card stays in view by itself.
    if (light === "grid" || light === "corpus") act.lights[light].before(element);
    else act.home(element);
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  return {
    element,
    start: () => {
      opener = /** @type {HTMLElement | null} */ (document.activeElement);
      go(0);
    },
    /** @param {"en" | "zh"} now */
    label(now) {
      language = now;
      write();
    },
  };
}
