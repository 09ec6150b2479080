/* A job as a row of the list. */

import { fill, find, make } from "./dom.js";
import {
  STATES,
  clipped,
  counted,
  figure,
  givesMap,
  isFinished,
  isWorthARetry,
  labelsOf,
  leftOutOf,
  moment,
  seconds,
  shape,
  spacing,
  stageOf,
} from "./words.js";

const MOST_LABELS = 5; // of a row: the viewer has all

/** A row; `act` is called with what is to be done, and the job. */
export function jobRow(job, name, act) {
  const row = make(
    "li",
    { class: "job" },
    make("div", { class: "what" }, make("p", { class: "name" }), make("p", { class: "hint about" }), make("p", { class: "caution" })),
    make("div", { class: "how" }),
    make("div", { class: "do row" }),
  );
  row.fileName = name;
  row.act = act;
  updateRow(row, job);
  return row;
}

/** Show how a job is now. */
export function updateRow(row, job) {
  row.className = `job ${job.state}`;
  const modality = job.modality?.name ?? job.modality?.likely;
  fill(find(".name", row), row.fileName ?? (modality ? `${modality} scan` : "Scan"));
  fill(
    find(".about", row),
    [`sent ${moment(job.created_at)}`, ...shortLabels(job), row.fileName && modality, shape(job.input.shape), spacing(job.input.spacing_mm)].filter(Boolean).join(" · "),
  );
  const leftOut = leftOutOf(job);
  fill(find(".what .caution", row), leftOut.length > 0 && `left out: ${clipped(leftOut.join("; "), 120)}`);
  showState(find(".how", row), job);
  if (row.shownState !== job.state) fill(find(".do", row), buttons(row, job)); // keeps the focus while it runs
  row.shownState = job.state;
}

function shortLabels(job) {
  const labels = labelsOf(job);
  const rest = labels.length - MOST_LABELS;
  return [...labels.slice(0, MOST_LABELS).map((text) => clipped(text)), rest > 0 && `${counted(rest, "label")} more`];
}

function showState(place, job) {
  const badge = make("span", { class: `badge ${job.state}` }, STATES[job.state]);
  if (job.state === "running" || job.state === "canceling") {
    const { fraction = 0, stage, step, steps, eta_s: eta } = job.progress ?? {};
    const bar = find("progress", place) ?? make("progress", { max: 1, "aria-label": "Progress" });
    bar.value = fraction;
    const text = [stage && stageOf(stage) + (steps ? ` ${step} of ${steps}` : ""), seconds(eta) && `${seconds(eta)} left`];
    fill(place, badge, bar, make("span", { class: "hint" }, text.filter(Boolean).join(", ")));
  } else {
    fill(place, badge, wordsOf(job));
  }
}

function wordsOf(job) {
  if (job.state === "queued") {
    const wait = seconds(job.eta_start_s);
    const text = job.queue_position ? `number ${job.queue_position}${wait ? `, begins in about ${wait}` : ""}` : "";
    return make("span", { class: "hint" }, text);
  }
  if (job.state === "failed") return make("span", { class: "problem" }, job.error?.detail ?? "");
  if (job.state !== "succeeded" || !job.summary) return null;
  const { n_regions: n, volume_above_threshold_ml: ml, anomaly_score: score, warnings } = job.summary;
  return [
    make("span", { class: "found" }, `${counted(n, "region")}, ${figure(ml)} mL`),
    make("span", { class: "hint" }, `score ${figure(score)}`),
    warnings.length > 0 && make("span", { class: "caution" }, counted(warnings.length, "warning")),
  ];
}

function buttons(row, job) {
  const button = (what, text) => make("button", { type: "button", onclick: () => row.act(what, job) }, text);
  return [
    job.state === "succeeded" && resultsOf(job),
    isWorthARetry(job) && button("retry", "Again"),
    ["queued", "running"].includes(job.state) && button("cancel", "Cancel"),
    isFinished(job.state) && button("delete", "Delete"),
  ];
}

/** Where its results are: to be looked at, or, without a map, as figures and files. */
function resultsOf(job) {
  const [look, text] = givesMap(job) ? ["button primary", "View"] : ["button", "Results"];
  return make("a", { class: look, href: `/viewer?job=${job.id}` }, text);
}
