// Reviewing without leaving the page: keys, selection by mouse, undo. Without this script, the form does the same.
const byId = (id) => document.getElementById(id);
const form = byId("review");
const list = byId("photos");
const typed = byId("typed");
const FEW = 24; // tiles left from which on further ones are fetched; with fewer, quick reviewers have to wait
const REFRESH_MS = 15000; // for photos that arrive while few are left
const NUMBERED = 9; // labels with a key
const MOST = 1000; // photos that the daemon returns at once

const checkbox = (tile) => tile.querySelector("input");
const tiles = () => [...list.children];
const away = new Set(); // ids of photos that left the grid: reviewed or skipped
const steps = []; // what can be undone, the newest last: {ids, tiles, skipped}
let current = null; // the tile that keys are for where none is selected
let anchor = null; // where a selection with Shift begins
let isExhausted = false; // whether the daemon had no further photos

// --- the current tile and the selection

function moveTo(tile, focus = true) {
  current?.classList.remove("current");
  current = tile ?? null;
  current?.classList.add("current");
  if (focus && current) {
    checkbox(current).focus({ preventScroll: true });
    current.scrollIntoView({ block: "nearest" });
  }
}

const selected = () => tiles().filter((tile) => checkbox(tile).checked);

function showSelection() {
  const count = selected().length;
  byId("selected").textContent = count ? `${count} selected: all of these are …` : "";
  byId("all").textContent = count ? "Select none" : "Select all";
}

function select(some, state = true) {
  for (const tile of some) checkbox(tile).checked = state;
  showSelection();
}

function between(first, last) {
  const all = tiles();
  const [from, to] = [all.indexOf(first), all.indexOf(last)].sort((a, b) => a - b);
  return all.slice(Math.max(from, 0), to + 1);
}

