// Reads WXML as far as its structure goes: elements, attributes, the names that expressions use.
'use strict';

const acorn = require('acorn');

const TAG = /<!--[\s\S]*?-->|<(\/?)([a-z-]+)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*(\/?)>/g;
const ATTRIBUTE = /([\w:-]+)(?:="([^"]*)")?/g;

/** The elements of a template as a tree. Throws where tags do not match. */
function parse(text) {
  const root = { name: 'root', attributes: {}, children: [], text: [] };
  const open = [root];
  let end = 0;
  for (const match of text.matchAll(TAG)) {
    const between = text.slice(end, match.index);
    if (/[<>]/.test(between.replace(/\{\{.*?\}\}/g, ''))) throw new Error(`not WXML: ${between.trim()}`);
    open[open.length - 1].text.push(between);
    end = match.index + match[0].length;
    const [, closes, name, rest, isEmpty] = match;
    if (!name) continue;
    if (closes) {
      const element = open.pop();
      if (element.name !== name) throw new Error(`</${name}> closes <${element.name}>`);
      continue;
    }
    const attributes = Object.fromEntries([...rest.matchAll(ATTRIBUTE)].map(([, key, value]) => [key, value || '']));
    const element = { name, attributes, children: [], text: [] };
    open[open.length - 1].children.push(element);
    if (!isEmpty && name !== 'input') open.push(element);
  }
  if (open.length > 1) throw new Error(`<${open.pop().name}> is not closed`);
  return root;
}

function* elements(element) {
  for (const child of element.children) {
    yield child;
    yield* elements(child);
  }
}

/** The free names in the {{expressions}} of a text. */
function namesIn(text) {
  const found = new Set();
  for (const [, source] of text.matchAll(/\{\{(.*?)\}\}/g)) {
    const visit = (node) => {
      if (!node || typeof node.type !== 'string') return;
      if (node.type === 'Identifier') found.add(node.name);
      else if (node.type === 'MemberExpression') {
        visit(node.object);
        if (node.computed) visit(node.property);
      } else Object.values(node).forEach((value) => [].concat(value).forEach(visit));
    };
    visit(acorn.parseExpressionAt(`(${source})`, 0, { ecmaVersion: 2019 }));
  }
  return found;
}

/** Every free name that an element tree uses, with `item` and `index` where `wx:for` makes them. */
function usedNames(element, known = []) {
  const loop = element.attributes['wx:for'];
  const own = loop ? ['item', 'index', element.attributes['wx:for-item'], element.attributes['wx:for-index']] : [];
  const here = [...known, ...own];
  const texts = [...element.text, ...Object.values(element.attributes)];
  const names = texts.flatMap((text) => [...namesIn(text)]).filter((name) => !here.includes(name));
  return new Set([...names, ...element.children.flatMap((child) => [...usedNames(child, here)])]);
}

module.exports = { elements, parse, usedNames };
