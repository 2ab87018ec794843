// Talking to the server: one kind of error, and readers of the two kinds of stream.

const TOKEN = "cybersecqwen.token";

/** What went wrong with a request. */
export class ApiError extends Error {
  /**
   * @param {"gone"|"refused"|"cut"} kind No answer at all; an answer that is an error; an answer
   *   that ended too early.
   * @param {string} message
   * @param {number} status HTTP status, or 0.
   * @param {string} code The server's word for it, or an empty string.
   * @param {number|null} retryAfter Seconds to wait, if the server says so.
   */
  constructor(kind, message, status = 0, code = "", retryAfter = null) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export const aborted = (error) => error?.name === "AbortError";

let held = null; // for a browser that stores nothing

/** Keep a token for this tab. */
export function setToken(token) {
  held = token;
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // It is gone when the page is loaded again.
  }
}

function token() {
  try {
    return sessionStorage.getItem(TOKEN) ?? held;
  } catch {
    return held;
  }
}

/**
 * Send a request and return its response, whose status is good.
 * @param {string} path Relative to the page, so that a prefix in front of it does no harm.
 * @param {{method?: string, body?: BodyInit|null, headers?: Record<string, string>, signal?: AbortSignal}} options
 * @throws {ApiError}
 */
export async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (aborted(error)) throw error;
    throw new ApiError("gone", "The server does not answer.");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  let error = {};
  try {
    error = (await response.json())?.error ?? {};
  } catch {
    // Not the server's own error, a proxy's perhaps; the status says enough.
  }
  const { message = "", code = "" } = error;
  return new ApiError("refused", String(message), response.status, String(code), seconds(response));
}

const STATUS = { rate_limit_error: 429, service_unavailable_error: 503, timeout_error: 504 };

/** Return the error that ends a stream which had begun, where its status can no longer say it. */
export function streamedError({ message = "", type = "", code = "" } = {}) {
  return new ApiError("refused", String(message), STATUS[type] ?? 500, String(code));
}

function seconds(response) {
  const value = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

export async function getJson(path, signal) {
  return readJson(await request(path, { signal }));
}

export async function postJson(path, value, signal) {
  return readJson(await request(path, jsonBody(value, "application/json", signal)));
}

/** Return the options of a request that sends JSON. */
export function jsonBody(value, accept, signal) {
  return {
    method: "POST",
    body: JSON.stringify(value),
    headers: { "Content-Type": "application/json", Accept: accept },
    signal,
  };
}

async function readJson(response) {
  try {
    return await response.json();
  } catch (error) {
    if (aborted(error)) throw error;
    throw new ApiError("cut", "The answer was cut off.");
  }
}

/** Yield the lines of a response, as arrays, one for each piece that arrives. */
export async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      if (parts.length) yield parts.map((line) => line.replace(/\r$/, ""));
    }
  } catch (error) {
    if (aborted(error)) throw error;
    throw new ApiError("cut", "The connection was lost.");
  } finally {
    reader.cancel().catch(() => {}); // leaving early stops the server's work
  }
  if (rest) yield [rest];
}

/**
 * Yield the server-sent events of a response as {event, data}, data parsed.
 * See "Interpreting an event stream" in the HTML standard; ids and retry times are not used.
 */
export async function* events(response) {
  let event = "message";
  let data = [];
  for await (const batch of lines(response)) {
    for (const line of batch) {
      if (line === "") {
        if (data.length) yield { event, data: parse(data.join("\n")) };
        event = "message";
        data = [];
        continue;
      }
      const [, field = "", value = ""] = /^([^:]*):? ?([^]*)$/.exec(line) ?? [];
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
    }
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError("cut", "The answer cannot be read.");
  }
}
