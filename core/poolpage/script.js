// Follows the page by server-sent events. What comes is the same HTML that the server renders into the page, escaped
// there; it is put in node by node, so that focus, selection and scrolling stay.
"use strict";
const main = document.getElementById("main"), state = document.getElementById("state");
const say = text => { if (state.textContent !== text) state.textContent = text; };

function follow(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) { from.replaceWith(to.cloneNode(true)); return; }
  if (from.nodeType !== Node.ELEMENT_NODE) { if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue; return; }
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  children(from, to);
}

function children(from, to) {
  const old = [...from.childNodes], now = [...to.childNodes];
  now.forEach((node, i) => { if (old[i]) follow(old[i], node); else from.append(node.cloneNode(true)); });
  old.slice(now.length).forEach(node => node.remove());
}

const show = html => children(main, new DOMParser().parseFromString(html, "text/html").body);

const source = new EventSource("?format=events");
source.onmessage = e => { show(e.data); say("Live"); };
source.onerror = () => {
  if (source.readyState !== EventSource.CLOSED) { say("Connecting again"); return; }
  // There is no stream to be had, of a server that cannot flush or has too many readers: ask now and then.
  setInterval(async () => {
    try {
      const answer = await fetch("?format=main");
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.text());
      say("Live");
    } catch { say("Connecting again"); }
  }, 2000);
  source.close();
};
