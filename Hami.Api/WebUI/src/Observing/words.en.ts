/** What the pages of this room say. */
export const observing = {
  title: 'Observing',
}
