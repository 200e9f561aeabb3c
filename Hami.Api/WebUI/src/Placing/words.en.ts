/** What the pages of this room say. */
export const placing = {
  title: 'Placing',
}
