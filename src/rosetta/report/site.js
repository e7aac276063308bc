"use strict";

// The choices hide the rows that differ from them; the address keeps them, so that a view can be sent to somebody.
{
  const choices = [...document.querySelectorAll("[data-filter]")];
  const rows = [...document.querySelectorAll("table.sortable tbody tr")];
  const count = document.querySelector("#count");
  const apply = () => {
    const wanted = choices.filter((choice) => choice.value !== "");
    let shown = 0;
    for (const row of rows) {
      row.hidden = wanted.some((choice) => row.dataset[choice.dataset.filter] !== choice.value);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
    const view = new URLSearchParams(wanted.map((choice) => [choice.dataset.filter, choice.value])).toString();
    history.replaceState(null, "", view ? `#${view}` : location.pathname + location.search);
  };
  const given = new URLSearchParams(location.hash.slice(1));
  for (const choice of choices) {
    const value = given.get(choice.dataset.filter) ?? "";
    if ([...choice.options].some((option) => option.value === value)) choice.value = value;
    choice.addEventListener("change", apply);
  }
  document.querySelector(".choices").hidden = false;
  apply();
}
