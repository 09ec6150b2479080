/* Elements of a page. Text goes in as text: nothing that came from elsewhere is ever read as HTML. */

/** An element with attributes (`class`, `on…` as functions, all else as text) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const find = (selector, within = document) => within.querySelector(selector);

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Facts as a list of names and values. */
export function facts(pairs, attributes = { class: "facts" }) {
  return make(
    "dl",
    attributes,
    pairs.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, value)),
    ),
  );
}
