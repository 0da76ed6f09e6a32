// What the address says behind its #: what is searched for, which picture is open, a token to take.

const listeners = new Set();

/** Read the part of the address behind #, such as `image=<id>`. */
export function readAddress() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** Write some of it; null takes a part out. Replaced entries leave no trace in the history. */
export function writeAddress(changes, { replace = false } = {}) {
  const parts = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) parts.delete(name);
    else parts.set(name, value);
  }
  const hash = parts.toString() ? `#${parts}` : "";
  if (hash === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", `${location.pathname}${location.search}${hash}`);
  tellListeners();
}

/** Follow a link within the page: what else the address says stays; a new tab is the browser's business. */
export function followLink(event, changes) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  writeAddress(changes);
}

/** Be told of every change, by us or by the browser's buttons. */
export function onAddress(listener) {
  listeners.add(listener);
}

function tellListeners() {
  const address = readAddress();
  for (const listener of listeners) listener(address);
}

addEventListener("popstate", tellListeners);
addEventListener("hashchange", tellListeners);
