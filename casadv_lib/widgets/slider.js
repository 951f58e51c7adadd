function render({ model, el }) {
  // JupyterLab would take the arrow keys for itself
  el.innerHTML = `<label style="display:flex;align-items:center;gap:0.6em;
      margin:2px 1.2em 2px 4px;font-size:var(--jp-widgets-font-size,13px)"><span></span>
    <input type="range" min="0" step="1" style="width:14em" data-lm-suppress-shortcuts="true">
    <output style="min-width:3em"></output></label>`;
  const [name, input, output] = el.querySelectorAll("span, input, output");
  const options = model.get("options");
  const show = () => {
    input.value = options.indexOf(model.get("value"));
    output.textContent = Number(model.get("value").toPrecision(6));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  name.textContent = model.get("description");
  input.setAttribute("aria-label", name.textContent);
  input.max = options.length - 1;
  input.addEventListener("input", () => {
    model.set("value", options[input.value]);
    model.save_changes();
  });
  model.on("change:value", show);
  show();
}
export default { render };
