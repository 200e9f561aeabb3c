export const observing = {
  title: 'Observing',
}
