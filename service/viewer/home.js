/* The page `/`: takes scans, and shows all jobs as they go on. */

import { Refusal, call, eventsOf, getJson, upload } from "./api.js";
import { facts, fill, find, make } from "./dom.js";
import { filesOf, parcels } from "./files.js";
import { keyField } from "./head.js";
import { jobRow, updateRow } from "./job_row.js";
import { STATES, counted, isFinished, leftOutOf, seconds, wasOrWere } from "./words.js";

const EVERY_MS = 5000;
const MOST_STREAMS = 3; // a browser opens six connections to a host, and others need some
const jobs = new Map();
const rows = new Map();
const names = new Map(); // of files, by job: they never leave this tab
const streams = new Map();
let cursor = null;
let wasRefused = false;

const askForKey = keyField(() => {
  wasRefused = false;
  jobs.clear();
  cursor = null;
  for (const stream of streams.values()) stream.abort();
  refresh();
});

function tell(error, where, unknown = "–") {
  if (!(error instanceof Refusal)) throw error;
  const isKeyWanted = error.status === 401;
  if (isKeyWanted && !wasRefused) {
    wasRefused = true;
    askForKey();
  }
  if (where) fill(where, isKeyWanted ? make("p", { class: "hint" }, unknown) : make("p", { class: "problem" }, error.message));
}

async function refresh() {
  await Promise.all([refreshJobs(), refreshQueue()]);
}

async function refreshJobs() {
  try {
    const page = await getJson("/v1/jobs?limit=25");
    if (cursor === null) {
      cursor = page.next_cursor;
      find("#older").hidden = !cursor;
    }
    const newest = new Set(page.jobs.map((job) => job.id));
    const oldest = page.jobs.at(-1)?.id ?? "";
    for (const id of jobs.keys()) if ((id >= oldest || !page.next_cursor) && !newest.has(id)) jobs.delete(id);
    for (const job of page.jobs) jobs.set(job.id, job);
    draw();
  } catch (error) {
    tell(error, find("#list"), "Scans are shown once a key is given.");
    rows.clear();
  }
}

async function refreshQueue() {
  try {
    const queue = await getJson("/v1/queue");
    const wait = seconds(queue.eta_s);
    fill(
      find("#queue"),
      facts([
        ["Waiting", String(queue.depth)],
        ["Running", String(queue.running)],
        ["A scan sent now begins", queue.depth + queue.running === 0 ? "at once" : wait ? `in about ${wait}` : null],
      ]),
      make("h3", {}, counted(queue.workers.length, "worker")),
      queue.workers.length
        ? make("ul", { class: "workers" }, queue.workers.map(workerItem))
        : make("p", { class: "problem" }, "No worker is there: scans are kept, and scored once one is."),
    );
  } catch (error) {
    tell(error, find("#queue"));
  }
}

function workerItem(worker) {
  const provider = worker.provider.replace("ExecutionProvider", "");
  const state = worker.busy_with ? "busy" : "ready";
  return make(
    "li",
    {},
    make("span", { class: `dot ${state}` }),
    make("span", {}, `${provider}, ${state}`),
    make("span", { class: "hint" }, worker.models.join(", ")),
  );
}

function draw() {
  const list = find("#list");
  const sorted = [...jobs.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  if (!sorted.length) {
    rows.clear();
    fill(list, make("p", { class: "empty" }, "No scans yet. Drop one on this page, and its map will be here in a minute or two."));
    return;
  }
  for (const id of rows.keys()) if (!jobs.has(id)) rows.delete(id);
  for (const job of sorted) {
    if (rows.has(job.id)) updateRow(rows.get(job.id), job);
    else rows.set(job.id, jobRow(job, names.get(job.id), act));
  }
  const wanted = sorted.map((job) => rows.get(job.id));
  const table = find("ol.jobs", list) ?? make("ol", { class: "jobs" });
  if (!table.isConnected) fill(list, table);
  if (wanted.some((row, index) => table.children[index] !== row) || table.children.length !== wanted.length) fill(table, wanted);
  for (const job of [...sorted].reverse()) if (!isFinished(job.state)) follow(job.id);
}

async function follow(id) {
  if (streams.has(id) || streams.size >= MOST_STREAMS) return;
  const stream = new AbortController();
  streams.set(id, stream);
  let state = jobs.get(id).state;
  try {
    for await (const event of eventsOf(id, stream.signal)) {
      const job = jobs.get(id);
      if (!job) break;
      jobs.set(id, { ...job, state: event.state, progress: event.progress });
      updateRow(rows.get(id), jobs.get(id));
      if (event.state !== state) {
        state = event.state;
        find("#news").textContent = `${names.get(id) ?? "A scan"} is ${STATES[state]}.`;
        refreshJobs();
        refreshQueue();
      }
    }
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof Refusal) && !(error instanceof TypeError)) throw error;
  } finally {
    streams.delete(id);
  }
}

