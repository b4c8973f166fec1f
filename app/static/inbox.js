"use strict";

// Keeps the list true while it is open, and moves through it by keys.
const inbox = document.getElementById("inbox");
const links = () => [...document.querySelectorAll("#lines a.open")];

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Refresh": "1" } });  // nobody looks
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement?.closest("#lines > li")?.id;
  for (const id of ["boxes", "lines", "cut"]) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && now && old.innerHTML !== now.innerHTML) old.innerHTML = now.innerHTML;
  }
  if (focused) document.getElementById(focused)?.querySelector("a.open")?.focus();
  inbox.dataset.stamp = fresh.getElementById("inbox").dataset.stamp;
}

new EventSource(inbox.dataset.events).addEventListener("change", (change) => {
  if (change.data !== inbox.dataset.stamp) refresh().catch(() => {});
});
setInterval(() => refresh().catch(() => {}), 60_000);  // times are said from now on, and now moves

document.addEventListener("keydown", (press) => {
  if (press.target.closest("input, textarea, select") || press.ctrlKey || press.metaKey || press.altKey) return;
  if (press.key === "/") {
    document.getElementById("words").focus();
    press.preventDefault();
  }
  if (press.key !== "j" && press.key !== "k") return;
  const all = links();
  const at = all.indexOf(document.activeElement);
  const next = press.key === "j" ? Math.min(at + 1, all.length - 1) : Math.max(at - 1, 0);
  all[next]?.focus();
});
