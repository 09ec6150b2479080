/* What was found, beside the images: figures, the map's controls, regions, warnings, the model, files. */

import { facts, make } from "./dom.js";
import { modelCard } from "./model_card.js";
import { MOST } from "./scene.js";
import { counted, figure, labelsOf, leftOutOf, moment, place, seconds, shape, size, spacing } from "./words.js";

const FEWEST = 0.25; // of the calibrated threshold, where the slider begins
const STEPS = 400; // of the slider, each the same factor

/** All sections, those for which there is something. */
export function findings({ job, summary, model, results, save, scene }) {
  return [
    overview(summary),
    scene && mapControls(scene, summary),
    warnings(summary),
    regions(scene, summary),
    scanFacts(job, summary),
    modelOf(job, model),
    files(results, save),
    make("p", { class: "hint" }, job.intended_use),
  ];
}

const section = (title, ...children) => make("section", {}, make("h2", {}, title), ...children);

function overview(summary) {
  return section(
    "Findings",
    make(
      "p",
      { class: "headline" },
      summary.n_regions
        ? `${counted(summary.n_regions, "region")}, ${figure(summary.volume_above_threshold_ml)} mL above the threshold`
        : "No region above the threshold",
    ),
    facts([
      ["Anomaly score", figure(summary.anomaly_score)],
      ["Highest value", figure(summary.max)],
      ["Of the brain above the threshold", summary.share_above_threshold !== undefined ? `${figure(100 * summary.share_above_threshold, 2)} %` : null],
      [
        "In healthy scans",
        summary.healthy_share_above_threshold ? `${figure(100 * summary.healthy_share_above_threshold, 2)} %` : null,
      ],
    ]),
  );
}

function mapControls(scene, summary) {
  const calibrated = summary.threshold;
  const name = summary.threshold_source === "request" ? "the one asked for" : "calibrated";
  const low = FEWEST * calibrated;
  const high = Math.max(scene.most, MOST * calibrated);
  const slider = make("input", { id: "threshold", type: "range", min: 0, max: STEPS, step: 1, "aria-describedby": "above" });
  const shown = make("output", { for: "threshold" });
  const above = make("p", { id: "above", class: "hint", "aria-live": "polite" });
  const reset = make("button", { type: "button", id: "calibrated" }, `Back to ${figure(calibrated)}, ${name}`);
  const ends = make("p", { class: "ends" });
  const opacity = make("input", { id: "opacity", type: "range", min: 0, max: 1, step: 0.05, value: 0.6 });
  const set = (limit) => {
    scene.setThreshold(limit);
    shown.textContent = figure(limit);
    slider.setAttribute("aria-valuetext", figure(limit));
    above.textContent = `${figure(scene.volumeAbove(limit))} mL of the brain are above it.`;
    ends.replaceChildren(make("span", {}, figure(limit)), make("span", {}, `${figure(MOST * limit)} and more`));
    reset.disabled = limit === calibrated;
  };
  const toCalibrated = () => {
    slider.value = STEPS * (Math.log(calibrated / low) / Math.log(high / low));
    set(calibrated);
  };
  slider.addEventListener("input", () => set(low * (high / low) ** (slider.value / STEPS)));
  reset.addEventListener("click", toCalibrated);
  const share = make("output", { for: "opacity" });
  const setOpacity = () => {
    scene.setOpacity(Number(opacity.value));
    share.textContent = `${Math.round(100 * opacity.value)} %`;
  };
  opacity.addEventListener("input", setOpacity);
  setOpacity();
  toCalibrated();
  return section(
    "Map",
    make("div", { class: "colours", role: "img", "aria-label": "Colours of the map, from the threshold on" }),
    ends,
    make("div", { class: "slide" }, make("label", { for: "threshold" }, "Threshold"), shown, slider),
    above,
    reset,
    make("div", { class: "slide" }, make("label", { for: "opacity" }, "Opacity"), share, opacity),
  );
}

function warnings(summary) {
  if (!summary.warnings.length) return null;
  return section(
    "Warnings",
    make("ul", { class: "warnings" }, summary.warnings.map((text) => make("li", {}, text))),
  );
}

function regions(scene, summary) {
  if (!summary.regions.length) return null;
  const rest = summary.n_regions - summary.regions.length;
  const item = (region, index) => {
    const words = [
      make("span", { class: "number" }, String(index + 1)),
      make("span", {}, make("strong", {}, `${figure(region.volume_ml)} mL`), `, peak ${figure(region.peak)}`),
      make("span", { class: "hint" }, place(region.peak_position_mm)),
    ];
    if (!scene) return make("li", {}, make("span", { class: "region" }, words));
    const button = make("button", { type: "button", class: "region" }, words);
    button.addEventListener("click", () => {
      for (const each of button.closest("ol").querySelectorAll("[aria-current]")) each.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      scene.goTo(region.peak_position_mm);
    });
    if (index === 0) button.setAttribute("aria-current", "true");
    return make("li", {}, button);
  };
  return section(
    "Regions",
    make("p", { class: "hint" }, "Each with the place of its peak in world mm (RAS+), from the scanner's origin: not from the middle of the head."),
    make("ol", { class: "regions" }, summary.regions.map(item)),
    rest > 0 && make("p", { class: "hint" }, `${counted(rest, "smaller region")} ${rest === 1 ? "is" : "are"} not listed.`),
  );
}

function scanFacts(job, summary) {
  const scan = summary.scan ?? {};
  const total = summary.timings_s?.total;
  return section(
    "Scan",
    facts([
      ["Sequence", job.modality?.name ?? job.modality?.likely ?? "not recognised"],
      ["Known from", job.modality?.reason],
      ["Sent", moment(job.created_at)],
      ["Labels", labelsOf(job).join(", ") || null],
      ["Files", String(job.input.n_files)],
      ["Left out", leftOutOf(job).join("; ") || null],
      ["Voxels", shape(job.input.shape)],
      ["Spacing", spacing(job.input.spacing_mm)],
      ["Brain", scan.brain_ml ? `${figure(scan.brain_ml)} mL, ${scan.brain_mask}` : null],
      ["Scored in", total ? seconds(total) : null],
    ]),
  );
}

function modelOf(job, model) {
  if (!job.model) return null;
  return section(
    "Model",
    make("p", {}, `${job.model.name}, version ${job.model.version}`, job.model.provider && `, on ${job.model.provider.replace("ExecutionProvider", "")}`),
    model ? modelCard(model) : make("p", { class: "hint" }, "It is no longer offered here."),
  );
}

function files(results, save) {
  const item = (result) =>
    make(
      "li",
      {},
      make("button", { type: "button", class: "link", onclick: () => save(result) }, result.name),
      make("span", { class: "hint" }, size(result.size_bytes)),
    );
  return section("Files", make("ul", { class: "files" }, results.map(item)));
}
