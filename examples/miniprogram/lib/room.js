// What a room page shows, made of the SDK's callbacks. Knows no page: `show(view)` is its only way out.

const MAX_TILES = 9;

class Room {
  /**
   * @param {object} mgr - emedia.mgr
   * @param {object} texts - of lib/texts.js
   * @param {function} show - gets what has changed, some changes at a time
   */
  constructor(mgr, texts, show) {
    Object.assign(this, { mgr, texts, show, stops: [], changes: null });
    this.tiles = []; // {id, name, src, voff, aoff}; without src they wait for a place or for an address
    this.hands = []; // {memberId, name, agree, refuse}
    this.over = false;
  }

  listen() {
    const handlers = {
      onMemberJoined: () => this.membersChanged(),
      onMemberChanged: () => this.membersChanged(),
      onMemberExited: (member) => this.memberExited(member),
      onStreamAdded: (stream) => this.streamAdded(stream),
      onStreamRemoved: (stream) => this.streamRemoved(stream),
      onMediaChanaged: (stream, { voff, aoff }) => this.updateTile(stream.id, { voff, aoff }),
      onRoleChanged: (role) => this.roleChanged(role),
      onRequestToTalker: (who, agree, refuse) => this.handRaised(who, agree, refuse),
      onRequestToTalkerReply: (result) => this.put({ handRaised: false, handRefused: result === 1 }),
      onMuteAll: () => this.put({ muteAll: true, notice: 'muteAll' }),
      onUnMuteAll: () => this.put({ muteAll: false, notice: '' }),
      onMuted: () => this.put({ muted: true, notice: 'muted' }),
      onUnmuted: () => this.put({ muted: false, notice: '' }),
      onReconnecting: () => this.put({ notice: 'network' }),
      onReconnect: () => this.put({ notice: '' }),
      onConferenceExit: (reason, failed) => this.ended(reason, failed),
    };
    this.stops = Object.keys(handlers).map((name) => this.mgr.on(name, handlers[name]));
  }

  stop() {
    this.over = true;
    this.stops.forEach((stop) => stop());
  }

  /** Collect what changes in one go: a full room that is entered is drawn once. */
  put(changes) {
    const isFirst = !this.changes;
    this.changes = { ...this.changes, ...changes };
    if (!isFirst) return;
    setTimeout(() => {
      const collected = this.changes;
      this.changes = null;
      if (!this.over || collected.ended) this.show(collected);
    });
  }

  // Members

  membersChanged() {
    const { roleNames, you } = this.texts;
    const members = this.mgr.getMembers().map(({ id, name, nickName, role, isSelf }) => ({
      id,
      name,
      label: (nickName || name) + (isSelf ? ` (${you})` : ''),
      role,
      roleName: roleNames[role],
      isSelf: Boolean(isSelf),
    }));
    this.put({ members });
  }

  memberExited(member) {
    this.hands = this.hands.filter((hand) => hand.memberId !== member.id);
    this.handsChanged();
    try {
      this.membersChanged();
    } catch (outside) {
      this.put({ members: [] }); // it was oneself
    }
  }

  roleChanged(role) {
    this.put({ role, isAdmin: role === this.mgr.Role.ADMIN, canTalk: role >= this.mgr.Role.TALKER });
    this.membersChanged();
  }

  // Hands

  handRaised(who, agree, refuse) {
    const others = this.hands.filter((hand) => hand.memberId !== who.memberId);
    this.hands = others.concat({ memberId: who.memberId, name: who.nickName || who.name, agree, refuse });
    this.handsChanged();
  }

  /** Answer a raised hand. Rejects when the seats of talkers are taken. */
  async answerHand(memberId, yes) {
    const hand = this.hands.find((each) => each.memberId === memberId);
    if (!hand) return;
    if (yes) await hand.agree(memberId);
    else hand.refuse(memberId);
    this.hands = this.hands.filter((each) => each !== hand);
    this.handsChanged();
  }

  handsChanged() {
    this.put({ hands: this.hands.map(({ memberId, name }) => ({ memberId, name })) });
  }

  // Tiles

  streamAdded({ id, voff, aoff, owner }) {
    if (this.tiles.some((tile) => tile.id === id)) return;
    this.tiles.push({ id, name: owner.nickName || owner.name, src: '', voff, aoff });
    this.fillPlaces();
  }

  streamRemoved({ id }) {
    this.tiles = this.tiles.filter((tile) => tile.id !== id);
    this.fillPlaces();
  }

  updateTile(id, changes) {
    const tile = this.tiles.find((each) => each.id === id);
    if (!tile) return;
    Object.assign(tile, changes);
    this.tilesChanged();
  }

  /** Ask for the addresses of those who have a place and no address yet. */
  fillPlaces() {
    this.tiles.slice(0, MAX_TILES).forEach((tile) => tile.src || tile.asked || this.findAddress(tile.id));
    this.tilesChanged();
  }

  /** Get an address to play from, also in place of one that has stopped working. */
  async findAddress(id) {
    const tile = this.tiles.find((each) => each.id === id);
    if (!tile || tile.asked) return;
    tile.asked = true;
    try {
      const { data } = await this.mgr.subStream(id);
      this.updateTile(id, { src: data.rtmp, failed: false, asked: false });
    } catch (error) {
      this.updateTile(id, { src: '', failed: true, asked: false });
    }
  }

  tilesChanged() {
    const tiles = this.tiles.slice(0, MAX_TILES).map(({ id, name, src, voff, aoff, failed }) => ({
      id,
      name,
      src,
      voff,
      aoff,
      failed: Boolean(failed),
    }));
    this.put({ tiles, hidden: this.tiles.length - tiles.length });
  }

  // The end

  ended(reason, failed) {
    const text = this.texts.ends[reason] || this.texts.ends[4];
    this.tiles = [];
    this.hands = [];
    this.put({ ended: { reason, text, failed: failed || 0 }, tiles: [], hidden: 0, members: [], hands: [], notice: '' });
    this.stop();
  }
}

module.exports = { MAX_TILES, Room };
