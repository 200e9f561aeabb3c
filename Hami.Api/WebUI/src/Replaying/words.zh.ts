export const replaying = {
  title: 'Replaying',
}
