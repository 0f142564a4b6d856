// Plays a stream in a <video>: FLV with mpegts.js where the server offers it, which is two seconds earlier; else HLS
// with hls.js or the browser's own, or not at all.
const RETRY_MS = 1500;

// Two segments behind: about 2.5 s from camera to eye. No worker, so that the page needs no blob: in script-src.
const HLS_OPTIONS = { enableWorker: false, liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 6, backBufferLength: 10 };
const FLV_OPTIONS = { enableStashBuffer: false, liveBufferLatencyChasing: true, lazyLoad: false };

export class Player {
  /**
   * @param {HTMLVideoElement} video
   * @param {function} findAddresses - promises {hls, flv}, of which one may be missing; asked again whenever playing fails
   * @param {function} failed - called when this browser cannot play at all
   */
  constructor(video, findAddresses, failed) {
    Object.assign(this, { video, findAddresses, failed, isOver: false, isFlvVain: false });
    this.begin();
  }

  async begin() {
    try {
      const addresses = await this.findAddresses();
      if (!this.isOver) this.play(addresses);
    } catch (error) {
      if (!this.isOver) this.later();
    }
  }

  play({ hls, flv }) {
    const { video } = this;
    const { Hls, mpegts } = globalThis;
    if (flv && !(hls && this.isFlvVain) && mpegts && mpegts.isSupported()) this.playFlv(mpegts, flv);
    else if (hls && Hls && Hls.isSupported()) this.playHls(Hls, hls);
    else if (hls && video.canPlayType('application/vnd.apple.mpegurl')) {
      video.onerror = () => this.later();
      video.src = hls;
    } else this.failed();
  }

  playFlv(mpegts, url) {
    const over = () => {
      this.isFlvVain = !this.video.currentTime; // nothing ever came that way: HLS may
      this.later();
    };
    this.engine = mpegts.createPlayer({ type: 'flv', isLive: true, url }, FLV_OPTIONS);
    this.engine.on(mpegts.Events.ERROR, over);
    this.engine.on(mpegts.Events.LOADING_COMPLETE, over);
    this.engine.attachMediaElement(this.video);
    this.engine.load();
  }

  playHls(Hls, url) {
    this.engine = new Hls(HLS_OPTIONS);
    this.engine.on(Hls.Events.ERROR, (event, { fatal, type }) => {
      if (!fatal) return;
      if (type === Hls.ErrorTypes.MEDIA_ERROR) this.engine.recoverMediaError();
      else this.later();
    });
    this.engine.loadSource(url);
    this.engine.attachMedia(this.video);
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
    if (this.engine) this.engine.destroy();
    this.engine = undefined;
    this.video.removeAttribute('src');
  }
}
