// The page is whole without this. With it: it keeps itself up to date, and answers for photos that are dropped on it.
const byId = (id) => document.getElementById(id);
const SLOW_MS = 15000; // between looks without a reason: disk, health, and whatever an event did not tell
const POLL_MS = 3000; // where there are no events
const SOON_MS = 80; // photos come in groups
const LOST = "No connection to dogid; trying again";

// --- up to date: an event only says that there is something new; what it is, the page itself tells

const pause = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));
let isNew = false;
let refreshing = false;

async function news() {
  isNew = true;
  if (refreshing || document.hidden) return;
  refreshing = true;
  while (isNew) {
    await pause(SOON_MS);
    isNew = false;
    const began = performance.now();
    await refresh();
    // in a burst of photos, looking at them shall not become the daemon's main work
    await pause(Math.min(10 * (performance.now() - began), 5000));
  }
  refreshing = false;
}

async function refresh() {
  let answer, html;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    html = await answer.text();
  } catch {
    return say(LOST);
  }
  if (answer.redirected || answer.status === 401) return location.reload();
  if (!answer.ok) return say(`${refused(answer)}; trying again`);
  try {
    adopt(new DOMParser().parseFromString(html, "text/html"));
    say("");
  } catch (fault) {
    console.error(fault);
    say(`This page cannot show what is new: ${fault.message}. Reload it.`);
  }
}

const refused = (answer) => `dogid answers ${answer.status}`;

function say(trouble) {
  const place = byId("link");
  if (place.textContent !== trouble) place.textContent = trouble;
  place.hidden = !trouble;
}

function adopt(fresh) {
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other) continue;
    if (part.id === "photos") adoptPhotos(part, other);
    else if (part.innerHTML !== other.innerHTML) replace(part, other);
  }
}

function replace(part, other) {
  const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
  part.replaceChildren(...other.childNodes);
  if (focused) [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}

// tiles that are there already stay as they are: their pictures, and whoever has the focus
function adoptPhotos(list, other) {
  const before = new Map([...list.children].map((tile) => [tile.dataset.id, tile]));
  const arrived = [];
  const tiles = [...other.children].map((tile) => {
    const known = before.get(tile.dataset.id);
    if (known && known.dataset.state === tile.dataset.state) {
      if (known.innerHTML !== tile.innerHTML) {
        for (const name of [".time", ".file"]) known.querySelector(name)?.replaceWith(tile.querySelector(name));
      }
      return known;
    }
    if (tile.dataset.state.startsWith("pending")) return tile;
    arrived.push(tile);
    tile.classList.add("new");
    return tile;
  });
  const kept = new Set(tiles);
  for (const tile of [...list.children]) if (!kept.has(tile)) tile.remove();
  tiles.forEach((tile, at) => {
    if (list.children[at] !== tile) list.insertBefore(tile, list.children[at] ?? null);
  });
  if (arrived.length) announce(arrived);
}

let announced = 0;
function announce(tiles) {
  if (Date.now() - announced < 4000) return; // a screen reader must be able to finish
  announced = Date.now();
  const newest = tiles[0].querySelector(".answer").textContent.trim().replace(/\s+/g, " ");
  byId("news").textContent = tiles.length > 1 ? `${tiles.length} new photos, the newest: ${newest}` : `New photo: ${newest}`;
}

// --- events while somebody looks; polling where there are none

let source = null;
let failures = 0;
let reopening = 0;
let polling = 0;
let seen = null;

function listen() {
  clearTimeout(reopening);
  if (source || document.hidden) return;
  source = new EventSource("/events");
  source.addEventListener("open", () => { failures = 0; stopPolling(); news(); });
  source.addEventListener("result", news);
  source.addEventListener("error", () => {
    startPolling();
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    stopListening();
    reopening = setTimeout(listen, Math.min(2000 * 2 ** failures++, 60000));
  });
}

function stopListening() {
  source?.close();
  source = null;
}

function startPolling() {
  polling ||= setInterval(poll, POLL_MS);
}

function stopPolling() {
  clearInterval(polling);
  polling = 0;
}

async function poll() {
  if (document.hidden) return;
  const asked = new URLSearchParams(location.search);
  asked.set("limit", "24");
  let text;
  try {
    // the browser sends If-None-Match by itself, and hands out what it has where nothing is new
    text = await (await fetch(`/results?${asked}`, { cache: "no-cache" })).text();
  } catch {
    return say(LOST);
  }
  if (text !== seen) news();
  seen = text;
}

document.addEventListener("visibilitychange", () => {
  // a browser has six connections to a host: pages that nobody sees must not hold them
  if (document.hidden) { stopListening(); stopPolling(); } else { listen(); news(); }
});
addEventListener("pagehide", stopListening);
addEventListener("pageshow", (event) => { if (event.persisted) { listen(); news(); } });
setInterval(news, SLOW_MS);
listen();

// --- pictures: "busy" is no reason to stay without

function retry(image) {
  const tries = Number(image.dataset.tries ?? 0);
  if (tries > 7) return;
  image.dataset.tries = tries + 1;
  const address = image.dataset.from ??= image.getAttribute("src");
  const next = `${address}${address.includes("?") ? "&" : "?"}again=${tries + 1}`;
  setTimeout(() => { image.src = next; }, 300 * 1.5 ** tries * (1 + Math.random()));
}
document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement && event.target.closest(".frame")) retry(event.target);
}, true);
for (const image of document.querySelectorAll(".frame img")) {
  if (image.complete && image.currentSrc && !image.naturalWidth) retry(image);
}

