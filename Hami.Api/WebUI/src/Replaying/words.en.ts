/** What the pages of this room say. */
export const replaying = {
  title: 'Replaying',
}
