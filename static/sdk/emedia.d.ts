// Types of emedia.js, and the reference of its calls in short. docs/sdk.md has examples.

export = emedia;
export as namespace emedia;

declare const emedia: emedia.EMedia;

declare namespace emedia {
  interface EMedia {
    readonly mgr: Manager;
    readonly util: { /** A name for a stream of one's own, "wx-1-zlz". */ getRtcId(): string };
    readonly version: string;
    /** Set the server, who is signed in, and options. May be called again at any time. */
    config(options: Config): void;
    /** An SDK of its own: for tests, for several users in one process, for Node without a WebSocket. */
    create(platform?: Platform): EMedia;
    /** The last 300 things that happened, as text for a support request. Tokens and addresses are masked. */
    genReport(): string;
  }

  interface Config extends Partial<Options> {
    /** The server, "https://confr.example". */
    host?: string;
    /** The same, as Easemob's web SDK calls it. */
    restPrefix?: string;
    memName?: string;
    token?: Token;
  }

  interface Options {
    /** "org#app"; joinRoom needs it. */
    appkey: string;
    /** Of error messages, the server's too: "en" or "zh". The default asks the platform. */
    language: string;
    /** Milliseconds for one request or one answer on the socket; 15000. */
    timeout: number;
    /** Milliseconds for entering, with all its attempts; 20000. */
    enterTimeout: number;
    /** Milliseconds between two signs of life; 15000. */
    heartbeat: number;
    /** Attempts to come back before onConferenceExit(4, -9527); 20. None counts while the device is offline. */
    reconnectAttempts: number;
    /** Milliseconds before the first attempt, doubled for each; 500, with jitter. */
    reconnectDelay: number;
    /** The longest wait between two attempts; 10000. */
    reconnectMaxDelay: number;
    /** true: every frame to the console. A function gets every line. */
    debug: boolean | ((line: string) => void);
  }

  interface Platform {
    /** WeChat's `wx`, or something like it. */
    wx?: object;
    fetch?: unknown;
    /** The class; needed in Node up to 21: `require("ws")`. */
    WebSocket?: unknown;
  }

  /** The user's token, or a function that gives it whenever it is needed. */
  type Token = string | (() => string | Promise<string>);
  /** The id of a conference, or the object that a promise resolved with. */
  type ConfrRef = string | { confrId: string };
  /** "alice", "org#app_alice", or a member. */
  type MemberRef = string | Member;
  type Flag = 0 | 1;

  /** Every rejected promise has one of these. */
  interface EMediaError extends Error {
    name: 'EMediaError';
    /** The server's negative code, or one of our own: -200, -101, -504, -408 no answer, -9527 no network. */
    error: number;
  }

  /** What `wx.request` resolves with; elsewhere something of the same form. */
  interface Response<Data> {
    data: Data;
    statusCode: number;
    header: object;
    errMsg: string;
  }

  interface Confr {
    confrId: string;
    id: string;
    type?: number;
    password?: string;
    role?: number;
    roleToken?: string;
    /** JSON text; hand it on as it is. */
    ticket: string;
    mixed?: boolean;
  }

  /** A conference that one is in. `String(confr)` is the member id, which is what Easemob's build resolves with. */
  interface JoinedConfr extends Confr {
    memId: string;
    role: number;
    isCreator?: boolean;
  }

  interface Member<Ext = any> {
    id: string;
    /** "alice" */
    name: string;
    /** "org#app_alice@domain" */
    globalName: string;
    memName?: string;
    nickName?: string;
    role: number;
    /** What the member gave when it joined, parsed; `JSON.parse(member.ext)` works too. */
    ext?: Ext;
    isSelf?: true;
  }

  interface Stream {
    /** "<rtcId>__Of_<tail of the member id>" */
    id: string;
    rtcId: string;
    memId: string;
    memName: string;
    owner: Pick<Member, 'id' | 'name' | 'globalName'> & Partial<Member>;
    /** 0 camera, 1 screen, 2 mix */
    type: number;
    /** 1: no video */
    voff: Flag;
    /** 1: no audio */
    aoff: Flag;
  }

