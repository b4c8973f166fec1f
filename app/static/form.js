"use strict";

// Brings the list of mistakes into view, and sends a form once however often the button is pressed.
document.getElementById("summary")?.focus();

for (const form of document.querySelectorAll("form[data-once]")) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", () => {
    button.disabled = true;
    button.textContent = "Sending…";
  });
  // a page that comes back from the browser's memory can be sent again
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    button.textContent = "Send message";
  });
}
