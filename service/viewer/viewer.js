/* The page `/viewer?job=…`: a scan with its map, and what was found in it. */

import { Refusal, call, eventsOf, getBytes, getJson } from "./api.js";
import { fill, find, make } from "./dom.js";
import { keyField } from "./head.js";
import { findings } from "./panel.js";
import { Scene, canDraw } from "./scene.js";
import { figure, isFinished, moment, place, seconds, stageOf } from "./words.js";

const JOB = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FILES = { scan: "scan.nii.gz", map: "anomaly.nii.gz", restored: "restored.nii.gz", mask: "mask.nii.gz" };
const id = new URLSearchParams(location.search).get("job") ?? "";
const over = find("#over");
const panel = find("#panel");

const allScans = () => make("p", {}, make("a", { href: "/" }, "All scans"));

const askForKey = keyField(() => location.reload());

function say(text, ...more) {
  over.hidden = false;
  fill(over, make("p", {}, text), ...more);
}

async function start() {
  if (!JOB.test(id)) {
    say("This address names no scan.", allScans());
    return;
  }
  try {
    const job = await ended(await getJson(`/v1/jobs/${id}`));
    title(job);
    if (job.state === "succeeded") await show(job);
    else sayHowItEnded(job);
  } catch (error) {
    if (!(error instanceof Refusal)) {
      say("The images could not be shown by this browser.");
      throw error;
    }
    sayRefused(error);
  }
}

function sayRefused({ status, code, message }) {
  if (status === 401) {
    say("This scan is shown once a key is given.", allScans());
    askForKey();
  } else if (code === "job-not-found") {
    say("There is no such scan here.", make("p", {}, "It may have been deleted, or it was sent with another API key than the one in this tab."), allScans());
  } else if (code === "job-expired") {
    say("This scan has expired: it was removed with its results.", allScans());
  } else {
    say("The scan could not be shown.", make("p", { class: "problem" }, message), allScans());
  }
}

/** A job once it is finished; meanwhile, how far it is. */
async function ended(job) {
  while (!isFinished(job.state)) {
    for await (const event of eventsOf(id)) sayHowFar(event);
    job = await getJson(`/v1/jobs/${id}`);
  }
  return job;
}

function sayHowFar({ state, progress }) {
  if (state === "queued") return say("This scan waits for a worker. It is shown here as soon as it is done.");
  const { fraction = 0, stage, eta_s: eta } = progress ?? {};
  let bar = find("progress", over);
  if (!bar) {
    bar = make("progress", { max: 1, "aria-label": "Progress" });
    say("", bar);
  }
  bar.value = fraction;
  find("p", over).textContent = [stage && stageOf(stage), seconds(eta) && `${seconds(eta)} left`].filter(Boolean).join(", ");
}

function sayHowItEnded(job) {
  const reason = job.state === "canceled" ? "This scan was canceled, so there is no map." : "This scan could not be scored.";
  say(reason, job.error && make("p", { class: "problem" }, job.error.detail), allScans());
}

function title(job) {
  const modality = job.modality?.name ?? job.modality?.likely;
  const text = `${modality ?? "Scan"}, sent ${moment(job.created_at)}`;
  find("#title").textContent = text;
  document.title = `DISYRE · ${text}`;
}

async function show(job) {
  const { results } = await getJson(job.links.results);
  const hrefs = Object.fromEntries(results.map((each) => [each.name, each.href]));
  say("Fetching the images …", make("progress", { "aria-label": "Fetching the images" }));
  const summary = hrefs["summary.json"] ? await getJson(hrefs["summary.json"]) : job.summary;
  const model = await modelOf(job);
  const scene = canDraw() && hrefs[FILES.map] ? new Scene(sayWhere) : null;
  panel.hidden = false;
  if (!scene) {
    fill(panel, findings({ job, summary, model, results, save }));
    await showPicture(hrefs, canDraw());
    return;
  }
  const files = {};
  for (const [name, file] of Object.entries(FILES)) if (hrefs[file]) files[name] = await getBytes(hrefs[file]);
  over.hidden = true;
  await scene.show(find("#canvas"), files);
  controls(scene);
  fill(panel, findings({ job, summary, model, results, save, scene }));
  const [first] = summary.regions;
  if (first) scene.goTo(first.peak_position_mm);
  if (!files.scan) {
    find("#where").before(make("p", { class: "caution" }, "The scan itself is not among the results: the map lies on what there is."));
  }
  document.body.dataset.ready = "yes";
}

const NO_WEBGL = ["This browser cannot draw volumes: it has no WebGL 2."];
const NO_MAP = [
  "This scan was scored without its map as a file, so there is nothing to draw here.",
  "What was found stands beside this, with the files that were asked for. To see it here, send it again with all outputs, which is what is given if none are named, or with nifti and scan among them.",
];

/** Without WebGL 2, or without a map, there is perhaps still the picture that the worker has drawn. */
async function showPicture(hrefs, isDrawn) {
  const [reason, ...more] = isDrawn ? NO_MAP : NO_WEBGL;
  const words = more.map((text) => make("p", {}, text));
  if (!hrefs["preview.png"]) return say(reason, words, allScans());
  const url = URL.createObjectURL(new Blob([await getBytes(hrefs["preview.png"])], { type: "image/png" }));
  find(".canvas").classList.add("picture");
  say(reason, words, make("p", {}, "This picture was made with the map:"), make("img", { src: url, alt: "Slices of the scan with the anomaly map" }));
}

async function modelOf(job) {
  try {
    return await getJson(`/v1/models/${job.model.name}/versions/${job.model.version}`);
  } catch (error) {
    if (error instanceof Refusal) return null; // no longer offered: the summary still names it
    throw error;
  }
}

function sayWhere({ mm, values }) {
  const parts = [["scan", "scan"], ["restored", "restored"], ["map", "map"]]
    .filter(([name]) => values[name] !== undefined)
    .map(([name, text]) => `${text} ${figure(values[name])}`);
  find("#where").textContent = [`${place(mm)} (world, RAS+)`, ...parts].join("   ");
}

function controls(scene) {
  find("#tools").hidden = false;
  const bases = document.getElementsByName("base");
  for (const input of bases) {
    input.disabled = !scene.has(input.value);
    input.addEventListener("change", () => scene.set({ base: input.value }));
  }
  for (const input of document.getElementsByName("planes")) {
    input.addEventListener("change", () => scene.setPlanes(Number(input.value)));
  }
  const map = find("#show-map");
  map.addEventListener("change", () => scene.set({ map: map.checked }));
  const mask = find("#show-mask");
  mask.disabled = !scene.has("mask");
  mask.addEventListener("change", () => scene.set({ mask: mask.checked }));
  const moves = {
    ArrowLeft: [1, 0, 0],
    ArrowRight: [-1, 0, 0],
    ArrowUp: [0, 1, 0],
    ArrowDown: [0, -1, 0],
    PageUp: [0, 0, 1],
    PageDown: [0, 0, -1],
  };
  find("#canvas").addEventListener("keydown", (event) => {
    const name = event.key.toLowerCase();
    if (event.key in moves) scene.move(...moves[event.key]);
    else if (name === "r") [...bases].find((each) => !each.checked && !each.disabled)?.click();
    else if (name === "m") map.click();
    else return;
    event.preventDefault();
  });
}

async function save(result) {
  const bytes = await (await call(result.href)).blob();
  const url = URL.createObjectURL(bytes);
  make("a", { href: url, download: result.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

start();