  interface Attribute {
    key: string;
    val?: string;
    /** "" unchanged */
    op: '' | 'UPDATE' | 'DEL';
  }

  interface Addresses {
    rtmp: string;
    hls?: string;
    flv?: string;
  }

  interface CreateOptions {
    confrType?: number;
    password?: string;
    rec?: boolean;
    recMerge?: boolean;
    [more: string]: unknown;
  }

  interface RoomOptions {
    roomName: string;
    password?: string;
    role?: number;
    config?: {
      nickName?: string;
      rec?: boolean;
      recMerge?: boolean;
      maxTalkerCount?: number;
      maxVideoCount?: number;
      maxAudienceCount?: number;
      maxPubDesktopCount?: number;
      ext?: object;
      [more: string]: unknown;
    };
  }

  interface AttributeOptions {
    confrId?: string;
    key: string;
    success?: (response: Response<object>) => void;
    /** With it, the promise does not reject. */
    error?: (error: EMediaError) => void;
  }

  interface Applicant {
    memberId: string;
    nickName?: string;
    memName: string;
    name: string;
  }

  /** The callbacks: assign them to `emedia.mgr`, or listen with `emedia.mgr.on(name, …)`. */
  interface Callbacks {
    /** Oneself first (`isSelf`), then everybody who is inside, then everybody who comes. */
    onMemberJoined(member: Member): void;
    /** The same. */
    onMemberJoin(member: Member): void;
    onMemberExited(member: Member, reason?: number): void;
    /** A member's role is another one now. */
    onMemberChanged(member: Member): void;
    /** Somebody else's stream is on air. */
    onStreamAdded(stream: Stream, owner: Member): void;
    onStreamRemoved(stream: Stream, owner: Member): void;
    /** One's own stream is off air: stopped, lost, or cut by a moderator. */
    onUnpublished(rtcId: string): void;
    /** Somebody switched camera or microphone off or on. */
    onMediaChanaged(stream: Stream, off: { voff: Flag; aoff: Flag }): void;
    /** The same. */
    onMediaChanged(stream: Stream, off: { voff: Flag; aoff: Flag }): void;
    /** One's own role. */
    onRoleChanged(role: number, roleToken: string): void;
    /** Once for every conference that one was entering or in. `failed` is the code behind reasons 2, 4 and 11. */
    onConferenceExit(reason: number, failed: number | undefined, confr: Confr): void;
    /** All attributes; `op` says what is new. */
    onConfrAttrsUpdated(attributes: Attribute[]): void;
    /** The connection is lost; the next attempt follows after `delay` milliseconds. */
    onReconnecting(attempt: number, delay: number): void;
    /** Back; what was missed has been told by the other callbacks. */
    onReconnect(memId: string, ticket: string): void;
    /** Somebody became an admin, or is none any more. */
    onAdminChanged(change: { memberId: string; role: number }): void;
    /** Not for admins. */
    onMuteAll(): void;
    onUnMuteAll(): void;
    /** The same. */
    onUnmuteAll(): void;
    /** An admin muted oneself. */
    onMuted(): void;
    onUnmuted(): void;
    onRequestToTalker(who: Applicant, agree: Agree, refuse: (memberId?: string) => void): void;
    onRequestToAdmin(who: Applicant, agree: Agree, refuse: (memberId?: string) => void): void;
    /** 0: agreed, 1: refused */
    onRequestToTalkerReply(result: number): void;
    onRequestToAdminReply(result: number): void;
    /** One's own video was cut: all seats for videos are taken. */
    onPubVideoTooMuch(): void;
    onPubDesktopTooMuch(): void;
  }

  type Agree = (memberId?: string, whenFull?: () => void) => Promise<unknown>;

  interface Manager extends Partial<Callbacks> {
    readonly ConfrType: { readonly COMMUNICATION: 10; readonly COMMUNICATION_MIX: 11; readonly LIVE: 12 };
    readonly Role: { readonly ADMIN: 7; readonly TALKER: 3; readonly AUDIENCE: 1 };
    readonly ExitReason: {
      readonly HANG_UP: 0;
      readonly REFUSED: 2;
      readonly FAILED: 4;
      readonly TIMEOUT: 6;
      readonly OTHER_DEVICE: 10;
      readonly CLOSED: 11;
      readonly KICKED: 12;
    };
    readonly ErrorCode: { readonly [name: string]: number };

