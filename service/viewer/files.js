/* What a person drops or chooses, as parcels: what makes one job, or one refusal. */

const ALONE = /\.(nii|nii\.gz|zip)$/i;
const HIDDEN = /^(\.|__MACOSX|Thumbs\.db$|DICOMDIR$)/;

/** All files in what was dropped, those in folders too. */
export async function filesOf(transfer) {
  // Entries have to be taken before the first wait: the browser empties the list then.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // it gives a hundred at a time
    found.push(...some);
  }
  return (await Promise.all(found.map(filesBelow))).flat();
}

/** Files in parcels: a NIfTI or a zip each by itself, all others together, as slices of DICOM are. */
export function parcels(files) {
  const shown = files.filter((file) => !HIDDEN.test(file.name));
  const alone = shown.filter((file) => ALONE.test(file.name));
  const together = shown.filter((file) => !ALONE.test(file.name));
  const found = alone.map((file) => ({ name: file.name, files: [file] }));
  if (together.length) {
    const name = together.length === 1 ? together[0].name : `${together.length.toLocaleString("en")} files`;
    found.push({ name, files: together });
  }
  return found;
}
