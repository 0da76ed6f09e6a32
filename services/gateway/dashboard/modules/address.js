// What the address says behind its #: which picture is open, which job's pictures are shown, a token to take.

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
