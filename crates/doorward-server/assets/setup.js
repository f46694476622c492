// Takes the setup code out of the link's fragment, so that nobody has to paste it.
const field = document.getElementById("code");

const take = () => {
  const code = location.hash.slice(1);
  // A fragment that names something on the page is a link from the summary, not a code.
  if (code && !document.getElementById(code)) {
    // Out of the address bar and the history at once: the code is a secret.
    history.replaceState(null, "", location.pathname + location.search);
    field.value = code;
    field.removeAttribute("aria-invalid");
  }
  if (field.value && !field.hasAttribute("aria-invalid")) {
    field.closest(".field").hidden = true;
    if (!document.querySelector("[role=alert]")) document.getElementById("username").focus();
  }
};

take();
addEventListener("hashchange", take);
