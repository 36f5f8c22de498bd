// Asks for /stats once a second and shows the answer. The key is in sessionStorage and in the
// Authorization header, nowhere else.

import { Detail } from "./detail.js";
import * as format from "./format.js";
import { History } from "./history.js";
import { setText, Table } from "./table.js";

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 15_000; // the bridge itself answers after 10 s if the statistics hang
const STALE_MS = 3000;
const KEY = "hypeman-stats-key";

const $ = (id) => document.getElementById(id);
const history = new History();
const table = new Table(history, openDetail);
const detail = new Detail(history, { close: closeDetail, hasKey: () => key !== null });

let key = sessionStorage.getItem(KEY);
let isAsking = false; // for a key
let timer = 0;
let isPolling = false;
let lastAnswer = -Infinity; // when data came, as performance.now()
let lastAnswerDate = null;
let hostOffset = -Infinity; // the host's clock minus this one, in seconds
let hasPlace = false;

class Refused extends Error {}

async function get(path) {
  const response = await fetch(path, {
    headers: key === null ? {} : { Authorization: `Bearer ${key}` },
    cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const time = performance.now();
  const body = await response.json().catch(() => null); // to its end, so that the connection is used again
  if (response.status === 401) throw new Refused("The bridge does not accept this key.");
  if (response.status === 403) throw new Refused("This key lacks the permission instance:read.");
  if (!response.ok) throw new Error(`The bridge answers: ${body?.message ?? response.statusText}.`);
  return { body, time, date: Date.parse(response.headers.get("Date")) };
}

async function poll() {
  timer = 0;
  if (isPolling) return;
  isPolling = true;
  const began = performance.now();
  try {
    const { body, time, date } = await get("/stats");
    if (body === null || typeof body.instances !== "object" || body.instances === null) {
      throw new Error("The answer of the bridge is not complete.");
    }
    setHostClock(date);
    lastAnswer = time;
    lastAnswerDate = new Date();
    history.add(body.instances, time);
    showData();
    await askForPlace();
  } catch (error) {
    if (error instanceof Refused) {
      askForKey(error.message);
    } else {
      showProblem(error instanceof TypeError ? "The bridge does not answer."
        : error.name === "TimeoutError" ? "The bridge has not answered in time." : error.message);
    }
  } finally {
    isPolling = false;
    schedule(INTERVAL_MS - (performance.now() - began));
  }
}

/// Where the files are, for the paths to copy.
async function askForPlace() {
  if (hasPlace) return;
  detail.place = (await get("/page/place.json")).body;
  hasPlace = true;
}

function schedule(delay) {
  clearTimeout(timer);
  timer = document.hidden || (isAsking && key === null) ? 0 : setTimeout(poll, Math.max(0, delay));
}

/// The Date header has whole seconds, rounded down, so the largest difference is the best one.
function setHostClock(date) {
  const offset = (date - Date.now()) / 1000;
  if (offset > hostOffset || offset < hostOffset - 2) hostOffset = offset;
}

const hostNow = () => Date.now() / 1000 + hostOffset;

// --- What is shown -------------------------------------------------------------------------------

function showFreshness(state, text) {
  const node = $("freshness");
  if (node.dataset.state !== state) node.dataset.state = state;
  setText(node, text);
  document.body.classList.toggle("stale", state === "stale");
}

function showLiveness() {
  if (document.hidden) showFreshness("paused", "Paused");
  else showFreshness("live", "Live");
}

function showData() {
  const wasAsking = isAsking;
  if (isAsking) stopAsking();
  $("list").hidden = false;
  setText($("problem"), "");
  showLiveness();
  showTotals();
  const now = hostNow();
  table.update(now);
  followHash();
  detail.update(now);
  if (wasAsking) table.focusRow();
}

function showTotals() {
  let [running, cpus, waiting, resident, received, sent] = [0, 0, 0, 0, 0, 0];
  for (const vm of history.vms.values()) {
    if (!vm.isRunning) continue;
    ++running;
    cpus += vm.rate("cpu_seconds") || 0;
    waiting += vm.rate("cpu_wait_seconds") || 0;
    resident += vm.values.memory_rss_bytes || 0;
    received += vm.rate("network_rx_bytes") || 0;
    sent += vm.rate("network_tx_bytes") || 0;
  }
  const parts = [
    `${running} of ${history.vms.size} running`, `${cpus.toFixed(1)} CPUs used`, `${waiting.toFixed(1)} waited for`,
    `${format.bytes(resident)} resident`, `${format.bytesPerSecond(received)} in`, `${format.bytesPerSecond(sent)} out`,
  ];
  setText($("totals"), parts.join("  ·  "));
  document.title = `${running} of ${history.vms.size} VMs running`;
}

function showProblem(reason) {
  if (isAsking) {
    setText($("key-error"), reason);
    return;
  }
  const since = lastAnswerDate === null ? "There is no data yet." : `The numbers below are of ${format.timeOfDay(lastAnswerDate)}.`;
  setText($("problem"), `${reason} ${since}`);
  showFreshness("stale", "Stale");
}

// An answer that does not come is no failure yet, but the numbers are old.
setInterval(() => {
  if (!document.hidden && !isAsking && isPolling && performance.now() - lastAnswer > STALE_MS + INTERVAL_MS && lastAnswerDate !== null && $("problem").textContent === "") {
    showProblem("The bridge has not answered yet.");
  }
}, INTERVAL_MS);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    timer = 0;
    if (!isAsking) showLiveness();
  } else {
    schedule(0);
  }
});

