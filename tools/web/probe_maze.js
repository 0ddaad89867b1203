// Finds the parts of a maze app: the drawing, the buttons, and window.__maze through the document
// (its values are asked for in the page's own world).
(() => {
  'use strict';
  const { visible, name, ROLES } = probe;
  const area = element => {
    const box = element.getBoundingClientRect();
    return box.width * box.height;
  };
  const largest = list => list.filter(visible).sort((a, b) => area(b) - area(a))[0] || null;
  // Of many small boxes: the element with the most children of one size, or of rows of such.
  function boxes() {
    let best = null;
    let most = 24;
    for (const each of document.querySelectorAll('table,div,section,ul')) {
      if (!visible(each)) continue;
      let count = each.children.length;
      if (each.tagName === 'TABLE') count = each.querySelectorAll('td').length;
      else if (count >= 4 && Array.from(each.children).every(row => row.children.length >= 4)) {
        count = Array.from(each.children).reduce((sum, row) => sum + row.children.length, 0);
      }
      if (count > most) {
        most = count;
        best = each;
      }
    }
    return best;
  }
  function drawing() {
    const canvases = Array.from(document.querySelectorAll('canvas')).filter(each => visible(each) && area(each) >= 2500);
    const canvas = largest(canvases);
    if (canvas) return { element: canvas, plain: canvases.length === 1 };
    const svg = largest(Array.from(document.querySelectorAll('svg')).filter(each => area(each) >= 2500));
    const element = svg || boxes();
    return element ? { element, plain: false } : null;
  }
  // The pixels of a single canvas; else where the picture is, for a screenshot.
  function look() {
    const found = drawing();
    if (!found) return null;
    const data = found.plain ? probe.pixels(found.element) : null;
    if (data) {
      return { image: probe.runs(data, found.element.width, found.element.height) };
    }
    found.element.scrollIntoView({ block: 'nearest', behavior: 'instant' });
    return { clip: clip() };
  }
  function clip() {
    const found = drawing();
    if (!found) return null;
    const box = found.element.getBoundingClientRect();
    return { x: Math.floor(box.x + scrollX), y: Math.floor(box.y + scrollY),
             width: Math.ceil(box.width), height: Math.ceil(box.height) };
  }
  function mark() {
    const found = drawing();
    if (!found) return 0;
    const data = found.plain ? probe.pixels(found.element) : null;
    // Only a screenshot shows what changes in there.
    if (!data && found.element.tagName === 'CANVAS' && !probe.pixels(found.element)) return null;
    if (!data) return probe.snapshotOf(found.element.parentElement || found.element);
    let sum = 2166136261;
    for (let i = 0; i < data.length; i++) sum = Math.imul(sum ^ data[i], 16777619);
    return sum >>> 0;
  }
  const SOLVE = [/solve/i, /(find|show|run|start|visuali[sz]e|play).*(path|way|a\s?\*|a[- ]?star|search|solution)/i,
    /a\s?\*|a[- ]?star|path|search/i, /visuali[sz]e|start|run|play|go/i];
  const NEW = [/new/i, /re-?generate|generate/i, /create|random|another|next/i, /reset|maze/i];
  function button(patterns, unlike) {
    const list = Array.from(document.querySelectorAll(ROLES.button)).filter(visible);
    for (const pattern of patterns) {
      const index = list.findIndex(each => pattern.test(name(each)) && !(unlike && unlike.test(name(each))));
      if (index >= 0) return { role: 'button', index };
    }
    return null;
  }
  const solveButton = () => button(SOLVE, /new|generate|create|reset|clear|stop|pause/i);
  const newButton = () => button(NEW, /solve|path|clear/i);
  const disabled = target => !!target && !!probe.find(target)[0].disabled;
  const claimsPerfect = () => /perfect maze/i.test(document.body.innerText);
  probe.maze = { look, clip, mark, solveButton, newButton, disabled, claimsPerfect };
})();
