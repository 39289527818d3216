// The only place that makes elements. Texts become text nodes, never markup.

/** An element with these attributes and children; strings among the children stay text. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Sets an attribute when it differs; `null` and `false` take it away. */
export function setAttribute(node, name, value) {
  if (value === null || value === false || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const spelled = value === true ? '' : String(value);
  if (node.getAttribute(name) !== spelled) node.setAttribute(name, spelled);
}

/** Sets a text when it differs, so that nothing is laid out in vain. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes these nodes the children of a parent, in this order, and moves as few as it can. Focus stays. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  const focused = document.activeElement;
  const hadFocus = focused !== document.body && parent.contains(focused);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const node of nodes) {
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  if (hadFocus && document.activeElement !== focused && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
  return hadFocus && !parent.contains(focused);
}

/** The symbol of a state. It always stands next to the word. */
export function mark(state) {
  return element('span', { class: 'mark', 'data-state': state, 'aria-hidden': 'true' });
}

export const byId = (id) => document.getElementById(id);
