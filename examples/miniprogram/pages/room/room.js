// The room: one's own camera, the others' pictures, and who is there.
const { isAllowed, say } = require('../../lib/phone.js');
const { Room } = require('../../lib/room.js');
const { textsFor } = require('../../lib/texts.js');
const emedia = require('../../sdk/emedia.js');

const { mgr } = emedia;

// What <live-pusher> says: https://developers.weixin.qq.com/miniprogram/dev/component/live-pusher.html
const PUSHING = 1002;
const PUSHER_LOST = [-1307, -1308, -1311, 3004, 3005];
const PUSHER_REFUSED = [-1301, -1302]; // camera, microphone
const SUSPENDED = [5000, 5001]; // a phone call, another application

Page({
  data: {
    texts: textsFor('en'),
    confrId: '',
    password: '',
    elapsed: '00:00',
    role: 0,
    isAdmin: false,
    canTalk: false,
    pushUrl: '',
    mic: true,
    camera: true,
    muted: false,
    muteAll: false,
    tiles: [],
    hidden: 0,
    members: [],
    hands: [],
    showsPeople: false,
    handRaised: false,
    handRefused: false,
    notice: 'entering',
    ended: null,
  },

  onLoad() {
    const texts = textsFor(wx.getSystemInfoSync().language);
    this.setData({ texts });
    wx.setKeepScreenOn({ keepScreenOn: true });
    this.room = new Room(mgr, texts, (changes) => this.roomChanged(changes));
    this.room.listen();
    this.stopHearing = [
      mgr.on('onUnpublished', (rtcId) => this.unpublished(rtcId)),
      mgr.on('onPubVideoTooMuch', () => this.videosFull()),
    ];
    this.watchNetwork();
    return this.enter();
  },

  onHide() {
    this.isAway = true;
    if (this.rtcId && this.data.camera) mgr.pauseVideo(this.rtcId).catch(() => undefined); // no frozen face for others
  },

  onShow() {
    if (!this.isAway) return;
    this.isAway = false;
    if (this.data.notice === 'interrupted') this.publish();
    else if (this.rtcId && this.data.camera) mgr.resumeVideo(this.rtcId).catch(() => undefined);
  },

  onUnload() {
    this.isGone = true;
    clearInterval(this.clock);
    wx.setKeepScreenOn({ keepScreenOn: false });
    wx.offNetworkStatusChange(this.networkChanged);
    this.stopHearing.forEach((stop) => stop());
    this.room.stop();
    return mgr.exitConference();
  },

  // Entering

  async enter() {
    const wish = getApp().globalData.wish || {};
    try {
      const confr = await this.join(wish);
      this.setData({ confrId: confr.confrId, password: wish.password, notice: '' });
      this.startClock();
      this.room.roleChanged(confr.role); // whoever may talk goes on air: roomChanged
    } catch (error) {
      if (this.isGone) return;
      const ended = this.data.ended || { reason: mgr.ExitReason.REFUSED };
      this.setData({ notice: '', ended: { ...ended, text: error.message, failed: error.error } });
    }
  },

  join({ mode, name, password, role, nickName }) {
    if (mode === 'room') return mgr.joinRoom({ roomName: name, password, role, config: { nickName } });
    return mgr.joinConference(name, password, { nickName }, { role });
  },

  startClock() {
    const began = Date.now();
    this.clock = setInterval(() => {
      const seconds = Math.floor((Date.now() - began) / 1000);
      const two = (number) => String(number).padStart(2, '0');
      this.setData({ elapsed: two(Math.floor(seconds / 60)) + ':' + two(seconds % 60) });
    }, 1000);
  },

  watchNetwork() {
    this.networkChanged = ({ isConnected }) => {
      if (!isConnected) this.setData({ notice: 'offline' });
      else if (this.data.notice === 'offline') this.setData({ notice: '' });
    };
    wx.onNetworkStatusChange(this.networkChanged);
  },

  /** What the room model says, and what follows for one's own stream. */
  roomChanged(changes) {
    const mayNotSpeak = (changes.muted || changes.muteAll) && this.data.mic;
    const couldTalk = this.data.canTalk;
    this.setData(changes);
    if (changes.handRefused) say(this.data.texts.handRefused);
    if (mayNotSpeak) this.setMic(false);
    if (changes.ended) this.stopPushing();
    else if (changes.canTalk && !couldTalk) this.allowAndPublish();
    else if (changes.canTalk === false) this.stopPushing();
  },

  // One's own stream

  async allowAndPublish() {
    const [camera, microphone] = [await isAllowed('scope.camera'), await isAllowed('scope.record')];
    if (!microphone) {
      this.setData({ notice: 'permission' });
      return;
    }
    if (!camera) this.setData({ camera: false, notice: 'permission' });
    await this.publish();
  },

  /** The user was in WeChat's settings. */
  permissionsChanged() {
    this.setData({ notice: '' });
    return this.allowAndPublish();
  },

  /**
   * A new address each time: an old one may have been used up. Audio alone takes no seat of a video. A picture is not
   * declared: then one is heard at once where there is no seat, until onPubVideoTooMuch says so.
   */
  async publish() {
    const before = this.rtcId;
    this.kind = this.data.camera ? undefined : 'audio';
    this.rtcId = emedia.util.getRtcId();
    this.setData({ pushUrl: '' });
    try {
      if (before) await mgr.unpublish(before).catch(() => undefined);
      const { data } = await mgr.pubStream(this.rtcId, { kind: this.kind });
      this.setData({ pushUrl: data.rtmp, notice: this.data.notice === 'videosFull' ? 'videosFull' : '' });
    } catch (error) {
      say(error.message);
    }
  },

  stopPushing() {
    this.rtcId = undefined;
    this.setData({ pushUrl: '' });
  },

  pusherChanged(event) {
    const { code } = event.detail;
    const { camera, mic } = this.data;
    if (code === PUSHING && !(camera && mic)) this.tellWhatIsOff();
    else if (PUSHER_LOST.includes(code)) this.publish();
    else if (SUSPENDED.includes(code)) this.setData({ notice: 'interrupted', pushUrl: '' });
  },

  pusherFailed(event) {
    const isRefused = PUSHER_REFUSED.includes(event.detail.errCode);
    this.setData({ notice: isRefused ? 'permission' : 'unsupported' });
  },

  tellWhatIsOff() {
    const { camera, mic } = this.data;
    return mgr.streamControl(this.rtcId, { voff: camera ? 0 : 1, aoff: mic ? 0 : 1 }).catch((error) => say(error.message));
  },

  /** The server ended our stream, and it is not we who did. */
  unpublished(rtcId) {
    if (rtcId !== this.rtcId || !this.data.pushUrl) return;
    this.stopPushing();
    if (this.data.canTalk) this.setData({ notice: 'cut' });
  },

  videosFull() {
    this.setData({ camera: false, notice: 'videosFull' });
    this.publish();
  },

  toggleMic() {
    const { mic, muted, muteAll, isAdmin } = this.data;
    if (!mic && (muted || (muteAll && !isAdmin))) this.setData({ notice: muted ? 'muted' : 'muteAll' });
    else this.setMic(!mic);
  },

  setMic(mic) {
    this.setData({ mic });
    if (this.rtcId) this.tellWhatIsOff();
  },

  /** A stream that was declared as audio cannot show a picture: it is published anew. */
  toggleCamera() {
    const camera = !this.data.camera;
    this.setData({ camera });
    if (camera && this.kind === 'audio') this.publish();
    else if (this.rtcId) this.tellWhatIsOff();
  },

  flipCamera() {
    wx.createLivePusherContext(this).switchCamera({});
  },

  // The others

  playerLost(event) {
    this.room.findAddress(event.detail.id);
  },

  // People

  togglePeople() {
    this.setData({ showsPeople: !this.data.showsPeople });
  },

  raiseHand() {
    return this.try(async () => {
      await mgr.requestToTalker(this.data.confrId);
      this.setData({ handRaised: true, handRefused: false });
    });
  },

  answerHand({ detail }) {
    return this.try(() => this.room.answerHand(detail.memberId, detail.yes));
  },

  kick({ detail }) {
    return this.try(() => mgr.kickMembersById(this.data.confrId, [detail.name]));
  },

  grant({ detail }) {
    return this.try(() => mgr.grantRole(this.data.confrId, [detail.name], detail.role));
  },

  muteMember({ detail }) {
    const { confrId } = this.data;
    return this.try(() =>
      detail.on ? mgr.muteByMemberId(confrId, detail.id) : mgr.unmuteByMemberId(confrId, detail.id),
    );
  },

  muteEverybody({ detail }) {
    const { confrId } = this.data;
    return this.try(async () => {
      await (detail.on ? mgr.muteAll(confrId) : mgr.unmuteAll(confrId));
      this.setData({ muteAll: detail.on });
    });
  },

  /** Do it, or say why not. */
  async try(act) {
    try {
      await act();
    } catch (error) {
      say(error.message);
    }
  },

  share() {
    const { confrId, password, texts } = this.data;
    wx.setClipboardData({ data: [confrId, password].filter(Boolean).join(' '), success: () => say(texts.copied) });
  },

  // Going

  leave() {
    wx.navigateBack({});
  },

  endForAll() {
    return this.try(() => mgr.destroyConference(this.data.confrId));
  },
});
