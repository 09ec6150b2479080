/* Calls of the API from a page: with the key that the person gave, and with what went wrong in words. */

const KEY = "disyre-api-key";

/** What the API refused, or why it could not be asked. */
export class Refusal extends Error {
  constructor(problem) {
    super(problem.detail);
    this.status = problem.status;
    this.code = problem.code;
    this.candidates = problem.candidates ?? [];
    this.errors = problem.errors ?? [];
  }
}

const AWAY = {
  status: 0,
  code: "unreachable",
  detail: "The service does not answer. It may be starting again, or the connection may be gone.",
};

const NO_KEY = {
  status: 401,
  code: "unauthenticated",
  detail: "expected an API key, got something with characters that no key has",
};
const SENDABLE = /^[\x20-\x7e\x80-\xff]*$/; // by a browser, in a header

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

/** The headers that a call needs beside its own; throws a Refusal, as of a wrong key, if no header can have this one. */
function withKey(headers = {}) {
  if (!SENDABLE.test(key.get())) throw new Refusal(NO_KEY);
  return key.get() ? { ...headers, "X-API-Key": key.get() } : headers;
}

/** The answer to a call; throws a Refusal. `onKeyWanted` of `call` is asked when there is a 401. */
export async function call(path, options = {}) {
  const headers = withKey(options.headers);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(AWAY);
  }
  if (!answer.ok) throw new Refusal(await problemOf(answer));
  return answer;
}

async function problemOf(answer) {
  const text = await answer.text();
  return readProblem(answer.status, text);
}

/** The problem document in a text, or one made up for an answer that has none. */
export function readProblem(status, text) {
  try {
    const problem = JSON.parse(text);
    if (typeof problem.detail === "string") return { ...problem, status };
  } catch {
    /* not of this API: a proxy, perhaps */
  }
  return { status, code: "no-reason", detail: `The answer was ${status}, without a reason.` };
}

export const getJson = async (path, options) => (await call(path, options)).json();
export const getBytes = async (path, options) => (await call(path, options)).arrayBuffer();

/** Send files, and be told what share of them has left; gives the document of the answer. */
export function upload(path, files, onShare) {
  const form = new FormData();
  // Names of files may name a patient: they stay here.
  files.forEach((file, index) => form.append("file", file, String(index + 1).padStart(6, "0")));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(withKey())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onerror = () => reject(new Refusal(AWAY));
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(new Refusal(readProblem(request.status, request.responseText)));
    };
    request.send(form);
  });
}

/** The events of a job, each as its document, up to the end of the job or of `signal`. */
export async function* eventsOf(jobId, signal) {
  const answer = await call(`/v1/jobs/${jobId}/events`, { signal, headers: { Accept: "text/event-stream" } });
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}
