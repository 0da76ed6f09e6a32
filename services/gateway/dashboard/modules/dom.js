// Building elements. Text and attributes only: nothing that came from outside is ever parsed as markup.

/** Build an element. Functions become listeners; null, undefined and false leave an attribute out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  const absent = [null, undefined, false];
  element.append(...children.flat(Infinity).filter((child) => !absent.includes(child)));
  return element;
}

/** Build a button that does something when it is pressed; `look` names variants such as `is-small`. */
export function button(content, onPress, { look = "", ...attributes } = {}) {
  const className = `button ${look}`.trim();
  return el("button", { type: "button", class: className, click: onPress, ...attributes }, content);
}

/** Set custom properties; a Content-Security-Policy without inline styles allows this, but no style attribute. */
export function setVariables(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(`--${name}`, String(value));
  return element;
}

/** Link to a page elsewhere; what is no web address stays plain text. It turns round nothing that stands beside it. */
export function outsideLink(url, text = url) {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !["http:", "https:"].includes(parsed.protocol)) return el("span", { dir: "auto" }, text);
  return el("a", { href: parsed.href, target: "_blank", rel: "noopener noreferrer", dir: "auto" }, text);
}

/** Text that only a screen reader says. */
export function unseen(text) {
  return el("span", { class: "unseen" }, text);
}

/** Put children in this order, moving only those that stand elsewhere, so that focus and animations survive. */
export function arrange(parent, children) {
  children.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}

/** A group of choices of which one holds: radio buttons that look like one control. */
export function choices(label, options, chosen, onChoose) {
  const name = `choice-${(choices.count = (choices.count ?? 0) + 1)}`;
  const inputs = options.map(([value]) =>
    el("input", { type: "radio", name, value, checked: value === chosen, change: () => onChoose(value) }),
  );
  const group = el(
    "fieldset",
    { class: "choices" },
    el("legend", { class: "unseen" }, label),
    options.map(([, text], place) => el("label", {}, inputs[place], el("span", {}, text))),
  );
  const called = (value) => inputs.find((input) => input.value === value);
  group.choose = (value) => called(value)?.click();
  group.offer = (value, offered) => {
    called(value).disabled = called(value).parentElement.hidden = !offered;
  };
  return group;
}
