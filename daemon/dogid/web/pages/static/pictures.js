// Asks again for pictures that have not come: the daemon makes one at a time, and returns 503 for others meanwhile.
const MAX_IMAGE_RETRIES = 8;

function retryImage(image) {
  const tries = Number(image.dataset.tries ?? 0);
  if (tries >= MAX_IMAGE_RETRIES) return;
  image.dataset.tries = tries + 1;
  const address = image.dataset.original ??= image.getAttribute("src");
  const next = `${address}${address.includes("?") ? "&" : "?"}again=${tries + 1}`;
  setTimeout(() => { image.src = next; }, 300 * 1.5 ** tries * (1 + Math.random()));
}
document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement && event.target.closest(".frame")) retryImage(event.target);
}, true);
for (const image of document.querySelectorAll(".frame img")) {
  if (image.complete && image.currentSrc && !image.naturalWidth) retryImage(image);
}
