// One photo: arrow keys and swipes go through the photos of the filter, and the full screen zooms. All works by links, too.
const link = (rel) => document.querySelector(`a[rel=${rel}]`);
const stage = document.getElementById("stage");
const MOST = 8; // times the size of the screen
const SWIPE = 50; // pixels; shorter ones are taps

// the browser's "back" leads to the list, whatever number of photos was looked at
function go(rel) {
  const href = link(rel)?.href;
  if (href) location.replace(href);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, dialog, .scroll")) return;
  const act = { ArrowLeft: () => go("prev"), ArrowRight: () => go("next"), ...keys }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

let keys = { Escape: () => go("up") };
const points = new Map();
let start = null; // of a swipe
let scale = 1, left = 0, top = 0;

function isSwipe(event) {
  const [x, y] = [event.clientX - start.x, event.clientY - start.y];
  return Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y) ? Math.sign(x) : 0;
}

function watchSwipes(place) {
  place.addEventListener("touchstart", ({ touches }) => { start = touches.length === 1 ? { x: touches[0].clientX, y: touches[0].clientY } : null; }, { passive: true });
  place.addEventListener("touchend", ({ changedTouches: [touch] }) => {
    const way = start && (visualViewport?.scale ?? 1) < 1.05 ? isSwipe(touch) : 0;
    start = null;
    if (way) go(way > 0 ? "prev" : "next");
  });
}

const photo = document.querySelector(".open");
if (photo) watchSwipes(photo);

// --- the full screen: wheel, pinch, double click, buttons and keys zoom; dragging moves what is larger than the screen

function show() {
  left = Math.min(0, Math.max(innerWidth * (1 - scale), left));
  top = Math.min(0, Math.max(innerHeight * (1 - scale), top));
  for (const image of stage.querySelectorAll("img")) image.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
  document.body.classList.toggle("zoomed", scale > 1);
}

function zoom(factor, x = innerWidth / 2, y = innerHeight / 2) {
  const next = Math.min(MOST, Math.max(1, scale * factor));
  left = x - (x - left) * next / scale;
  top = y - (y - top) * next / scale;
  scale = next;
  show();
}

if (stage?.querySelector("img")) {
  keys = { ...keys, "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), "0": () => zoom(0), f: toggleScreen };
  document.body.classList.add("live");
  for (const [id, act] of [["in", () => zoom(1.5)], ["out", () => zoom(1 / 1.5)], ["screen", toggleScreen]]) {
    const button = document.getElementById(id);
    button.hidden = id === "screen" && !document.fullscreenEnabled;
    button.addEventListener("click", act);
  }
  stage.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 300), event.clientX, event.clientY); }, { passive: false });
  stage.addEventListener("dblclick", (event) => zoom(scale > 1 ? 0 : 3, event.clientX, event.clientY));
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    points.set(event.pointerId, { x: event.clientX, y: event.clientY });
    start = points.size === 1 && scale === 1 ? { x: event.clientX, y: event.clientY } : null;
  });
  stage.addEventListener("pointermove", (event) => {
    const before = points.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...points].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const spread = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      zoom(spread(now) / spread(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else if (scale > 1) {
      left += now.x - before.x;
      top += now.y - before.y;
      show();
    }
    points.set(event.pointerId, now);
  });
  for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, (event) => {
    const way = type === "pointerup" && start && points.has(event.pointerId) ? isSwipe(event) : 0;
    points.delete(event.pointerId);
    start = null;
    if (way) go(way > 0 ? "prev" : "next");
  });
  addEventListener("resize", show);
} else if (stage) {
  watchSwipes(stage);
}

function toggleScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch(() => {});
}
