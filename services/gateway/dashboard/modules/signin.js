// The door: a box to paste a token into.

import { el } from "./dom.js";
import { problemBox } from "./notices.js";

/** Draw the door into a place; `onToken(token)` is called with what was pasted. */
export function showDoor(place, onToken, problem = null) {
  const input = el("input", {
    id: "token",
    name: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    pattern: ".*\\S.*",
    title: "Paste your token here",
    placeholder: "eyJ…",
    "aria-describedby": "token-hint",
  });
  const enter = (event) => {
    event.preventDefault();
    onToken(input.value);
  };
  place.replaceChildren(
    el(
      "section",
      { class: "door", "aria-labelledby": "door-title" },
      el("img", { src: "favicon.svg", alt: "", width: 56, height: 56 }),
      el("h2", { id: "door-title" }, "Come in with your token"),
      problem && problemBox(problem),
      el(
        "form",
        { class: "door-form", submit: enter },
        el("label", { for: "token" }, "Access token"),
        el("div", { class: "row" }, input, el("button", { class: "button is-primary" }, "Sign in")),
        el(
          "p",
          { class: "hint", id: "token-hint" },
          "On one machine, ",
          el("code", {}, "make up"),
          " prints it. It is kept for this tab only and forgotten when the tab is closed.",
        ),
      ),
    ),
  );
  input.focus();
}
