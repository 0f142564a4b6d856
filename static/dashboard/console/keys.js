/** The console's keys. Their labels, and which of them the role may use, come with the page. */

import { shortcut } from "../shortcuts.js";
import { texts } from "../texts.js";

/** @param {{move, select, clear, act, open}} does */
export function keys(does) {
  const all = {
    j: () => does.move(1),
    k: () => does.move(-1),
    x: () => does.select(),
    u: () => does.clear(),
    m: () => does.act("mute", "audio"),
    v: () => does.act("mute", "video"),
    d: () => does.act("mute", "desktop"),
    w: () => does.act("watch"),
    t: () => does.act("role", 3),
    a: () => does.act("role", 1),
    s: () => does.act("send"),
    K: () => does.act("kick"),
    B: () => does.act("ban"),
    M: () => does.open("mute_all"),
    A: () => does.open("announce"),
    i: () => does.open("invite"),
  };
  for (const [key, label] of Object.entries(texts.keys)) shortcut(key, label, all[key]);
}
