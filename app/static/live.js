"use strict";

// Shows what is new on a conversation's page without a reload and without touching what somebody is typing.
const live = document.getElementById("live");
const list = document.getElementById("messages");
const reply = document.getElementById("reply");
const served = new Map([...list.children].map((item) => [item.id, item.innerHTML]));  // before anybody opened a part of it
const parse = (text) => new DOMParser().parseFromString(text, "text/html");

function show(fresh) {
  const next = fresh.getElementById("live");
  if (!next) return;
  const isAtEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 80;
  const items = [...fresh.querySelectorAll("#messages > li")];
  const known = new Set(items.map((item) => item.id));
  const old = [...list.children];
  const first = old.findIndex((item) => known.has(item.id));  // what is before it was said earlier than the page now begins
  for (const item of old.slice(Math.max(first, 0))) if (!known.has(item.id)) item.remove();
  let following = null;
  for (const item of items.reverse()) {
    const shown = document.getElementById(item.id);
    const isKept = shown && (served.get(item.id) === item.innerHTML || shown.contains(document.activeElement));
    if (!isKept) served.set(item.id, item.innerHTML);
    const wanted = isKept ? shown : document.importNode(item, true);
    if (shown && !isKept) shown.replaceWith(wanted);
    else if (!shown) list.insertBefore(wanted, following);
    following = wanted;
  }
  for (const id of live.dataset.parts.split(" ")) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now || old.outerHTML === now.outerHTML) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    if (focused && !focused.matches("button, a, summary")) continue;  // somebody is choosing or typing there
    for (const { name, value } of now.attributes) old.setAttribute(name, value);
    old.innerHTML = now.innerHTML;  // the element itself stays: screen readers listen to it
    if (focused) old.querySelector("button")?.focus();
  }
  // whoever is typing began before this came: their answer is stopped once, for them to look
  const [seen, now] = [reply?.elements.seen, fresh.querySelector("#reply [name=seen]")];
  if (seen && now && !reply.elements.message.value) seen.value = now.value;
  showDraft(fresh, next.dataset.draft);
  live.dataset.stamp = next.dataset.stamp;
  if (isAtEnd) list.lastElementChild?.scrollIntoView({ block: "nearest" });
}

// a draft that came or went changes the form, unless somebody has typed in it: sending then tells them
function showDraft(fresh, draft) {
  const [form, box] = [fresh.getElementById("reply"), reply?.elements.message];
  if (!form || draft === live.dataset.draft || box?.value !== box?.defaultValue) return;
  reply.innerHTML = form.innerHTML;
  live.dataset.draft = draft;
}

// a refused form shows this page at the form's own address, which cannot be read again
if (location.pathname + location.search !== live.dataset.self) history.replaceState(null, "", live.dataset.self);

async function refresh() {
  const answer = await fetch(live.dataset.self, { headers: { Accept: "text/html", "X-Refresh": "1" } });  // nobody looks
  if (answer.ok) show(parse(await answer.text()));
}

new EventSource(live.dataset.events).addEventListener("change", (change) => {
  if (change.data !== live.dataset.stamp) refresh().catch(() => {});
});

function complain(html) {
  const errors = document.getElementById("reply-errors");
  errors.innerHTML = html;
  for (const link of errors.querySelectorAll("#problem a")) link.target = "_blank";  // what was typed stays here
  errors.firstElementChild?.focus();
}

async function send() {
  const box = reply.elements.message;
  const sent = box.value;
  const body = new URLSearchParams(new FormData(reply));
  const answer = await fetch(reply.action, { method: "POST", body, headers: { Accept: "text/html" } });
  const fresh = parse(await answer.text());
  show(fresh);
  const next = fresh.getElementById("reply");
  for (const field of next ? reply.querySelectorAll("input[type=hidden]") : []) {
    const now = next.elements[field.name];
    if (now) field.value = now.value;
    else field.remove();  // a draft that is decided about is not sent twice
  }
  if (answer.ok && box.value === sent) {
    box.value = box.defaultValue = "";
    reply.dispatchEvent(new Event("sent"));
    showDraft(fresh, fresh.getElementById("live")?.dataset.draft);
  }
  const told = fresh.getElementById("reply-errors")?.innerHTML ?? fresh.getElementById("problem")?.outerHTML;
  complain(told ?? "");
}

reply?.addEventListener("submit", async (submission) => {
  if (submission.submitter?.hasAttribute("formaction")) return;  // another button than Send: the page is loaded anew
  submission.preventDefault();
  const button = reply.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    await send();
  } catch {
    complain("<div class='summary' role='alert' tabindex='-1'></div>");
    document.querySelector("#reply-errors > div").textContent = reply.dataset.offline;
  } finally {
    button.disabled = false;
  }
});
