// The page is complete without this script, which keeps it up to date and classifies photos that are dropped on it.
const byId = (id) => document.getElementById(id);
const REFRESH_MS = 15000; // for what comes without an event: disk usage, health, removed photos
const POLL_MS = 3000; // while the event stream is not available
const GROUP_MS = 80; // waits for further photos, as they come in groups; longer delays the first one
const MAX_PAUSE_MS = 5000; // between two refreshes in a burst of photos
const MAX_UPLOADS_SHOWN = 10;
const NO_CONNECTION = "No connection to dogid; trying again";

// --- refreshing: an event only says that something is new; the page is fetched again and its live parts are replaced

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
let isStale = false;
let refreshing = false;

async function scheduleRefresh() {
  isStale = true;
  if (refreshing || document.hidden) return;
  refreshing = true;
  while (isStale) {
    await pause(GROUP_MS);
    isStale = false;
    const began = performance.now();
    await refresh();
    // rendering the page may take at most a tenth of the daemon's time, also in a burst of photos
    await pause(Math.min(10 * (performance.now() - began), MAX_PAUSE_MS));
  }
  refreshing = false;
}

async function refresh() {
  let response, html;
  try {
    response = await fetch(location.href, { headers: { Accept: "text/html" } });
    html = await response.text();
  } catch {
    return showConnectionProblem(NO_CONNECTION);
  }
  if (response.redirected || response.status === 401) return location.reload();
  if (!response.ok) return showConnectionProblem(`${describeStatus(response)}; trying again`);
  try {
    replaceLiveParts(new DOMParser().parseFromString(html, "text/html"));
    showConnectionProblem("");
  } catch (error) {
    console.error(error);
    showConnectionProblem(`This page cannot be updated: ${error.message}. Reload it.`);
  }
}

const describeStatus = (response) => `dogid returned status ${response.status}`;

function showConnectionProblem(problem) {
  const place = byId("link");
  if (place.textContent !== problem) place.textContent = problem;
  place.hidden = !problem;
}

function replaceLiveParts(fresh) {
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other) continue;
    if (part.id === "photos") replacePhotos(part, other);
    else if (part.innerHTML !== other.innerHTML) replaceChildren(part, other);
  }
}

function replaceChildren(part, other) {
  const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const scrolled = [...part.querySelectorAll("ul")].map((list) => list.scrollLeft); // filters, on a phone
  part.replaceChildren(...other.childNodes);
  part.querySelectorAll("ul").forEach((list, at) => { list.scrollLeft = scrolled[at] ?? 0; });
  if (focused) [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}

// tiles that have not changed stay in the document, so that they keep their pictures and the focus
function replacePhotos(list, other) {
  const before = new Map([...list.children].map((tile) => [tile.dataset.id, tile]));
  const added = [];
  const tiles = [...other.children].map((tile) => {
    const known = before.get(tile.dataset.id);
    if (known && known.dataset.state === tile.dataset.state) {
      if (known.innerHTML !== tile.innerHTML) {
        for (const name of [".time", ".file", ".answer", ".near", ".said"]) {
          const fresh = tile.querySelector(name);
          const shown = known.querySelector(name);
          if (!fresh || !shown || shown.innerHTML === fresh.innerHTML) continue;
          const focused = shown.contains(document.activeElement);
          shown.replaceWith(fresh);
          if (focused) fresh.querySelector("a, button")?.focus();
        }
      }
      return known;
    }
    if (tile.classList.contains("pending")) return tile;
    added.push(tile);
    tile.classList.add("new");
    return tile;
  });
  const kept = new Set(tiles);
  for (const tile of [...list.children]) if (!kept.has(tile)) tile.remove();
  tiles.forEach((tile, at) => {
    if (list.children[at] !== tile) list.insertBefore(tile, list.children[at] ?? null);
  });
  if (added.length) announce(added);
}

const ANNOUNCE_MS = 4000; // a screen reader must be able to finish
let announcedAt = -Infinity;
function announce(tiles) {
  if (performance.now() - announcedAt < ANNOUNCE_MS) return;
  announcedAt = performance.now();
  const newest = tiles[0].querySelector(".answer").textContent.trim().replace(/\s+/g, " ");
  byId("announcement").textContent = tiles.length > 1 ? `${tiles.length} new photos, the newest: ${newest}` : `New photo: ${newest}`;
}

// --- events while the page is visible; polling where there are none

let source = null;
let failures = 0;
let reopening = 0;
let polling = 0;
let lastPolled = null;

function listen() {
  clearTimeout(reopening);
  if (source || document.hidden) return;
  source = new EventSource("/events");
  source.addEventListener("open", () => { failures = 0; stopPolling(); scheduleRefresh(); });
  source.addEventListener("result", scheduleRefresh);
  source.addEventListener("review", scheduleRefresh);
  source.addEventListener("error", () => {
    startPolling();
    if (source?.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
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
  let text;
  try {
    // the browser sends If-None-Match by itself, and returns its cached copy where nothing is new
    text = await (await fetch("/results?limit=24", { cache: "no-cache" })).text();
  } catch {
    return showConnectionProblem(NO_CONNECTION);
  }
  if (text !== lastPolled) scheduleRefresh();
  lastPolled = text;
}

document.addEventListener("visibilitychange", () => {
  // browsers open six connections to a host: hidden pages must not hold them
  if (document.hidden) { stopListening(); stopPolling(); } else { listen(); scheduleRefresh(); }
});
addEventListener("pagehide", stopListening);
addEventListener("pageshow", (event) => { if (event.persisted) { listen(); scheduleRefresh(); } });
setInterval(scheduleRefresh, REFRESH_MS);
listen();

// --- a search that found nothing in the time of one request goes on with older photos

const further = document.querySelector("#empty [data-further]");
if (further) location.replace(further.href);

// --- what people say about photos: sent without leaving the page

const say = byId("say");
const choose = byId("choose");
if (say) {
  const ids = say.elements.ids;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-choose]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ids.value = link.dataset.choose;
    byId("another").href = link.href;
    ids.disabled = false;
    choose.showModal();
  });
  choose.addEventListener("close", () => { ids.disabled = true; });
  say.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(say, event.submitter));
    choose.close();
    try {
      const response = await fetch(say.action, { method: "POST", body, headers: { Accept: "application/json" } });
      if (response.status === 401) return location.reload();
      const answer = await response.json();
      showConnectionProblem(response.ok ? "" : answer.error.message);
    } catch {
      showConnectionProblem(NO_CONNECTION);
    }
    scheduleRefresh();
  });
}

