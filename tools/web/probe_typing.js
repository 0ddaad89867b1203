// Finds the parts of a typing test without help from its author: the passage, how its characters are
// marked, and the numbers for speed, accuracy and time.
(() => {
  'use strict';
  const { visible, squeeze, first, ROLES } = probe;
  const words = text => squeeze(text).split(' ').filter(Boolean);
  const CONTROL = 'input,textarea,select,button,script,style,[contenteditable=true]';

  function passageElement() {
    const all = Array.from(document.body.querySelectorAll('*')).filter(each =>
      !each.matches(CONTROL) && !each.querySelector(CONTROL) && !each.closest('button,label,footer,noscript') &&
      visible(each) && words(spaced(each)).length >= 20);
    const leaves = all.filter(each => !all.some(other => other !== each && each.contains(other)));
    const score = each => {
      const hint = `${each.id} ${each.className}`;
      return (each.querySelectorAll('*').length >= 20 ? 4 : 0) +
        (/text|passage|quote|prompt|word|sentence|target|display/i.test(hint) ? 2 : 0) +
        (/instruction|hint|help|about|intro|footer|rules/i.test(hint) ? -3 : 0) +
        parseFloat(getComputedStyle(each).fontSize) / 32;
    };
    return leaves.sort((a, b) => score(b) - score(a))[0] || null;
  }
  // The text with a blank between words that only a margin or a gap keeps apart.
  function spaced(element) {
    const parts = Array.from(element.children);
    const loose = Array.from(element.childNodes).some(node => node.nodeType === 3 && /\S/.test(node.data));
    const text = element.textContent.replace(/\u00a0/g, ' ');
    const isPerCharacter = parts.length >= 20 && parts.every(each => Array.from(each.textContent).length <= 1);
    if (isPerCharacter || loose || /\s/.test(text.trim())) return text;
    return parts.map(each => each.textContent).join(' ');
  }
  function passage() {
    const element = passageElement();
    if (!element) return null;
    const text = squeeze(spaced(element));
    return { text, words: words(text).length };
  }
  const look = element => {
    const style = getComputedStyle(element);
    return [style.color, style.backgroundColor, style.textDecorationLine, style.opacity, style.fontWeight,
            style.borderBottomColor, style.borderBottomWidth, style.boxShadow, style.visibility].join('|');
  };
  // How each character of the passage looks, white space apart.
  function marks() {
    const element = passageElement();
    if (!element) return [];
    const list = [];
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      let sign = '';
      for (let at = node.parentElement; at && element.contains(at) && at !== element; at = at.parentElement) {
        sign += look(at) + ';';
      }
      for (const c of node.data) if (/\S/.test(c)) list.push(sign);
    }
    return list;
  }
  function inputElement() {
    return Array.from(document.querySelectorAll(ROLES.textbox)).find(each => visible(each) && each.type !== 'number') || null;
  }
  function inputLook() {
    const input = inputElement();
    return input ? look(input) + input.className : '';
  }

  const NUMBER = /(?<![\w.])-?(?:\d+(?:\.\d+)?|NaN|-?Infinity|∞|undefined|--|—)(?![\w.]*\d)/g;
  const LABELS = {
    wpm: /wpm|words?\s*(?:per|\/)\s*min|speed/i,
    accuracy: /accuracy|\bacc\b|precision/i,
    time: /time|timer|seconds|elapsed|remaining|left|clock/i,
  };
  const OTHER = /best|high|record|average|avg|goal|history|previous|last|raw|gross|limit|duration|cpm/i;
  const own = element => `${element.id} ${element.className} ${element.getAttribute('aria-label') || ''} ` +
    `${element.dataset ? Object.values(element.dataset).join(' ') : ''}`;
  function numbers(text) {
    return Array.from(text.matchAll(NUMBER), match => ({ text: match[0], at: match.index, end: match.index + match[0].length }));
  }
  function clockText(text) {
    const match = /(\d+):(\d\d)(?:\.\d+)?/.exec(text);
    return match ? Number(match[1]) * 60 + Number(match[2]) : null;
  }
  function value(found) {
    const number = Number(found);
    return Number.isFinite(number) ? number : found;
  }
  // The number that belongs to a label within one text.
  function nearLabel(text, label) {
    const match = label.exec(text);
    const list = numbers(text);
    if (!match || !list.length) return null;
    const end = match.index + match[0].length;
    const after = list.find(each => each.at >= end);
    const before = list.filter(each => each.end <= match.index).pop();
    const first = list[0].at < text.search(/[a-z]/i);
    if (before && first) return before.text;
    if (after && (/^[^a-z0-9]*$/i.test(text.slice(end, after.at)) || !before)) return after.text;
    return before ? before.text : after ? after.text : null;
  }
  function reading(kind) {
    const label = LABELS[kind];
    const skip = passageElement();
    const all = Array.from(document.body.querySelectorAll('*')).filter(each =>
      !each.matches('script,style,button,select,option') && visible(each) && !(skip && skip.contains(each)) &&
      squeeze(each.innerText || '').length <= 200);
    const get = each => squeeze(each.matches('input,output') && each.value !== undefined ? each.value : each.innerText);
    if (kind === 'time') {
      const clock = all.find(each => !each.children.length && clockText(get(each)) !== null);
      if (clock) return clockText(get(clock));
    }
    // By the name that its author gave it, then by the words beside it; the innermost element counts.
    const named = all.filter(each => label.test(own(each)) && !OTHER.test(own(each)) && numbers(get(each)).length === 1 &&
      get(each).length <= 40);
    const inner = named.filter(each => !named.some(other => other !== each && each.contains(other)));
    const exact = inner.find(each => new RegExp(`\\b${kind}\\b`, 'i').test(own(each))) || inner[0];
    if (exact) return value(numbers(get(exact))[0].text);
    const beside = all.filter(each => label.test(get(each)) && numbers(get(each)).length);
    const nearest = beside.filter(each => !beside.some(other => other !== each && each.contains(other)));
    const chosen = nearest.find(each => !OTHER.test(get(each))) || nearest[0];
    return chosen ? value(nearLabel(get(chosen), label)) : null;
  }
  function state() {
    const input = inputElement();
    return { wpm: reading('wpm'), accuracy: reading('accuracy'), time: reading('time'),
             typed: input ? (input.value !== undefined ? input.value : input.innerText) : null };
  }
  const startButton = () => first({ role: 'button', name: '^\\W*(start|begin|go)\\b', text: false });
  const isFocused = () => {
    const input = inputElement();
    return !input || document.activeElement === input;
  };
  probe.typing = { passage, marks, inputLook, state, isFocused,
                   hasInput: () => !!inputElement(), hasStart: () => !!startButton() };
})();
