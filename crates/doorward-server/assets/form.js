// Niceties for forms. Every page works without this file.
const fields = document.querySelectorAll("input[type=password]");

for (const button of document.querySelectorAll("button.reveal")) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  const show = (shown) => {
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  };
  button.hidden = false;
  button.addEventListener("click", () => show(field.type === "password"));
  // Sent as a password, so that browsers offer to keep it as one and never as form history.
  field.form.addEventListener("submit", () => show(false));
}

for (const field of fields) {
  const hint = field.closest(".field").querySelector("[data-caps]");
  const tell = (event) => {
    // Autofill sends key events that carry no key.
    const on = event.getModifierState?.("CapsLock") ?? false;
    const text = on ? hint.dataset.caps : "";
    if (hint.textContent !== text) hint.textContent = text;
  };
  if (!hint) continue;
  field.addEventListener("keydown", tell);
  field.addEventListener("keyup", tell);
  field.addEventListener("blur", () => (hint.textContent = ""));
}

// A form goes once, however often its button is pressed. Back on the page, it may go again; so it may
// after a while, for whoever has stopped the browser.
const sent = new Set();
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
    setTimeout(() => sent.delete(form), 10_000);
  });
}
addEventListener("pageshow", () => sent.clear());

document.querySelector("[role=alert]")?.focus();