// --- photos that are dropped or chosen: classified and not stored

const form = document.querySelector(".drop");
if (form) {
  const file = byId("file");
  const overlay = byId("overlay");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.body.classList.add("live");
  form.addEventListener("submit", (event) => event.preventDefault());
  file.addEventListener("change", async () => { await classify(file.files); form.reset(); });
  addEventListener("dragover", (event) => { if (hasFiles(event)) { event.preventDefault(); overlay.hidden = false; } });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) overlay.hidden = true; });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    overlay.hidden = true;
    classify(event.dataTransfer.files);
  });
}

async function classify(files) {
  for (const file of [...files]) {
    const entry = addEntry(file);
    try {
      const maxBytes = Number(form.dataset.maxBytes);
      if (file.size > maxBytes) throw new Error(`the file is larger than ${maxBytes} bytes (max_upload)`);
      const body = new FormData();
      body.append("file", file);
      const response = await fetch("/classify", { method: "POST", body }).catch(() => { throw new Error("no connection to dogid"); });
      if (response.redirected || response.status === 401) return location.reload();
      const result = await response.json().catch(() => null);
      if (!response.ok || !result) throw new Error(result?.error?.message ?? describeStatus(response));
      showScores(entry, result);
    } catch (error) {
      appendElement(entry, "span", "failed", `Not classified: ${error.message}`);
    }
    entry.querySelector(".waiting")?.remove();
  }
}

function addEntry(file) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  image.alt = "";
  image.src = URL.createObjectURL(file);
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => { URL.revokeObjectURL(image.src); image.remove(); };
  const text = document.createElement("div");
  appendElement(text, "span", "waiting", "Classifying …");
  item.append(image, text);
  const close = appendElement(item, "button", "quiet", "✕");
  close.setAttribute("aria-label", "Dismiss");
  close.addEventListener("click", () => item.remove());
  const list = byId("answers");
  list.prepend(item);
  while (list.children.length > MAX_UPLOADS_SHOWN) list.lastChild.remove();
  const name = appendElement(text, "span", "file", "");
  // control and direction characters are shown as escapes, so that they cannot disguise the name
  appendElement(name, "bdi", "", file.name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`));
  return text;
}

function showScores(entry, result) {
  if (result.unsure) appendElement(entry, "span", "unsure", "unsure").title = "The score is below the label's threshold";
  Object.entries(result.scores).slice(0, 3).forEach(([label, score], at) => {
    const line = appendElement(entry, "span", "answer", "");
    appendElement(line, at ? "span" : "b", "", label).dir = "auto";
    appendElement(line, "span", "", formatPercentage(score));
  });
}

function appendElement(parent, tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}

function formatPercentage(score) {
  if (score >= 0.995 && score < 1) return "> 99 %";
  if (score > 0 && score < 0.005) return "< 1 %";
  return `${Math.round(100 * score)} %`;
}