    setHost(url: string): void;
    setIdentity(memName: string, token: Token): void;
    /** Answers the function that stops the listener. */
    on<Name extends keyof Callbacks>(name: Name, listener: Callbacks[Name]): () => void;
    /** Without a listener: all of that name, the assigned one too. */
    off<Name extends keyof Callbacks>(name: Name, listener?: Callbacks[Name]): void;

    /** Without a password the server makes one up; "" is none. */
    createConference(
      confrType?: number | CreateOptions,
      password?: string,
      rec?: boolean,
      recMerge?: boolean,
    ): Promise<Response<Confr> & Confr>;
    getConferenceTkt(confrId: ConfrRef, password?: string, wish?: { role?: number }): Promise<Response<Confr> & Confr>;
    joinConference(confrId: ConfrRef, password?: string, ext?: object | string, wish?: { role?: number }): Promise<JoinedConfr>;
    /** With what createConference or getConferenceTkt gave, here or to your backend in the REST API. */
    joinConferenceWithTicket(confrId: ConfrRef, ticket: string | object, ext?: object | string): Promise<JoinedConfr>;
    joinRoom(options: RoomOptions): Promise<JoinedConfr>;
    exitConference(confrId?: ConfrRef): Promise<void>;

    destroyConference(confrId?: ConfrRef): Promise<Response<object>>;
    kickMembersById(confrId: ConfrRef, memberNames: MemberRef | MemberRef[]): Promise<Response<object>>;
    grantRole(confrId: ConfrRef, memberNames: MemberRef | MemberRef[], role: number | string): Promise<Response<object>>;
    degradeRole(confrId: ConfrRef, memberNames: MemberRef | MemberRef[], role: number | string): Promise<Response<object>>;
    muteAll(confrId?: ConfrRef): Promise<Response<object>>;
    unmuteAll(confrId?: ConfrRef): Promise<Response<object>>;
    muteBymemberId(confrId: ConfrRef, memberId: string): Promise<unknown>;
    muteByMemberId(confrId: ConfrRef, memberId: string): Promise<unknown>;
    unmuteBymemberId(confrId: ConfrRef, memberId: string): Promise<unknown>;
    unmuteByMemberId(confrId: ConfrRef, memberId: string): Promise<unknown>;

    /** Resolves when the admins were asked; their answer is onRequestToTalkerReply. */
    requestToTalker(confrId?: ConfrRef): Promise<unknown>;
    raiseHand(confrId?: ConfrRef): Promise<unknown>;
    requestToAdmin(confrId?: ConfrRef): Promise<unknown>;

    pubStream(
      rtcId?: string,
      declared?: { kind?: 'audio' | 'video' | 'desktop'; type?: 0 | 1 },
    ): Promise<Response<Addresses> & Addresses & { rtcId: string }>;
    subStream(streamId: string): Promise<Response<Addresses> & Addresses>;
    unpublish(rtcId: string): Promise<unknown>;
    streamControl(rtcId: string, off: { voff?: Flag; aoff?: Flag }): Promise<void>;
    pauseVideo(rtcId: string): Promise<void>;
    resumeVideo(rtcId: string): Promise<void>;
    pauseAudio(rtcId: string): Promise<void>;
    resumeAudio(rtcId: string): Promise<void>;

    getConferenceInfo(confrId: ConfrRef, password?: string): Promise<Response<{ confr: object }>>;
    setConferenceAttrs(options: AttributeOptions & { val: string }): Promise<unknown>;
    deleteConferenceAttrs(options: AttributeOptions): Promise<unknown>;
    /** Oneself first. */
    getMembers(confrId?: ConfrRef): Member[];
    /** Of the others. */
    getStreams(confrId?: ConfrRef): Stream[];
  }
}
