// The list of runs, live. Runs are read again when the event stream says that one changed.
"use strict";
const signs = { queued: "○", running: "●", paused: "◑", completed: "✓", failed: "✗", cancelled: "⊘" };
const link = document.getElementById("link");
let wanted = false;
let reading = false;

function cell(text) {
  const td = document.createElement("td");
  td.textContent = text;
  return td;
}

function row(run) {
  const tr = document.createElement("tr");
  const state = run.attention ? `◆ ${run.attention.message}` : `${signs[run.status]} ${run.status}`;
  const doing = run.reason || run.activity.what;
  tr.append(cell(state), cell(run.task), cell(run.cli_name), cell(run.run_branch), cell(doing));
  return tr;
}

async function read() {
  if (reading) { wanted = true; return; }
  reading = true;
  try {
    const answer = await fetch("/api/runs?limit=200");
    if (!answer.ok) throw new Error(await answer.text());
    const runs = await answer.json();
    document.getElementById("runs").replaceChildren(...runs.map(row));
    document.getElementById("none").hidden = runs.length > 0;
    link.textContent = "live";
  } catch (error) {
    link.textContent = `offline: ${error.message}`;
  }
  reading = false;
  if (wanted) { wanted = false; setTimeout(read, 200); }
}

async function start() {
  await read();
  const stream = new EventSource("/api/events/stream?last_event_id=0");
  stream.onmessage = read;
  stream.onopen = read;
  stream.onerror = () => { link.textContent = "offline, trying again …"; };
}
start();
