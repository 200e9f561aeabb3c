/** Shows which moment the page is of, and lets somebody choose another. */
export function TimeBar() {
  return null
}
