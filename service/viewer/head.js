/* What both pages have at the top: the field for the API key. */

import { key } from "./api.js";
import { find } from "./dom.js";

/** Have the button and the dialog work; `onChange` is called when there is another key. Gives what asks for one. */
export function keyField(onChange) {
  const dialog = find("#key-dialog");
  const field = find("#key-field");
  const button = find("#key-button");
  const show = () => {
    button.textContent = key.get() ? "API key: set" : "API key";
  };
  const ask = (reason = "") => {
    find("#key-reason").textContent = reason;
    find("#key-forget").hidden = !key.get();
    field.value = key.get();
    if (!dialog.open) dialog.showModal();
    field.select();
  };
  const keep = (text) => {
    key.set(text);
    dialog.close();
    show();
    onChange();
  };
  button.addEventListener("click", () => ask());
  find("#key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keep(field.value.trim());
  });
  find("#key-forget").addEventListener("click", () => keep(""));
  find("#key-cancel").addEventListener("click", () => dialog.close());
  show();
  return () => ask(key.get() ? "This service does not know the key that it was given." : "This service asks for an API key.");
}
