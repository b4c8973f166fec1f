"use strict";

// Keys and canned replies of a conversation's page.
const box = () => document.getElementById("message");

document.getElementById("canned")?.addEventListener("click", (click) => {
  const text = click.target.dataset?.text;
  if (text === undefined) return;
  box().setRangeText(text, box().selectionStart, box().selectionEnd, "end");
  box().focus();
});

document.addEventListener("keydown", (press) => {
  if (press.target.closest("input, textarea, select, [contenteditable]") || press.ctrlKey || press.metaKey || press.altKey) return;
  if (press.key === "r" && box()) {
    box().focus();
    press.preventDefault();
  } else if (press.key === "u") {
    location.assign("/inbox");
  } else {
    document.querySelector(`[data-key="${CSS.escape(press.key)}"]`)?.click();
  }
});