async function act(what, job) {
  const path = `/v1/jobs/${job.id}`;
  try {
    if (what === "delete") {
      if (!(await isSure())) return;
      await call(path, { method: "DELETE" });
      jobs.delete(job.id);
    } else {
      await call(`${path}/${what}`, { method: "POST" });
    }
    find("#news").textContent = "";
    await refresh();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    find("#news").textContent = error.message;
  }
}

function isSure() {
  const dialog = find("#delete-dialog");
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true }),
  );
}

/* Sending */

function queryOf(options) {
  const modality = find("#modality").value;
  const query = new URLSearchParams({ ...(modality ? { modality } : {}), ...options });
  return query.size ? `?${query}` : "";
}

async function send(parcel, options = {}, path = "/v1/jobs", card = make("div", { class: "card" })) {
  if (!card.isConnected) find("#sending").prepend(card);
  const bar = make("progress", { max: 1, value: 0, "aria-label": `Sending ${parcel.name}` });
  const text = make("p", {}, `Sending ${parcel.name} …`);
  fill(card, text, bar);
  try {
    const query = path === "/v1/jobs" ? queryOf(options) : "";
    const answer = await upload(path + query, parcel.files, (share) => {
      bar.value = share;
      if (share >= 1) text.textContent = `${parcel.name}: all is there, and the service looks at it …`;
    });
    for (const job of answer.jobs ?? [answer]) names.set(job.id, parcel.name);
    card.remove();
    const leftOut = (answer.left_out ?? []).length;
    find("#news").textContent = answer.jobs
      ? `${counted(answer.jobs.length, "series", "series")} of ${parcel.name} ${wasOrWere(answer.jobs)} taken${leftOut ? `, ${leftOut} left out` : ""}.`
      : `${parcel.name} ${wasOrWere(parcel.files)} taken${butFor(answer)}.`;
    await refresh();
  } catch (error) {
    tell(error);
    fill(card, refusalOf(error, parcel, card));
  }
}

/** What of a parcel was not used, where the service says so. */
function butFor(job) {
  const leftOut = leftOutOf(job);
  return leftOut.length ? `; left out: ${leftOut.join("; ")}` : "";
}

/** Why a parcel was refused, what was found in it, and what can be done. */
function refusalOf(error, parcel, card) {
  const usable = error.candidates.filter((each) => !each.code && each.series_uid);
  return make(
    "div",
    { class: "refusal" },
    make("p", {}, make("strong", {}, `${parcel.name} ${wasOrWere(parcel.files)} not taken.`)),
    make("p", { class: "problem" }, error.message),
    error.errors.map((each) => make("p", { class: "problem" }, `${each.field}: ${each.detail}`)),
    error.candidates.length > 0 &&
      make("ul", { class: "candidates" }, error.candidates.map((each) => candidateItem(each, parcel, card))),
    make(
      "div",
      { class: "row" },
      usable.length > 1 &&
        make("button", { type: "button", onclick: () => send(parcel, {}, "/v1/studies", card) }, "Score all of them"),
      (error.status === 401 || error.status === 0 || error.status >= 500 || error.status === 429) &&
        make("button", { type: "button", onclick: () => send(parcel, {}, "/v1/jobs", card) }, "Send it again"),
      make("button", { type: "button", onclick: () => card.remove() }, "Close"),
    ),
  );
}

function candidateItem(each, parcel, card) {
  const isUsable = !each.code && each.series_uid;
  return make(
    "li",
    {},
    make(
      "div",
      {},
      make("span", {}, each.description),
      make("span", { class: "hint" }, each.reason ?? [each.modality?.name, each.model && `model ${each.model}`].filter(Boolean).join(", ")),
    ),
    isUsable &&
      make(
        "button",
        { type: "button", onclick: () => send(parcel, { series_uid: each.series_uid }, "/v1/jobs", card) },
        "Score this one",
      ),
  );
}

async function take(files) {
  const found = parcels(files);
  if (!found.length) find("#news").textContent = "There was no file in that.";
  for (const parcel of found) await send(parcel);
}

for (const id of ["files", "folder"]) {
  const input = find(`#${id}`);
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    take(files);
  });
}

let depth = 0;
const isFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (!isFiles(event)) return;
  event.preventDefault(); // taken from the first moment on, not only after the next dragover
  depth += 1;
  find("#veil").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!isFiles(event)) return;
  depth -= 1;
  find("#veil").hidden = depth > 0 ? false : true;
});
addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
addEventListener("drop", async (event) => {
  if (!isFiles(event)) return;
  event.preventDefault();
  depth = 0;
  find("#veil").hidden = true;
  take(await filesOf(event.dataTransfer));
});

find("#older").addEventListener("click", async () => {
  try {
    const page = await getJson(`/v1/jobs?limit=25&cursor=${encodeURIComponent(cursor)}`);
    cursor = page.next_cursor;
    find("#older").hidden = !cursor;
    for (const job of page.jobs) jobs.set(job.id, job);
    draw();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    find("#news").textContent = error.message;
  }
});

refresh();
setInterval(() => document.hidden || refresh(), EVERY_MS);