function neighbour(key) {
  const all = tiles();
  const at = all.indexOf(current);
  if (at < 0) return all[0];
  const columns = Math.max(1, all.findIndex((tile) => tile.offsetTop > all[0].offsetTop));
  const next = at + { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  return all[next] ?? current;
}

// --- saying something: the photos leave the grid at once, and come back where the daemon refuses

let sending = Promise.resolve();

const send = (ids, entry) => {
  const sent = sending.then(async () => {
    const body = new URLSearchParams([["ids", ids.join(",")], entry]);
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (response.redirected || response.status === 401) return location.reload();
    const answer = await response.json().catch(() => null);
    if (!response.ok || !answer) throw new Error(answer?.error?.message ?? `dogid returned status ${response.status}`);
    byId("progress").textContent = answer.progress;
  });
  sending = sent.catch(() => {});
  return sent;
};

function showProblem(error) {
  const place = byId("refused");
  place.textContent = error ? (error instanceof TypeError ? "No connection to dogid: nothing was stored" : error.message) : "";
  place.hidden = !error;
}

function say(name, value) {
  if (name === "typed" && !value.trim()) return typed.focus();
  const step = takeAway(false);
  if (!step) return;
  if (name === "typed") addLabel(value.trim());
  const entry = [name, value];
  step.sent = send(step.ids, entry).then(() => showProblem(null)).catch((error) => {
    showProblem(error);
    steps.splice(steps.indexOf(step), 1);
    putBack(step);
  });
}

function takeAway(skipped) {
  const chosen = selected();
  const leaving = chosen.length ? chosen : current ? [current] : [];
  if (!leaving.length) return null;
  const all = tiles();
  const stays = (tile) => !leaving.includes(tile);
  const at = all.indexOf(leaving[0]);
  const next = all.slice(at).find(stays) ?? all.slice(0, at).findLast(stays);
  const step = { ids: leaving.map((tile) => tile.dataset.id), tiles: leaving, skipped };
  for (const tile of leaving) {
    away.add(tile.dataset.id);
    checkbox(tile).checked = false;
    tile.remove();
  }
  steps.push(step);
  moveTo(next);
  changed();
  return step;
}

function putBack(step) {
  for (const id of step.ids) away.delete(id);
  list.prepend(...step.tiles);
  moveTo(list.firstElementChild);
  changed();
}

async function undo() {
  const step = steps.pop();
  if (!step) return;
  byId("undo").disabled = true;
  try {
    await step.sent;
    if (!step.skipped) await send(step.ids, ["verdict", "withdrawn"]);
    showProblem(null);
    putBack(step);
    if (!step.tiles.length) await fetchMore(); // said before this page was loaded
  } catch (error) {
    showProblem(error);
    steps.push(step);
  }
  changed();
}

function changed() {
  const none = !list.firstElementChild;
  list.hidden = none;
  byId("empty").hidden = !none || !isExhausted;
  form.hidden = none && !steps.length;
  byId("undo").disabled = !steps.length;
  showSelection();
  if (list.children.length < FEW) fetchMore();
}

// --- further photos: the page is fetched again, and its tiles that are not here yet are added

let fetching = null;
function fetchMore() {
  fetching ??= (isExhausted ? Promise.resolve() : addMore()).finally(() => { fetching = null; });
  return fetching;
}

async function addMore() {
  await sending; // else photos of which the daemon does not know yet would come again
  const skipped = steps.filter((step) => step.skipped).flatMap((step) => step.ids).length;
  const address = new URL(location.href);
  address.searchParams.set("limit", Math.min(MOST, 2 * FEW + skipped + list.children.length));
  const response = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const known = new Set(tiles().map((tile) => tile.dataset.id));
  const added = [...fresh.querySelectorAll("#photos > li")].filter(({ dataset: { id } }) => !known.has(id) && !away.has(id));
  isExhausted = !added.length;
  if (isExhausted) return changed();
  list.append(...added);
  if (!current?.isConnected) moveTo(list.firstElementChild, document.activeElement === document.body);
  changed();
}
setInterval(() => {
  if (document.hidden || list.children.length >= FEW) return;
  isExhausted = false;
  fetchMore();
}, REFRESH_MS);

// --- labels: buttons with numbers, and a field that completes what is typed

const known = [...byId("known").options].map((option) => option.value);

// control and direction characters are shown as escapes, so that they cannot disguise the label
const visible = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`);

function addLabel(label) {
  if (!known.includes(label)) known.push(label);
  const buttons = [...form.querySelectorAll("[name=label]")];
  if (buttons.length >= NUMBERED || buttons.some((button) => button.value === label)) return;
  const button = document.createElement("button");
  Object.assign(button, { className: "quiet", name: "label", value: label, dir: "auto", textContent: visible(label) });
  button.dataset.key = buttons.length + 1;
  form.querySelector("[value=unsure]").before(button, " ");
}

typed.removeAttribute("list"); // its list of proposals would take Enter and the arrows
typed.addEventListener("input", (event) => {
  const { value } = typed;
  if (!value || !event.inputType?.startsWith("insert") || event.isComposing || typed.selectionEnd < value.length) return;
  const whole = known.find((label) => label.toLowerCase().startsWith(value.toLowerCase()));
  if (!whole || whole.length === value.length) return;
  typed.value = value + whole.slice(value.length);
  typed.setSelectionRange(value.length, whole.length);
});

// --- buttons and keys

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, value } = event.submitter ?? {};
  if (name) return say(name, value);
  const label = known.find((one) => one.toLowerCase() === typed.value.trim().toLowerCase()) ?? typed.value;
  typed.value = "";
  say("typed", label);
});
byId("skip").addEventListener("click", () => takeAway(true));
byId("undo").addEventListener("click", undo);
byId("all").addEventListener("click", () => select(tiles(), !selected().length));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || form.hidden) return;
  if (event.target === typed) {
    if (event.key === "Escape") { typed.value = ""; moveTo(current ?? list.firstElementChild); }
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (["Enter", " "].includes(key) && event.target.closest("button, a, summary")) return;
  const act = actions[key] ?? (/^[1-9]$/.test(key) ? () => byKey(key)?.click() : null);
  if (!act) return;
  event.preventDefault();
  act(event);
});

const byKey = (key) => form.querySelector(`button[data-key="${key}"]`);
const toggle = () => { if (current) { select([current], !checkbox(current).checked); anchor = current; } };
const move = (event) => {
  const from = current;
  moveTo(neighbour(event.key));
  if (event.shiftKey && from) select([from, ...between(from, current)]);
};
const actions = {
  Enter: () => byKey("c").click(), c: () => byKey("c").click(), u: () => byKey("u").click(),
  s: () => takeAway(true), z: undo, a: () => byId("all").click(), Escape: () => select(tiles(), false),
  n: () => typed.focus(), l: () => typed.focus(), " ": toggle, x: toggle,
  ArrowLeft: move, ArrowRight: move, ArrowUp: move, ArrowDown: move,
};

// --- selection by mouse: click, Shift and click, or drag over the photos; by touch: tap

list.addEventListener("click", (event) => {
  const tile = event.target.closest("li");
  if (!tile || event.target.closest("a")) return;
  const box = checkbox(tile);
  if (event.target !== box) { event.preventDefault(); box.checked = !box.checked; }
  if (event.shiftKey && anchor?.isConnected) select(between(anchor, tile), true);
  anchor = tile;
  moveTo(tile);
  showSelection();
});
list.addEventListener("focusin", (event) => {
  const tile = event.target.closest("li");
  if (tile && tile !== current) moveTo(tile, false);
});
list.addEventListener("dragstart", (event) => event.preventDefault());

let drag = null;
list.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "mouse" || event.button || event.shiftKey || event.target.closest("a")) return;
  const before = new Set(selected());
  drag = { x: event.pageX, y: event.pageY, before, state: !before.has(event.target.closest("li")), moved: false };
});
addEventListener("pointermove", (event) => {
  if (!drag || !(event.buttons & 1)) return;
  if (!drag.moved && Math.hypot(event.pageX - drag.x, event.pageY - drag.y) < 12) return;
  drag.moved = true;
  const [left, right] = [drag.x, event.pageX].sort((a, b) => a - b);
  const [top, bottom] = [drag.y, event.pageY].sort((a, b) => a - b);
  for (const tile of tiles()) {
    const place = tile.getBoundingClientRect();
    const [x, y] = [place.left + scrollX, place.top + scrollY];
    const touched = x < right && x + place.width > left && y < bottom && y + place.height > top;
    checkbox(tile).checked = touched ? drag.state : drag.before.has(tile);
  }
  showSelection();
});
addEventListener("pointerup", () => {
  if (drag?.moved) {
    // the click that ends a drag selects nothing; where there is none, the next one does again
    const swallow = (event) => { event.preventDefault(); event.stopPropagation(); };
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
  }
  drag = null;
});

// --- the beginning

for (const one of [...document.querySelectorAll("#steps [name=ids]")].reverse()) steps.push({ ids: one.value.split(","), tiles: [] });
document.body.classList.add("live");
for (const button of form.querySelectorAll("[data-key]")) button.setAttribute("aria-keyshortcuts", button.dataset.key);
moveTo(list.firstElementChild, document.activeElement === document.body);
changed();
