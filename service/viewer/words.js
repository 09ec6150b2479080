/* Figures and states in words. */

export const STATES = {
  queued: "waiting",
  running: "running",
  canceling: "stopping",
  succeeded: "done",
  failed: "failed",
  canceled: "canceled",
};

const STAGES = {
  reading: "reading the scan",
  "finding-brain": "finding the brain",
  recognising: "recognising the sequence",
  "measuring-tilt": "looking how the head lies",
  preparing: "preparing the scan",
  "correcting-bias": "correcting the shading",
  restoring: "restoring slices",
  scoring: "scoring",
  writing: "writing results",
};

/* Why a job failed, where it may succeed the next time: all else is wrong with the scan, and stays so. */
const WORTH_A_RETRY = [
  "artifacts-unavailable",
  "internal",
  "misconfigured",
  "model-damaged",
  "no-worker",
  "out-of-memory",
  "storage-full",
  "timeout",
  "unavailable",
  "worker-lost",
];

/** Whether scoring a job again may give what it has not given. */
export const isWorthARetry = ({ state, error }) =>
  state === "canceled" || (state === "failed" && WORTH_A_RETRY.includes(error?.code));

/** Who sent a job by itself, by its label `from`. */
const CAME_FROM = new Map([["orthanc", "from Orthanc"], ["receiver", "by C-STORE"], ["stow", "by STOW-RS"]]);

/** What a job was labelled with, in words: who sent it and its series first, then what a site calls it. */
export function labelsOf({ params }) {
  const { from, series, ...others } = params?.labels ?? {};
  const words = Object.entries(others).map(([name, value]) => (value ? `${name}: ${value}` : name));
  return [from && (CAME_FROM.get(from) ?? `from: ${from}`), series && `series ${series}`, ...words].filter(Boolean);
}

/* A warning of the service that says what of the files was not used, with what that is, and how often. */
const LEFT_OUT = /^(.*?):? left out(?:[,:].*?)?( \(\d+ times\))?$/s;

/** What of the files of a job was not used, without the reasons. */
export const leftOutOf = ({ input }) =>
  input.warnings.map((text) => LEFT_OUT.exec(text)).filter(Boolean).map(([, what, times = ""]) => what + times);

/** The beginning of a text that may be long. */
export const clipped = (text, most = 60) => (text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text);

/** Whether a job gives its map for the viewer: it does unless it was asked for other outputs alone. */
export const givesMap = ({ params }) => !params?.outputs || params.outputs.includes("nifti");

export const isFinished = (state) => ["succeeded", "failed", "canceled"].includes(state);

export const stageOf = (stage) => STAGES[stage] ?? stage.replaceAll("-", " ");

/** A number with three significant digits, never with an exponent. */
export function figure(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits });
}

export function seconds(value) {
  if (value === null || value === undefined) return null;
  if (value < 90) return `${Math.max(1, Math.round(value))} s`;
  return value < 5400 ? `${Math.round(value / 60)} min` : `${figure(value / 3600, 2)} h`;
}

export function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${figure(bytes / 1e6)} MB`;
}

export const counted = (n, noun, many = `${noun}s`) => `${n.toLocaleString("en")} ${n === 1 ? noun : many}`;

/** That something was done to files, which go by one name. */
export const wasOrWere = (files) => (files.length === 1 ? "was" : "were");

export const moment = (text) =>
  new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

export const shape = (numbers) => numbers?.join(" × ") ?? null;

export const spacing = (numbers) => numbers && `${numbers.map((n) => figure(n)).join(" × ")} mm`;

/** A place in world mm (RAS+). Its signs say the side of the scanner's origin, not that of the head. */
export const place = ([x, y, z]) => `x ${mm(x)}, y ${mm(y)}, z ${mm(z)} mm`;

const mm = (value) => String(Math.round(value) + 0); // no -0
