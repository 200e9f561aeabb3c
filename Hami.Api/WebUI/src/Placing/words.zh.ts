export const placing = {
  title: 'Placing',
}
