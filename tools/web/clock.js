// Stepped time and seeded chance for a page under test, so that the same app behaves the same twice.
// Installed before any script of the page. Time stands still until advance() is called; then timers
// and animation frames run in the order of their due times, as fast as the machine can.
function (config) {
  'use strict';
  if (Object.prototype.hasOwnProperty.call(window, config.key)) return;
  const frameMs = 1000 / 60;
  const rounding = 1e-6;  // Of times that are sums of thirds.
  const callbacksMax = 200000;  // Of one advance(); more is a page that keeps itself busy.
  const consoleBytesMax = 200000;
  const textBytesMax = 2000;  // Of one console message.
  const RealDate = Date;
  const realNow = performance.now.bind(performance);
  const RealPromise = Promise;
  const channel = new MessageChannel();
  const waiting = [];
  channel.port1.onmessage = () => waiting.shift()();
  // Ends the current task, so that promises and messages of the page get their turn.
  const hop = () => new RealPromise(resolve => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  });

  let now = 0;
  let lastId = 0;
  let depth = 0;  // Of timers that set timers.
  let longestMs = 0;
  let lastFrame = 0;  // Frames are due at multiples of frameMs.
  const timers = new Map();
  let frames = new Map();

  function call(handler, args) {
    const begin = realNow();
    try {
      handler.apply(window, args);
    } catch (error) {
      window.reportError(error);
    }
    longestMs = Math.max(longestMs, realNow() - begin);
  }
  function add(handler, delay, args, every) {
    if (typeof handler !== 'function') {
      const code = String(handler);
      handler = () => (0, eval)(code);
    }
    let wait = Number(delay);
    if (!(wait >= 1)) wait = 1;
    if (depth >= 5 && wait < 4) wait = 4;
    if (wait > 0x7fffffff) wait = 1;
    lastId += 1;
    timers.set(lastId, { due: now + wait, wait, handler, args, every, depth: depth + 1 });
    return lastId;
  }
  window.setTimeout = function setTimeout(handler, delay, ...args) {
    return add(handler, delay, args, false);
  };
  window.setInterval = function setInterval(handler, delay, ...args) {
    return add(handler, delay, args, true);
  };
  window.clearTimeout = function clearTimeout(id) { timers.delete(Number(id)); };
  window.clearInterval = function clearInterval(id) { timers.delete(Number(id)); };
  window.requestAnimationFrame = function requestAnimationFrame(handler) {
    lastId += 1;
    frames.set(lastId, handler);
    return lastId;
  };
  window.cancelAnimationFrame = function cancelAnimationFrame(id) { frames.delete(id); };
  window.requestIdleCallback = function requestIdleCallback(handler) {
    return add(() => handler({ didTimeout: false, timeRemaining: () => 40 }), 1, [], false);
  };
  window.cancelIdleCallback = function cancelIdleCallback(id) { timers.delete(id); };

  const today = () => Math.floor(config.epoch_ms + now);
  function SteppedDate(...args) {
    if (!new.target) return new RealDate(today()).toString();
    return Reflect.construct(RealDate, args.length ? args : [today()], new.target);
  }
  SteppedDate.prototype = RealDate.prototype;
  RealDate.prototype.constructor = SteppedDate;
  Object.defineProperty(SteppedDate, 'name', { value: 'Date' });
  SteppedDate.now = today;
  SteppedDate.parse = RealDate.parse;
  SteppedDate.UTC = RealDate.UTC;
  window.Date = SteppedDate;
  Performance.prototype.now = () => now;
  Object.defineProperty(Performance.prototype, 'timeOrigin', { get: () => config.epoch_ms });
  const stamps = new WeakMap();
  Object.defineProperty(Event.prototype, 'timeStamp', {
    configurable: true,
    get() {
      if (!stamps.has(this)) stamps.set(this, now);
      return stamps.get(this);
    },
  });

  // mulberry32; the page sees one sequence per seed.
  let state = (config.seed * 2654435769) >>> 0;
  function draw() {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  Math.random = () => draw() / 4294967296;
  Crypto.prototype.getRandomValues = function getRandomValues(array) {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let i = 0; i < bytes.length; i++) bytes[i] = draw() & 255;
    return array;
  };
  Crypto.prototype.randomUUID = function randomUUID() {
    const hex = n => Array.from({ length: n }, () => (draw() & 15).toString(16)).join('');
    return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
  };

  // Told to the probe, which must not make a context itself: a canvas has the first one for good.
  const tell = (canvas, kind) => {
    if (canvas instanceof HTMLCanvasElement && !canvas.hasAttribute('data-levin-context')) {
      canvas.setAttribute('data-levin-context', kind);
    }
  };
  const makeContext = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function getContext(kind, ...rest) {
    const context = makeContext.call(this, kind, ...rest);
    if (context) tell(this, String(kind));
    return context;
  };
  const handOver = HTMLCanvasElement.prototype.transferControlToOffscreen;
  HTMLCanvasElement.prototype.transferControlToOffscreen = function transferControlToOffscreen() {
    tell(this, 'offscreen');
    return handOver.call(this);
  };

  // A page that floods the console costs nobody memory; the first lines are kept.
  let consoleBytes = 0;
  let flooded = false;
  for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table', 'assert']) {
    const write = console[level].bind(console);
    console[level] = (...args) => {
      if (flooded) return;
      const short = args.map(value =>
        typeof value === 'string' && value.length > textBytesMax
          ? value.slice(0, textBytesMax) + '...' : value);
      for (const value of args) consoleBytes += typeof value === 'string' ? value.length : 20;
      if (level === 'assert' && args[0]) return;
      write(...short);
      if (consoleBytes > consoleBytesMax) {
        flooded = true;
        write(config.flood_mark);
      }
    };
  }

  // CSS animations and transitions follow the stepped time too.
  function animate(ms) {
    for (const animation of document.getAnimations()) {
      const timing = animation.effect && animation.effect.getComputedTiming();
      const end = timing ? timing.endTime : 0;
      const at = Number(animation.currentTime || 0) + ms;
      if (animation.playState === 'running') animation.pause();
      if (at >= end && end !== Infinity) animation.finish();
      else animation.currentTime = at;
    }
  }
  function nextTimer() {
    let best = null;
    for (const [id, timer] of timers) {
      if (best === null || timer.due < best.timer.due) best = { id, timer };
    }
    return best;
  }
  function nextFrame() {
    if (!frames.size) return Infinity;
    return Math.max(lastFrame + 1, Math.ceil(now / frameMs - rounding)) * frameMs;
  }
  function runFrame(at) {
    now = Math.max(now, at);
    lastFrame = Math.round(at / frameMs);
    const due = frames;
    frames = new Map();
    for (const handler of due.values()) call(handler, [now]);
  }
  function runTimer({ id, timer }) {
    now = Math.max(now, timer.due);
    if (timer.every) timer.due = now + timer.wait;
    else timers.delete(id);
    depth = timer.depth;
    call(timer.handler, timer.args);
    depth = 0;
  }
  async function advance(ms) {
    const end = now + ms;
    let count = 0;
    let animated = now;
    longestMs = 0;
    await hop();
    for (; count < callbacksMax; count++) {
      const timer = nextTimer();
      const frameAt = nextFrame();
      const timerAt = timer ? timer.timer.due : Infinity;
      if (Math.min(frameAt, timerAt) > end + rounding) break;
      if (frameAt <= timerAt) runFrame(frameAt);
      else runTimer(timer);
      await hop();
      if (now - animated >= frameMs) {
        animate(now - animated);
        animated = now;
      }
    }
    now = Math.max(now, end);
    if (now > animated) animate(now - animated);
    await hop();
    return { now, longest_ms: longestMs, busy: count >= callbacksMax,
             pending: timers.size + frames.size };
  }
  Object.defineProperty(window, config.key, { value: { advance, now: () => now } });
}
