// Fields of forms and items of lists: what belongs in a field, which button sends it, which control
// belongs to an item.
(() => {
  'use strict';
  const { visible, name, squeeze, ROLES, first } = probe;
  // What a person would enter, by the type, name and label of a field.
  function valueFor(field) {
    const hint = `${field.type} ${field.name} ${field.id} ${name(field)} ${field.placeholder || ''}`.toLowerCase();
    if (/mail/.test(hint)) return { kind: 'email', value: 'ada@example.org' };
    if (/password|passwort/.test(hint)) return { kind: 'password', value: 'Str0ng!Passw0rd' };
    if (field.type === 'date') return { kind: 'date', value: '2000-01-02' };
    if (/phone|tel\b|mobile/.test(hint)) return { kind: 'text', value: '5551234567' };
    if (/url|website|homepage/.test(hint)) return { kind: 'text', value: 'https://example.org' };
    if (/zip|postal/.test(hint)) return { kind: 'text', value: '12345' };
    if (/\bage\b/.test(hint)) return { kind: 'text', value: '30' };
    if (field.type === 'number') {
      return { kind: 'text', value: String(field.min !== '' ? Number(field.min) : 5) };
    }
    if (/user ?name|login|nick/.test(hint)) return { kind: 'text', value: 'adalovelace' };
    if (/message|comment|feedback|about|bio/.test(hint) || field.tagName === 'TEXTAREA') {
      return { kind: 'text', value: 'This is a message of more than twenty letters.' };
    }
    return { kind: 'text', value: 'Ada Lovelace' };
  }
  function fields() {
    const all = Array.from(document.querySelectorAll(`${ROLES.textbox},input[type=date]`));
    return all.map((field, index) => ({ index, field })).filter(each => visible(each.field) && !each.field.disabled && !each.field.readOnly)
      .map(({ index, field }) => {
        field.setAttribute('data-levin-field', index);
        return { target: `[data-levin-field="${index}"]`, filled: !!field.value, ...valueFor(field) };
      });
  }
  // Boxes to tick and lists to choose from; one of each group of radio buttons.
  function choices() {
    const seen = new Set();
    const list = [];
    document.querySelectorAll('input[type=checkbox],input[type=radio],select').forEach((each, index) => {
      if (each.disabled || !(visible(each) || (each.labels && each.labels[0] && visible(each.labels[0])))) return;
      if (each.type === 'radio') {
        if (seen.has(each.name) || document.querySelector(`input[type=radio][name="${each.name}"]:checked`)) return;
        seen.add(each.name);
      }
      if (each.checked) return;
      each.setAttribute('data-levin-choice', index);
      list.push({ target: `[data-levin-choice="${index}"]`, select: each.tagName === 'SELECT' && !each.value });
    });
    return list.filter(each => each.select || !document.querySelector(each.target).matches('select'));
  }
  function sendButton() {
    const all = Array.from(document.querySelectorAll(ROLES.button));
    const list = all.filter(visible);
    const found = list.find(each => each.type === 'submit' && each.form) ||
      list.find(each => /submit|send|register|sign ?up|create|save|join|subscribe|log ?in|continue/i.test(name(each))) || list[0];
    if (!found) return null;
    found.setAttribute('data-levin-send', '');
    return '[data-levin-send]';
  }
  // Somewhere it is said that a value is missing or wrong: by the browser or by the page.
  function complains() {
    if (document.querySelector('input:invalid,select:invalid,textarea:invalid,[aria-invalid=true]')) return true;
    if (Array.from(document.querySelectorAll('.error,.invalid,.is-invalid,[role=alert]')).some(each => visible(each) && squeeze(each.innerText))) return true;
    return /required|invalid|must|please|enter a|not valid|at least|cannot be|can't be|missing/i.test(document.body.innerText);
  }
  // The element that shows one item: the smallest one with its text and a control, else with its text.
  function item(text) {
    const all = Array.from(document.querySelectorAll('body *')).filter(each => visible(each) && !each.matches('script,style,input,textarea') &&
      squeeze(each.innerText).includes(text));
    const inner = all.filter(each => !all.some(other => other !== each && each.contains(other)))[0];
    if (!inner) return null;
    for (let at = inner; at && at !== document.body; at = at.parentElement) {
      if (at.matches('li,tr') || at.querySelector('input[type=checkbox],button,[role=button]')) return { inner, whole: at };
    }
    return { inner, whole: inner };
  }
  function tag(element, label) {
    document.querySelectorAll(`[data-levin-${label}]`).forEach(each => each.removeAttribute(`data-levin-${label}`));
    element.setAttribute(`data-levin-${label}`, '');
    return `[data-levin-${label}]`;
  }
  function completeControl(text) {
    const found = item(text);
    if (!found) return null;
    const box = Array.from(found.whole.querySelectorAll(ROLES.checkbox)).find(visible);
    if (box) return tag(box, 'done');
    const button = Array.from(found.whole.querySelectorAll(ROLES.button)).find(each => visible(each) && /done|complete|finish|check|✓|✔|toggle|mark/i.test(name(each)));
    return tag(button || found.inner, 'done');
  }
  function removeControl(text) {
    const found = item(text);
    if (!found) return null;
    const list = Array.from(found.whole.querySelectorAll(ROLES.button + ',a,span,i')).filter(visible);
    const named = list.find(each => /delete|remove|clear|trash|×|✕|✖|✗|❌|🗑|^x$/i.test(name(each)));
    const button = named || list.filter(each => each.matches(ROLES.button)).pop();
    return button ? tag(button, 'remove') : null;
  }
  probe.form = { fields, choices, sendButton, complains, completeControl, removeControl };
})();
