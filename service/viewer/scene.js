/* The images on the canvas, by NiiVue. All lie on one grid, that of the scan. */

import { FramedNiivue, boxOf, layoutOf } from "./frame.js";
import { NVImage } from "./vendor/niivue-0.69.0.js";

const WINDOW = [0.01, 0.998]; // black and white, as shares of the brain's greys: as in preview.png
const MOST_GREYS = 200000;
const ALL = 3; // planes, as NiiVue numbers them
export const MOST = 4; // times the threshold; above, the colour stays the same

/* Plasma without its darkest fifth, which would be lost on dark tissue; the colour bar in style.css is the same. */
const COLOURS = {
  R: [84, 84, 139, 185, 219, 244, 254, 240],
  G: [2, 2, 10, 50, 92, 136, 188, 249],
  B: [163, 163, 165, 137, 104, 73, 43, 33],
  A: [0, 255, 255, 255, 255, 255, 255, 255], // the first is what all below the threshold gets
  I: [0, 1, 43, 85, 128, 170, 213, 255],
};
const TINT = { R: [0, 60], G: [0, 200], B: [0, 190], A: [0, 255], I: [0, 255] };

/** Whether the browser can draw volumes. */
export const canDraw = () => Boolean(document.createElement("canvas").getContext("webgl2"));

export class Scene {
  #nv;
  #images = {};
  #shown = { base: "scan", map: true, mask: false };
  #values = new Float32Array();
  #voxelMl = 0;
  #planes = ALL;

  /** `onWhere` is called with the place of the cross in world mm, and the values there. */
  constructor(onWhere) {
    this.#nv = new FramedNiivue({
      logLevel: "warn",
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.78, 0.84, 0.9, 0.75],
      crosshairWidth: 0.5,
      crosshairWidthUnit: "mm",
      crosshairGap: 12,
      fontColor: [0.72, 0.78, 0.84, 1],
      fontMinPx: 12,
      isRadiologicalConvention: true,
      isSliceMM: true,
      showAllOrientationMarkers: true,
      multiplanarShowRender: 0,
      multiplanarPadPixels: 6,
      dragAndDropEnabled: false,
      show3Dcrosshair: false,
      isColorbar: false,
      loadingText: "",
    });
    this.#nv.addColormap("disyre-map", COLOURS);
    this.#nv.addColormap("disyre-mask", TINT);
    this.#nv.onLocationChange = ({ mm, values }) =>
      onWhere({ mm: [...mm].slice(0, 3), values: Object.fromEntries(values.map((each) => [each.name, each.value])) });
  }

  /** Draw on a canvas the images there are: `scan`, `map`, `restored`, `mask`, each the bytes of a file. */
  async show(canvas, files) {
    await this.#nv.attachToCanvas(canvas, false);
    for (const [name, bytes] of Object.entries(files)) {
      const colormap = { map: "disyre-map", mask: "disyre-mask" }[name] ?? "gray";
      this.#images[name] = await NVImage.loadFromUrl({ url: bytes, name: `${name}.nii.gz`, colormap });
      this.#images[name].name = name;
    }
    this.#setGreys();
    this.#measure();
    if (!this.#images.scan) this.#shown.base = this.#images.restored ? "restored" : "map";
    const { mask } = this.#images;
    if (mask) Object.assign(mask, { cal_min: 0.5, cal_max: 1.2, opacity: 0.3 });
    this.#nv.box = boxOf(this.#images);
    this.#draw();
    this.setPlanes(ALL);
    new ResizeObserver(() => this.setPlanes(this.#planes)).observe(canvas);
  }

  has(name) {
    return name in this.#images;
  }

  #setGreys() {
    const { scan, restored, mask } = this.#images;
    const greys = scan ?? restored;
    if (!greys) return;
    const inside = mask ? (index) => mask.img[index] > 0 : (index) => greys.img[index] !== 0;
    const step = Math.max(1, Math.floor(greys.img.length / MOST_GREYS / 4));
    const found = [];
    for (let index = 0; index < greys.img.length; index += step) if (inside(index)) found.push(greys.img[index]);
    const sorted = Float32Array.from(found).sort();
    const [black, white] = WINDOW.map((share) => sorted[Math.floor(share * (sorted.length - 1))]);
    for (const image of [scan, restored]) if (image) Object.assign(image, { cal_min: black, cal_max: white });
  }

  #measure() {
    const { map } = this.#images;
    this.#values = Float32Array.from(map.img.filter((value) => value > 0)).sort();
    const [[a, b, c], [d, e, f], [g, h, i]] = map.hdr.affine;
    this.#voxelMl = Math.abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) / 1000;
  }

  /** The highest value of the map. */
  get most() {
    return this.#values.at(-1) ?? 0;
  }

  /** How much of the brain, in mL, the map is above a value in. */
  volumeAbove(limit) {
    const exact = Math.fround(limit); // as the map is stored
    let [low, high] = [0, this.#values.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#values[middle] > exact) high = middle;
      else low = middle + 1;
    }
    return (this.#values.length - low) * this.#voxelMl;
  }

  #draw() {
    const { base, map, mask } = this.#shown;
    const names = [base, ...(map && base !== "map" ? ["map"] : []), ...(mask ? ["mask"] : [])];
    const volumes = names.map((name) => this.#images[name]).filter(Boolean);
    this.#nv.volumes = volumes;
    this.#nv.back = volumes[0];
    this.#nv.overlays = volumes.slice(1);
    this.#nv.updateGLVolume();
    this.#nv.createOnLocationChange();
  }

  /** Show another `base` (`scan` or `restored`), or have `map` or `mask` shown or not. */
  set(change) {
    Object.assign(this.#shown, change);
    this.#draw();
  }

  setThreshold(limit) {
    Object.assign(this.#images.map, { cal_min: limit, cal_max: MOST * limit });
    this.#nv.updateGLVolume();
  }

  setOpacity(share) {
    this.#images.map.opacity = share;
    this.#nv.updateGLVolume();
  }

  /** Show one plane (0 axial, 1 coronal, 2 sagittal), or all (3). */
  setPlanes(type) {
    const { box, canvas } = this.#nv;
    this.#planes = type;
    if (type === ALL && box) this.#nv.setCustomLayout(layoutOf(box, canvas.clientWidth, canvas.clientHeight));
    else this.#nv.clearCustomLayout();
    this.#nv.setSliceType(type);
  }

  /** Lay the cross on a place in world mm. */
  goTo(mm) {
    this.#nv.scene.crosshairPos = this.#nv.mm2frac(mm, 0, true);
    this.#nv.createOnLocationChange();
    this.#nv.updateGLVolume();
  }

  /** Move the cross by voxels: to the patient's right or left, front or back, up or down. */
  move(x, y, z) {
    this.#nv.moveCrosshairInVox(x, y, z);
  }
}
