// The stream of events, and whether the agent is there at all.

const KINDS = ['snapshot', 'change', 'decision', 'gap', 'status', 'rtts', 'end'];
/** A status comes each second. When nothing came for so long, the agent is lost even if nobody said so. */
const SILENCE_MS = 6000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 5000;

/**
 * Follows `/v1/watch`. `onEvent` takes a kind and its data, and says `false` when everything is needed
 * anew. `onPhase` takes `connecting`, `live`, `lost` or `ended`. `onRestart` is called when the agent that is heard is not the process
 * that it was before.
 */
export class Feed {
  #source = null;
  #phase = 'connecting';
  #heardAt = Date.now();
  #retryMs = FIRST_RETRY_MS;
  #retry = null;
  #onEvent;
  #epoch = null;
  #onPhase;
  #onRestart;

  constructor(onEvent, onPhase, onRestart) {
    this.#onEvent = onEvent;
    this.#onPhase = onPhase;
    this.#onRestart = onRestart;
    setInterval(() => this.#listen(), 1000);
  }

  /** Connects anew, without resuming. */
  connect() {
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#source?.close();
    this.#heardAt = Date.now();
    const source = new EventSource('/v1/watch');
    this.#source = source;
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#take(source, kind, event));
    source.onerror = () => this.#fail(source);
  }

  #take(source, kind, event) {
    if (source !== this.#source) return;
    this.#heardAt = Date.now();
    this.#retryMs = FIRST_RETRY_MS;
    this.#enter(kind === 'end' ? 'ended' : 'live');
    this.#compareEpoch(event.lastEventId);
    if (this.#onEvent(kind, JSON.parse(event.data)) === false) this.connect();
  }

  /** The first half of an id is that of the process. */
  #compareEpoch(id) {
    if (id === '') return;
    const [epoch] = id.split('-');
    if (this.#epoch !== null && this.#epoch !== epoch) this.#onRestart();
    this.#epoch = epoch;
  }

  /** The browser tries again by itself and resumes, except after an answer that is no stream. */
  #fail(source) {
    if (source !== this.#source) return;
    if (this.#phase !== 'ended') this.#enter('lost');
    if (source.readyState === EventSource.CLOSED) this.#connectLater();
  }

  #connectLater() {
    if (this.#retry !== null) return;
    this.#retry = setTimeout(() => this.connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  #listen() {
    if (Date.now() - this.#heardAt < SILENCE_MS || this.#retry !== null) return;
    if (this.#phase !== 'ended') this.#enter('lost');
    this.connect();
  }

  #enter(phase) {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#onPhase(phase);
  }
}
