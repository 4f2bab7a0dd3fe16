"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      const value = (row) => row.cells[column];
      rows.sort((one, two) => {
        const [a, b] = [value(one), value(two)];
        const order = a.dataset.order === undefined
          ? a.textContent.localeCompare(b.textContent)
          : Number(a.dataset.order.replace("inf", "Infinity")) - Number(b.dataset.order.replace("inf", "Infinity")) || 0;
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
for (const field of document.querySelectorAll("input[data-filters]")) {
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    for (const row of document.getElementById(field.dataset.filters).tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
}
const dialog = document.getElementById("enlarged");
for (const button of document.querySelectorAll("button.enlarge")) {
  button.addEventListener("click", () => {
    const shown = dialog.querySelector("img");
    shown.src = button.querySelector("img").src;
    shown.alt = button.querySelector("img").alt;
    dialog.showModal();
  });
}
