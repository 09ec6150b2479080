/* Which part of the world the planes show, and where on the canvas each of them lies. */

import { Niivue } from "./vendor/niivue-0.69.0.js";

const AROUND_MM = 9; // so that letters stand beside the head
const NEAR_BRAIN_MM = 40; // of the head no more than that: its neck says nothing
const FAINT = 0.12; // of white: what is darker is air
const GAP_PX = 4; // around each plane
const STEP = 2; // voxels are looked at in steps: a box need not be exact
const SHARES = Array.from({ length: 41 }, (_, index) => 0.3 + 0.01 * index); // of the axial plane
const [AXIAL, CORONAL, SAGITTAL] = [0, 1, 2];

/** NiiVue that shows a box of the world, two corners in mm, rather than all that the grid spans. */
export class FramedNiivue extends Niivue {
  box = null;

  screenFieldOfViewExtendedMM(plane = AXIAL) {
    const all = super.screenFieldOfViewExtendedMM(plane);
    if (!this.box) return all;
    const [mnMM, mxMM] = this.box.map((corner) => this.swizzleVec3MM(Float32Array.from(corner), plane));
    return { ...all, mnMM, mxMM, fovMM: mxMM.map((most, axis) => most - mnMM[axis]) };
  }

  screenFieldOfViewMM(plane = AXIAL) {
    return this.screenFieldOfViewExtendedMM(plane).fovMM;
  }
}

/** The box of the head, as far as it is near the brain; null if the images are empty. */
export function boxOf({ scan, restored, map, mask }) {
  const shown = scan ?? restored ?? map;
  const black = Math.min(0, shown.global_min);
  const air = shown === map ? 0 : black + FAINT * (shown.cal_max - black);
  const head = spanOf(shown, (value) => value > air);
  const brain = mask && spanOf(mask, (value) => value > 0);
  if (!head) return null;
  const grown = head.map((corner, end) => corner.map((mm) => mm + (end ? AROUND_MM : -AROUND_MM)));
  if (!brain) return grown;
  return [
    grown[0].map((mm, axis) => Math.max(mm, brain[0][axis] - NEAR_BRAIN_MM)),
    grown[1].map((mm, axis) => Math.min(mm, brain[1][axis] + NEAR_BRAIN_MM)),
  ];
}

/** The corners in world mm of a box around all voxels whose value is of a kind; null if there are none. */
function spanOf({ hdr, img }, isMeant) {
  const [, columns, rows, slices] = hdr.dims;
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let k = 0; k < slices; k += STEP) {
    for (let j = 0; j < rows; j += STEP) {
      for (let i = 0; i < columns; i += STEP) {
        if (!isMeant(img[i + columns * (j + rows * k)])) continue;
        for (let axis = 0; axis < 3; axis += 1) {
          const [x, y, z, origin] = hdr.affine[axis];
          const mm = x * i + y * j + z * k + origin;
          if (mm < low[axis]) low[axis] = mm;
          if (mm > high[axis]) high[axis] = mm;
        }
      }
    }
  }
  return low[0] <= high[0] ? [low, high] : null;
}

/** How the three planes of a box fill a canvas best: of each, NiiVue's number and left, top, width and height. */
export function layoutOf([low, high], width, height) {
  const [x, y, z] = high.map((mm, axis) => mm - low[axis]);
  const sizes = { [AXIAL]: [x, y], [CORONAL]: [x, z], [SAGITTAL]: [y, z] };
  const scaleOf = ({ sliceType, position: [, , wide, tall] }) =>
    Math.min((wide * width) / sizes[sliceType][0], (tall * height) / sizes[sliceType][1]);
  const worth = (layout) => layout.reduce((product, each) => product * scaleOf(each), 1);
  const layouts = [inARow(x, y), ...SHARES.flatMap((share) => [beside(share), above(share, x, y)])];
  const best = layouts.reduce((found, each) => (worth(each) > worth(found) ? each : found));
  return best.map((each) => inset(each, GAP_PX / width, GAP_PX / height));
}

const inset = ({ sliceType, position: [left, top, wide, tall] }, across, down) => ({
  sliceType,
  position: [left + across, top + down, wide - 2 * across, tall - 2 * down],
});

const plane = (sliceType, ...position) => ({ sliceType, position });

const inARow = (x, y) => {
  const part = x / (2 * x + y);
  return [plane(AXIAL, 0, 0, part, 1), plane(CORONAL, part, 0, part, 1), plane(SAGITTAL, 2 * part, 0, 1 - 2 * part, 1)];
};

const beside = (share) => [
  plane(AXIAL, 0, 0, share, 1),
  plane(CORONAL, share, 0, 1 - share, 0.5),
  plane(SAGITTAL, share, 0.5, 1 - share, 0.5),
];

const above = (share, x, y) => {
  const part = x / (x + y);
  return [
    plane(AXIAL, 0, 0, 1, share),
    plane(CORONAL, 0, share, part, 1 - share),
    plane(SAGITTAL, part, share, 1 - part, 1 - share),
  ];
};
