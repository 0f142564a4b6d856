/** The dialog in which staff watch one stream. It goes with the stream. */

import { post } from "./forms.js";
import { Player } from "./player.js";

export class Preview {
  /** @param {HTMLDialogElement} box. @param {string} watchUrl where addresses are asked for */
  constructor(box, watchUrl) {
    Object.assign(this, { box, watchUrl });
    box.addEventListener("close", () => this.close());
    box.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-do]");
      if (!button) return;
      const { stream } = this;
      box.close();
      box.dispatchEvent(new CustomEvent("act", { detail: { act: button.dataset.do, stream } }));
    });
  }

  /**
   * @param {{id: string, kind: string, videoOff: boolean}} stream
   * @param {string} title who is seen
   */
  open(stream, title, watchUrl = this.watchUrl) {
    this.close();
    this.stream = stream;
    this.box.querySelector("[data-title]").textContent = title;
    const place = this.box.querySelector("[data-place]");
    place.replaceChildren(document.getElementById("player").content.cloneNode(true));
    const addresses = () => post(watchUrl, { stream: stream.id });
    this.player = new Player(place.firstElementChild, addresses, { audioOnly: stream.kind === "audio" || stream.videoOff });
    if (!this.box.open) this.box.showModal();
    this.player.start();
  }

  /** The streams that there are: when the one that is watched is not among them any more, it is over. */
  follow(streams) {
    if (this.player && !streams.has(this.stream.id)) this.player.end();
  }

  close() {
    this.player?.stop();
    this.player = null;
  }
}
