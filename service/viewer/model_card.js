/* What a model's package says of it, in words. */

import { facts, make } from "./dom.js";
import { figure } from "./words.js";

const percent = (value) => `${figure(100 * value, 3)} %`;
const within = (value) => (value < 1e-4 ? "less than 0.0001" : figure(value, 2));

/* Of each figure that training writes: its name, what it means, and how it is said. */
const MEASURED = {
  lesion_ap: ["Lesions found", "average precision of lesion voxels that were set into held-back scans: 1 is all, and nothing else", (value) => figure(value, 2)],
  dag_mse_ratio: ["Left of synthetic anomalies", "error after restoration as a share of that before, told how strong they are: 0 % is a perfect one", percent],
  fpi_mse_ratio: ["Left of patches of other scans", "the same, of patches that were blended in", percent],
  dag_ensemble_mse_ratio: ["Left of synthetic anomalies, as scans are scored", "the mean over the severities that a scan is scored with", percent],
  fpi_ensemble_mse_ratio: ["Left of patches, as scans are scored", "the same, of patches", percent],
  clean_mae: ["Change of healthy slices", "mean over voxels, where white is 1: what it invents at severity 0", within],
  torch_onnx_difference: ["Training and service differ by", "largest difference of what the network gives in both, where white is 1", within],
};

/** The card of a model, closed at first. */
export function modelCard(model) {
  const { threshold, healthy_percentile: percentile } = model.calibration;
  return make(
    "details",
    {},
    make("summary", {}, "Model card"),
    facts([
      ["For", model.modality],
      ["Made", model.created_at.slice(0, 10)],
      ["Parameters", `${figure(model.n_parameters / 1e6, 2)} million`],
      ["Threshold", `${figure(threshold)}: ${figure(percentile, 4)} % of healthy brain voxels lie below`],
      ["Licence", model.licence],
    ]),
    make("h3", {}, "Trained on"),
    make("ul", {}, model.training_data.map((each) => make("li", {}, [each.name, each.licence].filter(Boolean).join(", ")))),
    measured(model.metrics),
  );
}

function measured(metrics) {
  const known = Object.keys(MEASURED).filter((name) => typeof metrics[name] === "number");
  if (!known.length) return null;
  const item = (name) => {
    const [title, meaning, say] = MEASURED[name];
    return [make("dt", {}, title), make("dd", {}, say(metrics[name])), make("dd", { class: "hint" }, meaning)];
  };
  return [
    make("h3", {}, "Measured on scans that it had not seen"),
    make("dl", { class: "measured" }, known.map((name) => make("div", {}, item(name)))),
  ];
}
