// Speaking to the gateway. Whatever goes wrong becomes a Problem with a sentence for a person.

const ROOT = "/api/v1";
const LONGEST_WAIT_SECONDS = 5;
const WORTH_A_SECOND_TRY = [429, 503];
/** What no header can carry (RFC 9110, §5.5), so that a browser would refuse to ask. */
const UNSENDABLE = /[^\x21-\x7e]/u;

/** What the gateway told instead of an answer, or that it told nothing. */
export class Problem extends Error {
  constructor({ status = 0, code, detail, trace_id: traceId = null, retryAfterSeconds = null }) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.sentence = detail;
    this.traceId = traceId;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class Api {
  #signedOut = false;

  /** `onSignedOut(problem)` is called when the token is refused. */
  constructor(token, onSignedOut) {
    this.token = token;
    this.onSignedOut = onSignedOut;
  }

  /** Look. Where the gateway asks to come again shortly, that is done once. */
  async get(path, parameters = {}, { signal } = {}) {
    const address = path + queryOf(parameters);
    try {
      return await this.#json("GET", address, { signal });
    } catch (problem) {
      if (!WORTH_A_SECOND_TRY.includes(problem.status) || !(problem.retryAfterSeconds <= LONGEST_WAIT_SECONDS)) {
        throw problem;
      }
      await new Promise((resolve) => setTimeout(resolve, problem.retryAfterSeconds * 1000));
      return this.#json("GET", address, { signal });
    }
  }

  /**
   * Hand work in. The key makes sure that it is taken in once, whatever the network does. What rests on a `version` that
   * was seen is a Problem with 412 where it is another one by now.
   */
  async post(path, body = null, version = null) {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": newKey() };
    if (version !== null) headers["If-Match"] = `"${version}"`;
    return this.#json("POST", path, { headers, body: JSON.stringify(body) });
  }

  /** Change what was seen in this version; where it is another one by now, that is a Problem with 412. */
  async patch(path, body, version) {
    const headers = { "Content-Type": "application/json", "If-Match": `"${version}"` };
    return this.#json("PATCH", path, { headers, body: JSON.stringify(body) });
  }

  /** Send a request and give the response where it is a success. Throws Problem, or AbortError. */
  async send(method, path, { headers = {}, body, signal } = {}) {
    const [odd] = this.token.match(UNSENDABLE) ?? [];
    if (odd) throw this.#signOut(malformed(odd));
    let response;
    try {
      const sent = { ...headers, Authorization: `Bearer ${this.token}` };
      response = await fetch(ROOT + path, { method, headers: sent, body, signal, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ code: "gateway_unreachable", detail: "The gateway does not answer. Is it running?" });
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    throw problem.status === 401 ? this.#signOut(problem) : problem;
  }

  #signOut(problem) {
    if (!this.#signedOut) {
      this.#signedOut = true;
      this.onSignedOut(problem);
    }
    return problem;
  }

  async #json(method, path, options) {
    return (await this.send(method, path, options)).json();
  }
}

function malformed(odd) {
  const detail = `No token contains “${odd}”: it was not copied whole. Copy it once more and paste it here.`;
  return new Problem({ status: 401, code: "token_malformed", detail });
}

async function problemOf(response) {
  const told = await response.json().catch(() => ({}));
  const unnamed = { code: `http_${response.status}`, detail: "The gateway refused without saying why." };
  const retryAfter = Number(response.headers.get("Retry-After") ?? NaN);
  return new Problem({ ...unnamed, ...told, status: response.status, retryAfterSeconds: retryAfter });
}

function queryOf(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined) query.append(name, one);
  }
  return query.size ? `?${query}` : "";
}

function newKey() {
  // Not randomUUID: browsers have that only where the page is served securely.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
