/** What staff do: posted, pending until what the page is told confirms it, and said when it is not. */

import { post } from "./forms.js";
import { fill, texts } from "./texts.js";
import { refuse, toast } from "./toasts.js";

const PATIENCE_MS = 5000;

export class Acts {
  /**
   * @param {(act: string, where: object) => string} address that an act is posted to
   * @param {(asked: object) => boolean} isDone whether an answered act has come true
   * @param {() => void} changed called when something began or ceased to be pending
   */
  constructor(address, isDone, changed) {
    Object.assign(this, { address, isDone, changed });
    this.pending = new Set();
  }

  /** What waits to be confirmed: names of members, ids of streams, and acts on the whole room. */
  get names() {
    return new Set([...this.pending].flatMap(({ act, body }) => body.names ?? [body.stream ?? act]));
  }

  /**
   * Do one act.
   * @param {object} asked what `isDone` needs to know besides: `where`, and how things stood
   * @returns {Promise<object | null>} the server's answer, null when it refused
   */
  async run(act, body, asked = {}) {
    Object.assign(asked, { act, body, answer: null });
    asked.clock = setTimeout(() => this.giveUp(asked), PATIENCE_MS);
    this.pending.add(asked);
    this.changed();
    try {
      asked.answer = await post(this.address(act, asked.where), body);
    } catch (error) {
      this.settle(asked);
      refuse(error);
      return null;
    }
    this.check();
    return asked.answer;
  }

  /** Look what has come true: whenever the page was told something. */
  check() {
    for (const asked of this.pending) if (asked.answer && this.isDone(asked)) this.settle(asked);
  }

  settle(asked) {
    clearTimeout(asked.clock);
    if (this.pending.delete(asked)) this.changed();
  }

  giveUp(asked) {
    this.settle(asked);
    toast(fill(texts.unconfirmed, { act: texts.acts[asked.act] }), "warning");
  }
}
