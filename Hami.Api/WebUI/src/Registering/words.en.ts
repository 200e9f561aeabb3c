/** What the pages of this room say. */
export const registering = {
  title: 'Registering',
}
