// Sends photos one after the other, each with its progress. Without this script, the form sends them all at once.
const TRIES = 6; // while the daemon stores other photos
const WAIT_MS = 1000; // before the second try; doubles with each

const NO_SECOND_TRY = new Set(["inbox_unwritable", "inbox_hangs"]); // these need a person

const form = document.querySelector("#upload");
const list = document.querySelector("#uploads");
const sum = document.querySelector("#sum");
const maxBytes = Number(form.dataset.maxBytes);
const waiting = [];
let sending = false;
let kept = 0;
let refused = 0;
let signedOut = false;

document.body.classList.add("live");
form.addEventListener("submit", (event) => event.preventDefault());
for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => { add(input.files); input.value = ""; });
}
addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
addEventListener("drop", (event) => {
  document.body.classList.remove("over");
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  add(event.dataTransfer.files);
});
addEventListener("beforeunload", (event) => { if (sending || waiting.length) event.preventDefault(); });

function add(files) {
  for (const file of [...files]) waiting.push({ file, row: addRow(file.name) });
  send();
}

async function send() {
  if (sending) return;
  sending = true;
  signedOut = false;
  while (waiting.length && !signedOut) {
    const { file, row } = waiting.shift();
    showSum();
    try {
      if (file.size > maxBytes) throw new Error(`the photo is larger than ${maxBytes} bytes (max_upload)`);
      const name = await sendPatiently(file, row);
      kept += 1;
      finish(row, "done", name === file.name ? "in the inbox" : "in the inbox as ", name === file.name ? "" : name);
    } catch (error) {
      if (error.signedOut) {
        signedOut = true;
        row.querySelector("progress").value = 0;
        row.querySelector(".outcome").textContent = "waiting";
        waiting.unshift({ file, row });
        break;
      }
      refused += 1;
      finish(row, "failed", `Not added: ${error.message}`);
      if (error.canRetry) offerRetry(file, row);
    }
  }
  sending = false;
  showSum();
}

async function sendPatiently(file, row) {
  for (let attempt = 1; ; attempt++) {
    const { status, answer } = await sendOnce(file, row);
    if (status === 401) throw Object.assign(new Error(), { signedOut: true });
    if (status === 201 && answer) return answer.stored[0].file;
    if (status !== 503 || NO_SECOND_TRY.has(answer?.error.code) || attempt === TRIES) {
      throw Object.assign(new Error(answer?.error.message ?? (status ? `dogid returned status ${status}` : "no connection to dogid")), { canRetry: !status || status >= 500 });
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random())));
  }
}

// XMLHttpRequest, as fetch reports no progress of what is sent
function sendOnce(file, row) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const progress = row.querySelector("progress");
    request.open("POST", `/upload?name=${encodeURIComponent(file.name.toWellFormed?.() ?? file.name)}`);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => { if (event.total) progress.value = event.loaded / event.total; });
    request.upload.addEventListener("load", () => { row.querySelector(".outcome").textContent = "storing …"; });
    request.addEventListener("loadend", () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* not dogid's, or none */ }
      resolve({ status: request.status, answer });
    });
    request.send(file);
  });
}

function addRow(name) {
  const row = document.createElement("li");
  const progress = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
  progress.setAttribute("aria-label", "Sent");
  // control and direction characters are shown as escapes, so that they cannot disguise the name
  const shown = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`);
  const file = addElement(row, "span", "file");
  addElement(file, "bdi", "").textContent = shown;
  addElement(row, "span", "outcome").textContent = "waiting";
  row.append(progress);
  list.append(row);
  return row;
}

function finish(row, state, text, name = "") {
  row.className = state;
  row.querySelector("progress")?.remove();
  const outcome = row.querySelector(".outcome");
  outcome.textContent = text;
  if (name) addElement(outcome, "bdi", "").textContent = name;
}

function offerRetry(file, row) {
  const button = addElement(row, "button", "quiet");
  button.type = "button";
  button.textContent = "Try again";
  button.addEventListener("click", () => { refused -= 1; row.remove(); add([file]); });
}

function showSum() {
  sum.hidden = false;
  const left = waiting.length + (sending ? 1 : 0);
  const parts = [`${kept} ${kept === 1 ? "photo is" : "photos are"} in the inbox`];
  if (left) parts.push(`${left} to go`);
  if (refused) parts.push(`${refused} not added`);
  sum.textContent = `${parts.join(", ")}. `;
  if (signedOut) return offerSignIn();
  if (kept && !left) Object.assign(addElement(sum, "a", ""), { href: "/", textContent: "Show photos" });
}

// in another tab: the chosen photos are known to this one only
function offerSignIn() {
  Object.assign(addElement(sum, "a", ""), { href: "/", target: "_blank", rel: "noopener", textContent: "Sign in" });
  sum.append(", then ");
  const button = addElement(sum, "button", "quiet");
  button.type = "button";
  button.textContent = "Go on";
  button.addEventListener("click", send);
}

function addElement(parent, tag, className) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  parent.append(element);
  return element;
}
