// Where somebody goes on who works by keyboard, when what had the focus is gone.

/** The page does not jump to a row that was ticked and has moved. */
const stay = { preventScroll: true }

/** To be called before rows are replaced; the result after it: on the same control, or on that of the row in its place. */
export function holdFocus(rows) {
  const { id, dataset } = document.activeElement
  const seen = () => [...rows.children].filter(row => !row.hidden)
  const index = seen().findIndex(row => row.contains(document.activeElement))
  return () => {
    if (index === -1) return
    const row = seen().at(index) ?? seen().at(-1)
    const control = document.getElementById(id) ?? row?.querySelector(`[data-act="${dataset.act}"]`)
    ;(control ?? document.querySelector('#empty')).focus(stay)
  }
}

/** On what else there is to decide here, or on the rows. */
export function goOn(place) {
  const next = place.querySelector('button') ?? document.querySelector('#rows > :not([hidden]) input, #empty')
  next.focus(stay)
}
