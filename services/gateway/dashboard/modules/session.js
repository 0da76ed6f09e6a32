// Who is signed in. The token lives as long as the tab, and never stays in the address.

import { readAddress, writeAddress } from "./address.js";

const KEY = "diorama.token";

/** Give the token of this tab; one in the address is taken from there and cleaned away. */
export function currentToken() {
  const { token } = readAddress();
  if (token) {
    keepToken(token);
    writeAddress({ token: null }, { replace: true });
  }
  return sessionStorage.getItem(KEY);
}

/** Keep a token without what is copied along with one: spaces, ends of lines, quotes, the rest of its header. */
export function keepToken(token) {
  const bare = token.replace(/^\W*(authorization\s*:)?\s*bearer\s/i, "");
  sessionStorage.setItem(KEY, bare.replace(/["'\s\u200b-\u200f\u2060\ufeff]/g, ""));
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}
