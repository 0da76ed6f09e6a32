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

export function keepToken(token) {
  sessionStorage.setItem(KEY, token.trim());
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}
