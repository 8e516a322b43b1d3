// The registration form works without this file; with it, rows come and go and a relative's name is only asked for then.
const rows = [...document.querySelectorAll(".person")];
const add = document.getElementById("add");

const blank = (row) => [...row.querySelectorAll("input, select")].every((field) =>
  field.type === "checkbox" ? !field.checked : !field.value);

function show(row, shown) {
  row.classList.remove("later");
  row.hidden = !shown;
}

function empty(row) {
  for (const field of row.querySelectorAll("input, select")) {
    if (field.type === "checkbox") field.checked = false;
    else field.value = "";
  }
}

function arrange() {
  add.hidden = rows.every((row) => !row.hidden);
  const [first] = rows;
  const name = first.querySelector("input").closest(".field");
  // The contact has given their name above already.
  name.hidden = first.querySelector("select").value === "self" && !name.querySelector(".wrong") && !name.querySelector("input").value;
}

for (const [place, row] of rows.entries()) {
  show(row, place === 0 || !blank(row));
  const remove = row.querySelector(".remove");
  remove.hidden = place === 0;
  remove.addEventListener("click", () => { empty(row); show(row, false); arrange(); add.focus(); });
}
rows[0].querySelector("select").addEventListener("change", arrange);
add.addEventListener("click", () => {
  const row = rows.find((one) => one.hidden);
  show(row, true);
  row.querySelector("select").focus();
  arrange();
});
document.getElementById("register").addEventListener("submit", () => {
  // After the fields were gathered: a second tap sends nothing.
  setTimeout(() => { document.getElementById("send").disabled = true; });
});
window.addEventListener("pageshow", () => { document.getElementById("send").disabled = false; });
arrange();
document.querySelector("[aria-invalid], .wrong")?.scrollIntoView({ block: "center" });
