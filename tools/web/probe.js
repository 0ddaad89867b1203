// What the checker asks about a page. Runs in an isolated world: it shares the document with the
// page's scripts and nothing else, so that no script of the page can change an answer.
// A target is a CSS selector, or {role, name, index}: name is a regular expression, case ignored.
(() => {
  'use strict';
  const ROLES = {
    button: 'button,input[type=button],input[type=submit],input[type=reset],summary,[role=button]',
    textbox: 'textarea,input:not([type]),input[type=text],input[type=search],input[type=email],' +
      'input[type=password],input[type=tel],input[type=url],input[type=number],' +
      '[contenteditable=""],[contenteditable=true],[contenteditable=plaintext-only],' +
      '[role=textbox],[role=searchbox],[role=spinbutton]',
    checkbox: 'input[type=checkbox],[role=checkbox],[role=switch]',
    radio: 'input[type=radio],[role=radio]',
    combobox: 'select,[role=combobox],[role=listbox]',
    slider: 'input[type=range],[role=slider]',
    link: 'a[href],[role=link]',
    heading: 'h1,h2,h3,h4,h5,h6,[role=heading]',
    listitem: 'li,[role=listitem]',
    row: 'tr,[role=row]',
    form: 'form,[role=form]',
    canvas: 'canvas',
    image: 'img,svg,canvas,[role=img]',
    alert: '[role=alert],[role=status],[aria-live],output,.error,.invalid,.message',
  };
  const CONTROLS = ['button', 'textbox', 'checkbox', 'radio', 'combobox', 'slider', 'link'];
  // The caret blinks by the machine's clock: no picture shows it.
  const still = new CSSStyleSheet();
  still.replaceSync('* { caret-color: transparent !important; }');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, still];
  const squeeze = text => (text || '').replace(/\s+/g, ' ').trim();

  function visible(element) {
    if (!element.isConnected || element.closest('[hidden],template,script,style')) {
      return false;
    }
    const style = getComputedStyle(element);
    if (style.visibility !== 'visible' || style.display === 'none' || style.opacity === '0') {
      return false;
    }
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  }
  function name(element) {
    const byIds = squeeze((element.getAttribute('aria-labelledby') || '').split(/\s+/)
      .map(id => (id && document.getElementById(id) || {}).textContent || '').join(' '));
    if (byIds) return byIds;
    const label = squeeze(element.getAttribute('aria-label'));
    if (label) return label;
    if (element.labels && element.labels.length) {
      const text = squeeze(Array.from(element.labels, each => each.textContent).join(' '));
      if (text) return text;
    }
    if (/^(button|submit|reset)$/.test(element.type || '') && element.value && element.tagName === 'INPUT') {
      return squeeze(element.value);
    }
    if (!element.matches('input,textarea,select,canvas')) {
      const text = squeeze(element.textContent);
      if (text) return text;
      const image = element.querySelector('img[alt],svg title,[aria-label]');
      if (image) return squeeze(image.getAttribute('alt') || image.getAttribute('aria-label') || image.textContent);
    }
    return squeeze(element.getAttribute('alt') || element.title || element.placeholder);
  }
  function find(target) {
    if (typeof target === 'string') return Array.from(document.querySelectorAll(target));
    let list = Array.from(document.querySelectorAll(ROLES[target.role] || target.role || '*'));
    // Where a role is nested (a wrapper and the thing itself), the inner one is meant.
    if (target.role) list = list.filter(visible);
    if (target.name !== undefined) {
      const pattern = new RegExp(target.name, 'i');
      list = list.filter(each => pattern.test(name(each)) ||
        (target.text !== false && !each.matches('input,textarea') && pattern.test(squeeze(each.innerText))));
      list = list.filter(each => !list.some(other => other !== each && each.contains(other)));
    }
    if (target.index !== undefined) {
      const at = target.index < 0 ? list.length + target.index : target.index;
      list = list[at] ? [list[at]] : [];
    }
    return list;
  }
  function first(target) {
    const list = find(target);
    return list.find(visible) || list[0] || null;
  }
  function describe(element) {
    const tag = element.tagName.toLowerCase();
    const role = Object.keys(ROLES).find(each => element.matches(ROLES[each]));
    return `${role || tag} "${name(element).slice(0, 40)}"`;
  }
  // Where to press, in the view; scrolls there first.
  function place(target) {
    const element = first(target);
    if (!element) return { problem: 'not found' };
    if (!visible(element)) return { problem: 'not visible' };
    if (element.disabled) return { problem: 'disabled' };
    element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const box = element.getBoundingClientRect();
    const x = Math.min(Math.max(box.x + box.width / 2, 0), innerWidth - 1);
    const y = Math.min(Math.max(box.y + box.height / 2, 0), innerHeight - 1);
    const top = document.elementFromPoint(x, y);
    const label = top && top.closest('label');
    const reached = top && (element.contains(top) || top.contains(element) ||
      (label && label.contains(element)) || (label && label.control === element));
    if (!reached) return { problem: top ? 'covered by ' + describe(top) : 'outside of the view' };
    return { x, y, what: describe(element) };
  }
  function box(target) {
    const element = first(target);
    if (!element || !visible(element)) return null;
    element.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
    const rect = element.getBoundingClientRect();
    return { x: rect.x + scrollX, y: rect.y + scrollY, width: rect.width, height: rect.height };
  }
  function text(target) {
    const list = find(target).filter(visible);
    const read = each => squeeze(each.matches('input,textarea,select') ? each.value : each.innerText);
    return list.length ? list.map(read).join('\n') : null;
  }
  function count(target) {
    return find(target).filter(visible).length;
  }
  // What a person would see: text, values, states; to tell whether something changed.
  function snapshot(target) {
    const root = target ? first(target) : document.body;
    return root ? snapshotOf(root) : null;
  }
  function snapshotOf(root) {
    const parts = [squeeze(root.innerText)];
    for (const each of root.querySelectorAll('*')) {
      if (each.matches('input,textarea,select')) parts.push(each.value, String(each.checked));
      if (each.tagName === 'CANVAS') parts.push(String(canvasHash(each)));
      // Any attribute may be what the style goes by.
      for (const { name: key, value } of each.attributes) {
        if (!key.startsWith('data-levin-')) parts.push(key, value);
      }
    }
    if (root.tagName === 'CANVAS') parts.push(String(canvasHash(root)));
    if (root.matches('input,textarea,select')) parts.push(root.value, String(root.checked));
    return hash(parts.join('|'));
  }
  function hash(value) {
    let sum = 2166136261;
    for (let i = 0; i < value.length; i++) sum = Math.imul(sum ^ value.charCodeAt(i), 16777619);
    return sum >>> 0;
  }
  // Null where only a screenshot shows them: WebGL keeps nothing to be read after a frame.
  function pixels(canvas) {
    const kind = canvas.getAttribute('data-levin-context');
    if (kind === null && canvas.width && canvas.height) return new Uint32Array(canvas.width * canvas.height);
    if (kind !== '2d') return null;
    try {
      const context = canvas.getContext('2d');
      if (!context || !canvas.width || !canvas.height) return null;
      return new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    } catch (error) {
      return null;
    }
  }
  function canvasHash(canvas) {
    const data = pixels(canvas);
    return data ? sumOf(data) : -1;
  }
  function sumOf(data) {
    let sum = 2166136261;
    for (let i = 0; i < data.length; i++) sum = Math.imul(sum ^ data[i], 16777619);
    return sum >>> 0;
  }
  // Pixels as runs of [count, colour index], with the palette as 0xAABBGGRR.
  function runs(data, width, height) {
    const palette = new Map();
    const list = [];
    let last = -1;
    for (let i = 0; i < data.length; i++) {
      let index = palette.get(data[i]);
      if (index === undefined) {
        index = palette.size;
        palette.set(data[i], index);
      }
      if (index === last) list[list.length - 2] += 1;
      else list.push(1, index);
      last = index;
    }
    return { width, height, palette: Array.from(palette.keys()), runs: list };
  }
  function image(target) {
    const element = first(target);
    if (!element || element.tagName !== 'CANVAS') return null;
    const data = pixels(element);
    return data ? runs(data, element.width, element.height) : null;
  }
  async function pixelsOf(base64) {
    const bytes = Uint8Array.from(atob(base64), each => each.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const data = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
    return { data: new Uint32Array(data.buffer), width: bitmap.width, height: bitmap.height };
  }
  async function imageOf(base64) {
    const { data, width, height } = await pixelsOf(base64);
    return runs(data, width, height);
  }
  // One wide picture of several, side by side and scaled to one height.
  async function filmstrip(shots, height) {
    const bitmaps = [];
    for (const base64 of shots) {
      const bytes = Uint8Array.from(atob(base64), each => each.charCodeAt(0));
      bitmaps.push(await createImageBitmap(new Blob([bytes], { type: 'image/png' })));
    }
    const gap = 4;
    const widths = bitmaps.map(each => Math.max(1, Math.round(each.width * height / each.height)));
    const canvas = new OffscreenCanvas(widths.reduce((sum, each) => sum + each + gap, gap), height + 2 * gap);
    const context = canvas.getContext('2d');
    context.fillStyle = '#444';
    context.fillRect(0, 0, canvas.width, canvas.height);
    let x = gap;
    bitmaps.forEach((bitmap, index) => {
      context.drawImage(bitmap, x, gap, widths[index], height);
      x += widths[index] + gap;
    });
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
    let binary = '';
    for (let i = 0; i < bytes.length; i += 8192) {
      binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
    }
    return btoa(binary);
  }
  // The page in one line, for a reader without eyes.
  function outline() {
    const parts = [];
    const roles = ['heading', ...CONTROLS, 'canvas'];
    const all = Array.from(document.querySelectorAll(roles.map(each => ROLES[each]).join(',')));
    for (const each of all.filter(visible).slice(0, 30)) {
      const tag = each.tagName.toLowerCase();
      const role = roles.find(one => each.matches(ROLES[one]));
      const label = name(each).slice(0, 60);
      let part = (role === 'heading' ? tag : role) + (label ? ` "${label}"` : '');
      if (each.tagName === 'CANVAS') {
        const data = pixels(each);
        part += ` ${each.width}x${each.height}` + (data ? `, ${inkOf(data)}` : '');
      }
      if (each.disabled) part += ' disabled';
      parts.push(part);
    }
    const rest = squeeze(document.body ? document.body.innerText : '').slice(0, 200);
    return parts.join(', ') + (rest ? `; text: "${rest}"` : '');
  }
  function unnamed() {
    return CONTROLS.flatMap(role => Array.from(document.querySelectorAll(ROLES[role]))
      .filter(each => visible(each) && !each.closest('[aria-hidden=true]') && !name(each))
      .map(each => each.outerHTML.slice(0, 80)));
  }
  // What an animation is judged by. Of a canvas whose pixels can't be read: where it is, for a
  // screenshot and drawnIn().
  function drawn(target) {
    const element = first(target);
    if (!element || element.tagName !== 'CANVAS') return null;
    const data = pixels(element);
    return data ? drawnOf(data) : { clip: box(target) };
  }
  async function drawnIn(base64) {
    return drawnOf((await pixelsOf(base64)).data);
  }
  function drawnOf(data) {
    return { blank: data.every(each => each === data[0]), hash: sumOf(data) };
  }
  // For a reader without eyes: how much of it is not of the commonest colour.
  function inkOf(data) {
    const tally = new Map();
    for (let i = 0; i < data.length; i++) tally.set(data[i], (tally.get(data[i]) || 0) + 1);
    const most = Math.max(...Array.from(tally.values()).slice(0, 10000));
    return `${Math.round(100 - 100 * most / data.length)} % drawn, ${tally.size} colours`;
  }
  globalThis.probe = { ROLES, find, first, visible, name, describe, place, box, text, count,
                       snapshot, snapshotOf, image, imageOf, runs, filmstrip, outline, unnamed, drawn, drawnIn, squeeze,
                       pixels, hash };
})();
