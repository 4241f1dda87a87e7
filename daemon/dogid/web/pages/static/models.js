// Shows the report as soon as a learning run has ended. Without this script, a link does.
const POLL_MS = 1000; // a run takes a few seconds
const FAILED_MS = 5000; // after an answer that did not come

async function look() {
  const learning = await fetch("/learn", { cache: "no-store" }).then((response) => response.json()).catch(() => null);
  if (learning && !learning.running) return location.replace("/models");
  setTimeout(look, learning ? POLL_MS : FAILED_MS);
}
document.querySelector(".reload")?.remove();
look();