// --- a photo that is dropped or chosen: asked for, and not kept

const form = document.querySelector(".drop");
if (form) {
  const file = byId("file");
  const overlay = byId("overlay");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.body.classList.add("live");
  form.addEventListener("submit", (event) => event.preventDefault());
  file.addEventListener("change", async () => { await ask(file.files); form.reset(); });
  addEventListener("dragover", (event) => { if (hasFiles(event)) { event.preventDefault(); overlay.hidden = false; } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) overlay.hidden = true; });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    overlay.hidden = true;
    ask(event.dataTransfer.files);
  });
}

async function ask(files) {
  for (const file of [...files]) {
    const place = begun(file);
    try {
      const most = Number(form.dataset.most);
      if (file.size > most) throw new Error(`it is larger than the ${most} bytes that may be sent (max_upload)`);
      const body = new FormData();
      body.append("file", file);
      const answer = await fetch("/classify", { method: "POST", body }).catch(() => { throw new Error("no connection to dogid"); });
      if (answer.redirected || answer.status === 401) return location.reload();
      const told = await answer.json().catch(() => null);
      if (!answer.ok || !told) throw new Error(told?.error?.message ?? refused(answer));
      answered(place, told.scores);
    } catch (error) {
      put(place, "span", "failed", `No answer: ${error.message}`);
    }
    place.querySelector(".waiting")?.remove();
  }
}

function begun(file) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  image.alt = "";
  image.src = URL.createObjectURL(file);
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => { URL.revokeObjectURL(image.src); image.className = "none"; };
  const text = document.createElement("div");
  put(text, "span", "waiting", "Asking …");
  item.append(image, text);
  const list = byId("answers");
  list.prepend(item);
  while (list.children.length > 10) list.lastChild.remove();
  const name = put(text, "span", "file", "");
  // marks that would turn the name around are shown as what they are
  put(name, "bdi", "", file.name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (mark) => `\\u${mark.codePointAt(0).toString(16).padStart(4, "0")}`));
  return text;
}

function answered(place, scores) {
  Object.entries(scores).slice(0, 3).forEach(([label, score], at) => {
    const line = put(place, "span", "answer", "");
    put(line, at ? "span" : "b", "", label).dir = "auto";
    put(line, "span", "", certainty(score));
  });
}

function put(parent, kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

function certainty(score) {
  if (score >= 0.995 && score < 1) return "> 99 %";
  if (score > 0 && score < 0.005) return "< 1 %";
  return `${Math.round(100 * score)} %`;
}