// --- The key -------------------------------------------------------------------------------------

function askForKey(reason) {
  const hadKey = key !== null;
  isAsking = true;
  key = null;
  sessionStorage.removeItem(KEY);
  closeDetail();
  $("list").hidden = true;
  $("forget").hidden = true;
  $("key-form").hidden = false;
  setText($("problem"), "");
  setText($("totals"), "");
  setText($("key-error"), hadKey ? reason : "");
  $("key").setAttribute("aria-invalid", String(hadKey));
  showFreshness("locked", "Locked");
  $("key").value = "";
  $("key").focus();
}

function stopAsking() {
  isAsking = false;
  $("key-form").hidden = true;
  setText($("key-error"), "");
  $("forget").hidden = key === null;
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(text)) {
    setText($("key-error"), "A key has no spaces and only ASCII characters.");
    return;
  }
  key = text;
  sessionStorage.setItem(KEY, key);
  schedule(0);
});

$("forget").addEventListener("click", () => {
  clearTimeout(timer);
  key = null;
  history.vms.clear();
  askForKey("");
});
$("forget").hidden = key === null;

// --- The detail view: #<ID> in the address, so that "back" closes it -----------------------------

const hashId = () => {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
};

function openDetail(id) {
  if (hashId() === id) {
    detail.focus();
  } else {
    location.hash = encodeURIComponent(id);
  }
}

function closeDetail() {
  if (hashId() !== "") window.history.pushState(null, "", location.pathname);
  if (detail.id === null) return;
  const { id } = detail;
  showDetailOf("");
  table.focusRow(id);
}

function showDetailOf(id) {
  detail.open(id);
  detail.update(hostNow());
  document.body.classList.toggle("with-detail", detail.id !== null);
  table.openId = detail.id;
}

/// Opens what the address names, as soon as the data is there.
function followHash() {
  const id = hashId();
  if (id !== (detail.id ?? "") && (id === "" || history.vms.has(id))) showDetailOf(id);
}

window.addEventListener("hashchange", () => {
  followHash();
  if (detail.id === null) table.focusRow();
  else detail.focus();
});

// --- Keys and the filter -------------------------------------------------------------------------

$("filter").addEventListener("input", () => { table.filter = $("filter").value; });
$("filter").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "Enter") {
    event.preventDefault();
    table.focusRow();
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === "Escape" && detail.id !== null && !(isTyping && $("filter").value !== "")) {
    event.preventDefault();
    closeDetail();
  } else if (event.key === "/" && !isTyping && !isAsking && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    $("filter").focus();
  }
});

poll();
