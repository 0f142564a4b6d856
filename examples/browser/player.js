// Plays a stream in a <video>: with hls.js, with the browser's own HLS, or not at all.
const RETRY_MS = 1500;

// Two segments behind: about 2.5 s from camera to eye. No worker, so that the page needs no blob: in script-src.
const OPTIONS = { enableWorker: false, liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 6, backBufferLength: 10 };

export class Player {
  /**
   * @param {HTMLVideoElement} video
   * @param {function} findAddress - promises the address to play from; asked again whenever playing fails
   * @param {function} failed - called when this browser cannot play at all
   */
  constructor(video, findAddress, failed) {
    Object.assign(this, { video, findAddress, failed, isOver: false });
    this.begin();
  }

  async begin() {
    try {
      const address = await this.findAddress();
      if (!this.isOver) this.play(address);
    } catch (error) {
      this.later();
    }
  }

  play(address) {
    const { video } = this;
    const { Hls } = globalThis;
    if (address && Hls && Hls.isSupported()) this.playWith(Hls, address);
    else if (address && video.canPlayType('application/vnd.apple.mpegurl')) {
      video.onerror = () => this.later();
      video.src = address;
    } else this.failed();
  }

  playWith(Hls, address) {
    this.hls = new Hls(OPTIONS);
    this.hls.on(Hls.Events.ERROR, (event, { fatal, type }) => {
      if (!fatal) return;
      if (type === Hls.ErrorTypes.MEDIA_ERROR) this.hls.recoverMediaError();
      else this.later();
    });
    this.hls.loadSource(address);
    this.hls.attachMedia(this.video);
  }

  /** The first segment is a second away, or the address is used up: ask again. */
  later() {
    this.end();
    this.isOver = false;
    this.timer = setTimeout(() => this.begin(), RETRY_MS);
  }

  end() {
    this.isOver = true;
    clearTimeout(this.timer);
    if (this.hls) this.hls.destroy();
    this.hls = undefined;
    this.video.removeAttribute('src');
  }
}
