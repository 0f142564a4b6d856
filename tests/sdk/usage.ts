// Code as users of the SDK write it, for the type checker; it is never run.
import emedia = require('../../static/sdk/emedia');

declare const console: { log(...values: unknown[]): void };

const { mgr } = emedia;

emedia.config({ host: 'https://confr.example', appkey: 'org#app', memName: 'alice', token: () => 'token', debug: true });

mgr.onMemberJoined = (member) => console.log(member.name, member.ext.seat);
mgr.onStreamAdded = async (stream) => {
  const { data, hls } = await mgr.subStream(stream.id);
  console.log(data.rtmp, hls, stream.owner.name);
};
mgr.onMediaChanaged = (stream, { voff }) => console.log(stream.rtcId, voff === 1);
mgr.onConferenceExit = (reason, failed, confr) => console.log(reason === mgr.ExitReason.KICKED, failed, confr.confrId);
mgr.onRequestToTalker = (who, agree, refuse) => (who.name === 'bob' ? agree(who.memberId, () => undefined) : refuse());
const stop: () => void = mgr.on('onRoleChanged', (role, roleToken) => console.log(role + 1, roleToken.length));
stop();
mgr.off('onRoleChanged');

async function meet(): Promise<string> {
  try {
    const created = await mgr.createConference(mgr.ConfrType.COMMUNICATION, 'password', true);
    const joined = await mgr.joinConferenceWithTicket(created.confrId, created.data.ticket, { seat: 4 });
    const { data, rtcId } = await mgr.pubStream(emedia.util.getRtcId(), { kind: 'audio' });
    await mgr.pauseAudio(rtcId);
    await mgr.grantRole(joined, ['bob'], mgr.Role.ADMIN);
    await mgr.kickMembersById(joined.confrId, mgr.getMembers().filter((member) => !member.isSelf));
    return data.rtmp;
  } catch (refusal) {
    const { error, message } = refusal as emedia.EMediaError;
    return `${error}: ${message}`;
  }
}

void meet();
void emedia.create({ WebSocket: class {} }).mgr.exitConference();
