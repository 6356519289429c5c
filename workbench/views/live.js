// HTML that is replaced often and still can be clicked, focused and read: only what differs is
// touched. An element with data-do sends its data-* when it is pressed; one with data-copy copies
// the text of the element that the selector in it names.

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh.cloneNode(true));
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, i) => {
    if (i < before.length) morph(before[i], node);
    else old.append(node.cloneNode(true));
  });
  before.slice(after.length).forEach((node) => node.remove());
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const said = button.textContent;
  button.textContent = "copied";
  setTimeout(() => { button.textContent = said; }, 1500);
}

function attach(root, send) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do], [data-copy]");
    if (!button || !root.contains(button)) return;
    if (button.dataset.copy) copy(root.querySelector(button.dataset.copy).textContent, button);
    else send({ ...button.dataset });
  });
  return (html) => {
    const fresh = document.createElement(root.nodeName);
    for (const { name, value } of root.attributes) fresh.setAttribute(name, value);
    fresh.innerHTML = html;
    morph(root, fresh);
  };
}
