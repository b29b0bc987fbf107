// Quickstart: two panes, Alice and Bob, each a real connection to the gateway. Without this script the panes are forms.
(() => {
  "use strict";
  const SDK = "console";
  const CONVERSATION = "quickstart";
  const RETRY_MS = [1000, 2000, 5000];
  // The page has one token: after its end (4101) or revocation (4102) only a new page helps. From 4400 on, a close says so
  // itself: do not come back.
  const isFinal = (code) => code === 4101 || code === 4102 || (code >= 4400 && code < 4500);
  const panes = [...document.querySelectorAll("[data-pane]")];
  const steps = document.getElementById("checkpoints");

  const make = (name, text, className) => Object.assign(document.createElement(name), { textContent: text, className });

  class Pane {
    constructor(root) {
      this.root = root;
      this.user = root.dataset.pane;
      this.log = root.querySelector("[data-log]");
      this.form = root.querySelector("form");
      this.input = root.querySelector("input[name=text]");
      this.head = [Number(root.dataset.epoch), Number(root.dataset.seq)];
      this.waiting = new Map();
      this.last = 0;
      this.tries = 0;
      this.log.parentElement.scrollTop = this.log.scrollHeight;
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.say(this.input.value.trim());
      });
    }

    show(state) {
      for (const sentence of this.root.querySelectorAll("[data-when]")) sentence.hidden = sentence.dataset.when !== state;
    }

    call(command, fields) {
      return new Promise((resolve, reject) => {
        if (this.socket.readyState !== WebSocket.OPEN) return reject({ code: "closed" });
        this.waiting.set(++this.last, { resolve, reject });
        this.socket.send(JSON.stringify({ id: this.last, [command]: fields }));
      });
    }

    // Resolves once connected; what fails later is tried again by itself.
    connect() {
      return new Promise((ready) => {
        this.show("connecting");
        this.socket = new WebSocket(this.root.dataset.url, "tokenim.v1.json");
        this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
        this.socket.onclose = ({ code }) => this.closed(code);
        this.socket.onopen = async () => {
          const heads = this.head[1] ? { [CONVERSATION]: this.head } : {};
          const reply = await this.call("connect", { token: this.root.dataset.token, sdk: SDK, heads }).catch(() => null);
          if (!reply) return;
          this.tries = 0;
          this.show("connected");
          ready();
        };
      });
    }

    closed(code) {
      for (const { reject } of this.waiting.values()) reject({ code: "closed" });
      this.waiting.clear();
      this.isOver = isFinal(code);
      this.show(this.isOver ? "refused" : "connecting");
      for (const field of this.form.elements) field.disabled = this.isOver;
      if (!this.isOver) setTimeout(() => this.connect(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    }

    receive({ id, ok, error, push }) {
      const call = this.waiting.get(id);
      this.waiting.delete(id);
      if (ok) call?.resolve(ok);
      if (error) call?.reject(error);
      if (!push) return;
      if (push.type === "ping") this.socket.send('{"pong":{}}');
      if (push.conversation !== CONVERSATION || !push.seq || push.seq <= this.head[1]) return;
      this.head = [push.epoch, push.seq];
      if (push.type !== "message") return;
      this.add(push.sender, push.body?.text ?? JSON.stringify(push.body), push.seq);
      this.call("received", { conversation: CONVERSATION, seq: push.seq }).catch(() => {});
    }

    add(sender, text, seq) {
      const item = make("li", "", sender === this.user ? "said own" : "said");
      item.append(make("span", sender, "said-by"), make("span", text, "said-text"));
      if (seq) item.append(make("span", `#${seq}`, "said-seq"));
      this.log.append(item);
      this.log.parentElement.scrollTop = this.log.scrollHeight;
      if (seq) refresh();
      return item;
    }

    // A message that was not acknowledged is sent again under its id, so it is stored once.
    async say(text, item = null, id = crypto.randomUUID()) {
      if (!text) return;
      this.input.value = "";
      const shown = item ?? this.add(this.user, text, 0);
      try {
        const ack = await this.call("send", { conversation: CONVERSATION, client_msg_id: id, kind: "text", body: { text } });
        this.head = [ack.epoch, Math.max(this.head[1], ack.seq)];
        shown.append(make("span", `#${ack.seq}`, "said-seq"));
        refresh();
      } catch (error) {
        if (this.isOver) shown.append(make("span", this.root.dataset.unsent, "said-seq"));
        else if (error.code === "closed" || error.retryable) setTimeout(() => this.say(text, shown, id), error.retry_after_ms ?? RETRY_MS[0]);
        else shown.append(make("span", `${error.code}: ${error.message}`, "said-seq"));
      }
    }
  }

  const refresh = () => steps && htmx.trigger(steps, "refresh");

  async function start() {
    const [alice, bob] = panes.map((root) => new Pane(root));
    if (!alice || !bob) return;
    await alice.connect();
    await alice.call("conversation.create", { kind: "group", id: CONVERSATION, members: ["bob"] }).catch(() => {});
    await bob.connect();
    refresh();
  }

  start();
})();
