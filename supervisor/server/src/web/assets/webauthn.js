// Asks the authenticator where a form says so, and sends the form when it has answered. Pages work without it, but for
// this way of signing in: browsers offer it to scripts only.
"use strict";

for (const form of document.querySelectorAll("form[data-ceremony]")) {
  const said = form.querySelector("[data-said]");
  const field = form.elements.namedItem(form.dataset.field);

  const ask = async () => {
    const options = JSON.parse(form.dataset.options);
    if (form.dataset.ceremony === "create") {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      return navigator.credentials.create({ publicKey });
    }
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return navigator.credentials.get({ publicKey });
  };

  form.addEventListener("submit", async (event) => {
    if (field.value) return;
    event.preventDefault();
    said.hidden = true;
    try {
      field.value = JSON.stringify((await ask()).toJSON());
      form.submit();
    } catch (error) {
      said.textContent = error.name === "NotAllowedError"
        ? "That was cancelled, or took too long. Please try again."
        : "This browser or this security key can't do that here. Please try another one.";
      said.hidden = false;
    }
  });
}
